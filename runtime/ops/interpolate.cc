// Bilinear interpolation in float64: between codes, to the epilogue, or between reals.
#include "kernels/interpolate/interpolate.h"

#include <algorithm>

#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 16384;  // results worth another thread
constexpr size_t kBlock = 1024;   // results that stay in L1 on their way to the epilogue, with what they lie between

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
  size_t images() const { return images_; }  // of a sample
  size_t channels() const { return channels_; }
  const Axis& rows() const { return rows_; }
  size_t columns() const { return columns_.first.size(); }

  template <class T>
  const T* input_row(const Frame& frame, size_t image, size_t row) const {
    return frame.tensor<const T>(input_) + (image * height_ + row) * width_ * channels_;
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
    const size_t count = rows().first.size(), grain = std::max<size_t>(1, kGrain / (columns() * channels()));
    frame.threads.parallel_ranges(frame.batch * images() * count, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t row = begin; row < end; ++row) run_row(frame, row / count, row % count);
    });
  }

 private:
  void run_row(const Frame& frame, size_t image, size_t y) const noexcept {
    const auto between = [](double p, double q, double weight) { return p * (1 - weight) + q * weight; };
    const auto* const top = input_row<float>(frame, image, rows().first[y]);
    const auto* const bottom = input_row<float>(frame, image, rows().second[y]);
    float* out = frame.tensor<float>(output_) + (image * rows().first.size() + y) * columns() * channels();
    for (size_t x = 0; x < columns(); ++x) {
      const auto [left, right, across] = column(x);
      for (size_t c = 0; c < channels(); ++c) {
        const auto real = [c](const float* pixel) { return static_cast<double>(pixel[c]); };
        const double above = between(real(top + left), real(top + right), across);
        const double below = between(real(bottom + left), real(bottom + right), across);
        *out++ = static_cast<float>(between(above, below, rows().weight[y]));
      }
    }
  }

  size_t output_;
};

/// By blocks of columns, from the top row down: what lies between the columns of an input's row is computed once for
/// all rows of the output that lie beside it.
class CodeInterpolation final : public Interpolation {
 public:
  CodeInterpolation(const NodeReader& node, const Axis& rows, const Axis& columns, const file::Epilogue* epilogue)
      : Interpolation(node, rows, columns),
        epilogues_(node, epilogue, Sums::Real),
        grid_(grid_of(node.input(0))),
        scale_(node.input(0).scale),
        block_(std::clamp<size_t>(kBlock / channels(), 1, this->columns())) {}

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override {
    return product({threads, 3, line_bytes()});
  }

  void run(const Frame& frame) const noexcept override {
    const size_t blocks = (columns() + block_ - 1) / block_;
    frame.threads.parallel_for(frame.batch * images() * blocks, [&](size_t index, size_t thread) {
      const size_t image = index / blocks, begin = index % blocks * block_;
      run_block(frame, image, begin, std::min(block_, columns() - begin),
                frame.scratch + thread * static_cast<size_t>(3 * line_bytes()));
    });
  }

 private:
  /// Two rows of the input between the columns of a block, and which they are.
  struct Lines {
    double* of[2];
    size_t row[2] = {SIZE_MAX, SIZE_MAX};

    /// Where `row` is held; else where it goes, which is not where `kept` is.
    size_t place(size_t wanted, size_t kept) const {
      return wanted == row[0] || (wanted != row[1] && kept == row[1]) ? 0 : 1;
    }
  };

  void run_block(const Frame& frame, size_t image, size_t begin, size_t count, std::byte* scratch) const noexcept {
    const auto line = [&](size_t i) { return reinterpret_cast<double*>(scratch + i * line_bytes()); };
    Lines lines{.of = {line(0), line(1)}};
    double* const sums = line(2);
    const auto values = static_cast<int32_t>(count * channels());
    for (size_t y = 0; y < rows().first.size(); ++y) {
      const size_t first = rows().first[y], second = rows().second[y];
      const double* const above = hold(frame, image, first, second, begin, count, lines);
      const double* const below = hold(frame, image, second, first, begin, count, lines);
      kernels::interpolate_down(above, below, rows().weight[y], values, sums);
      const size_t row = image * rows().first.size() + y;
      epilogues_.apply(frame, SumBlock<double>{.sums = sums,
                                               .stride = static_cast<ptrdiff_t>(channels()),
                                               .pixel = static_cast<int64_t>(row * columns() + begin),
                                               .pixels = static_cast<int32_t>(count),
                                               .channel = 0,
                                               .channels = static_cast<int32_t>(channels())});
    }
  }

  /// The line of `row`, computed unless it is held, without losing that of `kept`.
  const double* hold(const Frame& frame, size_t image, size_t row, size_t kept, size_t begin, size_t count,
                     Lines& lines) const noexcept {
    const size_t place = lines.place(row, kept);
    if (lines.row[place] == row) return lines.of[place];
    lines.row[place] = row;
    const uint8_t* const codes = input_row<uint8_t>(frame, image, row);
    for (size_t i = 0; i < count; ++i) {
      const auto [left, right, across] = column(begin + i);
      kernels::interpolate_across({codes + left, codes + right, across}, grid_, scale_,
                                  static_cast<int32_t>(channels()), lines.of[place] + i * channels());
    }
    return lines.of[place];
  }

  /// Of a block of pixels.
  uint64_t line_bytes() const { return aligned(product({block_, channels(), sizeof(double)})); }

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
