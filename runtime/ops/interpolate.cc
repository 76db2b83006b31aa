// Bilinear interpolation in float64: between codes, to the epilogue, or between reals.
#include "kernels/interpolate/interpolate.h"

#include <algorithm>

#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 16384;  // results worth another thread
constexpr size_t kBlock = 2048;   // results that stay in L1 on their way to the epilogue

/// Along one axis.
struct Axis {
  std::span<const uint32_t> first, second;
  std::span<const double> weight;
};

Axis read_axis(const NodeReader& node, const file::Interpolation* table, const std::string& field, size_t axis) {
  node.require(table != nullptr, field, "is missing");
  const auto count = static_cast<uint64_t>(node.output(0).shape[axis]);
  const int64_t extent = node.input(0).shape[axis];
  const auto indices = [&](const file::Blob* blob, const char* member) {
    const auto values = node.array<uint32_t>(blob, field + member, count);
    node.require(std::ranges::all_of(values, [&](uint32_t index) { return index < extent; }), field + member,
                 "has an index beyond the input's ", extent);
    return values;
  };
  const Axis result{.first = indices(table->first(), ".first"),
                    .second = indices(table->second(), ".second"),
                    .weight = node.array<double>(table->weight(), field + ".weight", count)};
  node.require(std::ranges::all_of(result.weight, [](double w) { return w >= 0 && w <= 1; }), field + ".weight",
               "has a value that is not between 0 and 1");
  return result;
}

class Interpolation : public Op {
 public:
  Interpolation(const NodeReader& node, const Axis& rows, const Axis& columns)
      : rows_(rows),
        columns_(columns),
        height_(static_cast<size_t>(node.input(0).shape[1])),
        width_(static_cast<size_t>(node.input(0).shape[2])),
        images_(static_cast<size_t>(node.input(0).shape[0])),
        channels_(channels_of(node.input(0))),
        input_(node.input_index(0)) {}

 protected:
  size_t channels() const { return channels_; }
  size_t columns() const { return columns_.first.size(); }

  /// row(thread, index of the output's row, the input's rows, weight of the second) for each row.
  template <class T, class Row>
  void for_each_row(const Frame& frame, const Row& row) const noexcept {
    const auto* const in = frame.tensor<const T>(input_);
    const size_t rows = rows_.first.size(), pitch = width_ * channels_;
    const size_t grain = std::max<size_t>(1, kGrain / (columns() * channels_));
    frame.threads.parallel_ranges(frame.batch * images_ * rows, grain, [&](size_t begin, size_t end, size_t thread) {
      for (size_t i = begin; i < end; ++i) {
        const T* const image = in + i / rows * height_ * pitch;
        const size_t y = i % rows;
        row(thread, i, image + rows_.first[y] * pitch, image + rows_.second[y] * pitch, rows_.weight[y]);
      }
    });
  }

  /// Where a column's neighbours begin in a row, and the weight of the second.
  struct Column {
    size_t left, right;
    double across;
  };
  Column column(size_t x) const {
    return {columns_.first[x] * channels_, columns_.second[x] * channels_, columns_.weight[x]};
  }

 private:
  Axis rows_, columns_;
  size_t height_, width_, images_, channels_;
  size_t input_;
};

class RealInterpolation final : public Interpolation {
 public:
  RealInterpolation(const NodeReader& node, const Axis& rows, const Axis& columns)
      : Interpolation(node, rows, columns), output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const auto between = [](double p, double q, double weight) { return p * (1 - weight) + q * weight; };
    for_each_row<float>(frame, [&](size_t, size_t row, const float* top, const float* bottom, double down) {
      float* out = frame.tensor<float>(output_) + row * columns() * channels();
      for (size_t x = 0; x < columns(); ++x) {
        const auto [left, right, across] = column(x);
        for (size_t c = 0; c < channels(); ++c) {
          const auto real = [c](const float* pixel) { return static_cast<double>(pixel[c]); };
          const double above = between(real(top + left), real(top + right), across);
          const double below = between(real(bottom + left), real(bottom + right), across);
          *out++ = static_cast<float>(between(above, below, down));
        }
      }
    });
  }

 private:
  size_t output_;
};

class CodeInterpolation final : public Interpolation {
 public:
  CodeInterpolation(const NodeReader& node, const Axis& rows, const Axis& columns, const file::Epilogue* epilogue)
      : Interpolation(node, rows, columns),
        epilogues_(node, epilogue, Sums::Real),
        grid_(grid_of(node.input(0))),
        scale_(node.input(0).scale),
        block_(std::clamp<size_t>(kBlock / channels(), 1, this->columns())) {}

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override { return product({threads, sum_bytes()}); }

  void run(const Frame& frame) const noexcept override {
    for_each_row<uint8_t>(
        frame, [&](size_t thread, size_t row, const uint8_t* top, const uint8_t* bottom, double down) {
          auto* const sums = reinterpret_cast<double*>(frame.scratch + thread * sum_bytes());
          for (size_t begin = 0; begin < columns(); begin += block_) {
            const size_t count = std::min(block_, columns() - begin);
            for (size_t i = 0; i < count; ++i) {
              const auto [left, right, across] = column(begin + i);
              kernels::interpolate({top + left, top + right, bottom + left, bottom + right, across, down}, grid_,
                                   scale_, static_cast<int32_t>(channels()), sums + i * channels());
            }
            epilogues_.apply(frame, SumBlock<double>{.sums = sums,
                                                     .stride = static_cast<ptrdiff_t>(channels()),
                                                     .pixel = static_cast<int64_t>(row * columns() + begin),
                                                     .pixels = static_cast<int32_t>(count),
                                                     .channel = 0,
                                                     .channels = static_cast<int32_t>(channels())});
          }
        });
  }

 private:
  /// Of a block of pixels.
  uint64_t sum_bytes() const { return aligned(product({block_, channels(), sizeof(double)})); }

  Epilogues epilogues_;
  Grid grid_;
  double scale_;
  size_t block_;  // pixels that are interpolated, then finished, at a time
};

}  // namespace

std::unique_ptr<Op> make_interpolate(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  const TensorInfo &in = node.input(0), &out = node.output(0);
  node.require(in.shape.size() == 4, "inputs[0]", "must be [N,H,W,C]");
  node.require(out.shape.size() == 4, "outputs[0]", "must be [N,H,W,C]");
  node.require_shape(out, std::vector<int64_t>{in.shape[0], out.shape[1], out.shape[2], in.shape[3]}, "outputs[0]");
  const file::Interpolate& table = node.op<file::Interpolate>();
  const Axis rows = read_axis(node, table.rows(), "rows", 1), columns = read_axis(node, table.columns(), "columns", 2);
  if (!in.is_real) return std::make_unique<CodeInterpolation>(node, rows, columns, table.epilogue());
  node.require_real(out, "outputs[0]");
  node.require(table.epilogue() == nullptr, "epilogue", "is for codes, the input is real");
  return std::make_unique<RealInterpolation>(node, rows, columns);
}

}  // namespace tidbit::internal
