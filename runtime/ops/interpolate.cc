// Bilinear interpolation in float64: between codes, to the epilogue, or between reals.
#include <algorithm>

#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 16384;  // results worth another thread

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

double between(double p, double q, double weight) { return p * (1 - weight) + q * weight; }

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

  /// pixel(thread, index of the output's pixel, value of channel) for each pixel.
  template <class T, class Real, class Pixel>
  void for_each_pixel(const Frame& frame, const Real& real, const Pixel& pixel) const noexcept {
    const auto* const in = frame.tensor<const T>(input_);
    const size_t rows = rows_.first.size(), columns = columns_.first.size();
    const size_t grain = std::max<size_t>(1, kGrain / (columns * channels_));
    frame.threads.parallel_ranges(frame.batch * images_ * rows, grain, [&](size_t begin, size_t end, size_t thread) {
      for (size_t i = begin; i < end; ++i) {
        const T* const image = in + i / rows * height_ * width_ * channels_;
        const size_t y = i % rows;
        const T* const top = image + rows_.first[y] * width_ * channels_;
        const T* const bottom = image + rows_.second[y] * width_ * channels_;
        for (size_t x = 0; x < columns; ++x) {
          const size_t left = columns_.first[x] * channels_, right = columns_.second[x] * channels_;
          const double across = columns_.weight[x], down = rows_.weight[y];
          pixel(thread, i * columns + x, [&](size_t c) {
            return between(between(real(top[left + c]), real(top[right + c]), across),
                           between(real(bottom[left + c]), real(bottom[right + c]), across), down);
          });
        }
      }
    });
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
    auto* const out = frame.tensor<float>(output_);
    for_each_pixel<float>(
        frame, [](float x) { return static_cast<double>(x); },
        [&](size_t, size_t pixel, const auto& value) {
          float* const to = out + pixel * channels();
          for (size_t c = 0; c < channels(); ++c) to[c] = static_cast<float>(value(c));
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
        scale_(node.input(0).scale) {}

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override { return product({threads, sum_bytes()}); }

  void run(const Frame& frame) const noexcept override {
    for_each_pixel<uint8_t>(
        frame, [&](uint8_t code) { return scale_ * grid_.value(code); },
        [&](size_t thread, size_t pixel, const auto& value) {
          auto* const sums = reinterpret_cast<double*>(frame.scratch + thread * sum_bytes());
          for (size_t c = 0; c < channels(); ++c) sums[c] = value(c);
          epilogues_.apply(frame, SumBlock<double>{.sums = sums,
                                                   .stride = static_cast<ptrdiff_t>(channels()),
                                                   .pixel = static_cast<int64_t>(pixel),
                                                   .pixels = 1,
                                                   .channel = 0,
                                                   .channels = static_cast<int32_t>(channels())});
        });
  }

 private:
  /// Of a pixel.
  uint64_t sum_bytes() const { return aligned(product({channels(), sizeof(double)})); }

  Epilogues epilogues_;
  Grid grid_;
  double scale_;
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
