// Dot products. Those of reals are summed by Dot2: Ogita, Rump, Oishi, "Accurate Sum and Dot Product", 2005.
#include <algorithm>
#include <cmath>

#include "compiler/evaluate/operators.h"
#include "compiler/graph_shapes.h"

namespace tidbit::compiler {
namespace {

/// Columns of a matrix are worked on this many at a time, in vector registers.
constexpr size_t kLanes = 8;

/// A number and its two halves of 26 bits, whose products are exact (Veltkamp).
struct Split {
  double value = 0, high = 0, low = 0;
};

Split split(double value) {
  constexpr double kFactor = 134217729;  // 2^27 + 1
  const double scaled = kFactor * value;
  const double high = scaled - (scaled - value);
  return {value, high, value - high};
}

/// A sum as if in twice the working precision, rounded once.
struct TwiceTheDigits {
  using Element = Split;
  static constexpr size_t kParts = 3;

  static Element element(double value) { return split(value); }
  static void store(double value, double* into) {
    const Split parts = split(value);
    into[0] = parts.value;
    into[kLanes] = parts.high;
    into[2 * kLanes] = parts.low;
  }

  static void dot(const Element* row, const double* columns, size_t depth, double* sums) {
    double sum[kLanes] = {}, error[kLanes] = {};
    for (size_t k = 0; k < depth; ++k, columns += kParts * kLanes) {
      const Split a = row[k];
#pragma GCC unroll 1  // or g++ unrolls the loop before it could make vectors of it
      for (size_t i = 0; i < kLanes; ++i) {
        const double b = columns[i], b_high = columns[kLanes + i], b_low = columns[2 * kLanes + i];
        const double product = a.value * b;
        const double product_error = a.low * b_low - (((product - a.high * b_high) - a.low * b_high) - a.high * b_low);
        const double next = sum[i] + product;
        const double gained = next - sum[i];
        error[i] += ((sum[i] - (next - gained)) + (product - gained)) + product_error;
        sum[i] = next;
      }
    }
    // Splitting overflows close to the largest number; the plain sum is all there is then.
    for (size_t i = 0; i < kLanes; ++i) sums[i] = std::isfinite(error[i]) ? sum[i] + error[i] : sum[i];
  }
};

/// Integers below 2^53, whose sums need no care.
struct Integers {
  using Element = double;
  static constexpr size_t kParts = 1;

  static Element element(double value) { return value; }
  static void store(double value, double* into) { into[0] = value; }

  static void dot(const Element* row, const double* columns, size_t depth, double* sums) {
    double sum[kLanes] = {};
    for (size_t k = 0; k < depth; ++k, columns += kLanes) {
#pragma GCC unroll 1
      for (size_t i = 0; i < kLanes; ++i) sum[i] += row[k] * columns[i];
    }
    std::copy_n(sum, kLanes, sums);
  }
};

/// The right side of a matrix product, stored [block][depth][part][lane]; lanes beyond the last column are zero.
template <class Arithmetic>
class Columns {
 public:
  /// `at(k, column)` is the matrix.
  template <class At>
  Columns(size_t depth, size_t count, At at)
      : depth_(depth), count_(count), numbers_((count + kLanes - 1) / kLanes * block_size()) {
    for (size_t column = 0; column < count; ++column) {
      double* into = numbers_.data() + column / kLanes * block_size() + column % kLanes;
      for (size_t k = 0; k < depth; ++k, into += Arithmetic::kParts * kLanes) Arithmetic::store(at(k, column), into);
    }
  }

  /// sink(row, column, sum) for each of `rows`, [count][depth].
  template <class Sink>
  void multiply(const std::vector<typename Arithmetic::Element>& rows, size_t count, Sink sink) const {
    double sums[kLanes];
    for (size_t first = 0; first < count_; first += kLanes) {
      const double* block = numbers_.data() + first / kLanes * block_size();
      for (size_t row = 0; row < count; ++row) {
        Arithmetic::dot(rows.data() + row * depth_, block, depth_, sums);
        for (size_t i = 0; i < std::min(kLanes, count_ - first); ++i) sink(row, first + i, sums[i]);
      }
    }
  }

 private:
  size_t block_size() const { return depth_ * Arithmetic::kParts * kLanes; }

  size_t depth_, count_;
  std::vector<double> numbers_;
};

struct Layer {
  Window window;
  int64_t groups;
  Image input;
  int64_t outputs, height, width;  // of the output
};

/// The numbers under the window at output pixel (y, x), in the order (row, column, channel); 0 in the padding.
template <class Arithmetic>
void gather(const Layer& layer, const std::vector<double>& x, int64_t n, int64_t group, int64_t pixel,
            typename Arithmetic::Element* into) {
  const Window& window = layer.window;
  const int64_t depth = layer.input.channels / layer.groups;
  const int64_t top = pixel / layer.width * window.stride[0] - window.pad_begin[0];
  const int64_t left = pixel % layer.width * window.stride[1] - window.pad_begin[1];
  for (int64_t i = 0; i < window.kernel[0]; ++i) {
    for (int64_t j = 0; j < window.kernel[1]; ++j) {
      const int64_t row = top + i * window.dilation[0], column = left + j * window.dilation[1];
      const bool inside = row >= 0 && row < layer.input.extent[0] && column >= 0 && column < layer.input.extent[1];
      for (int64_t c = 0; c < depth; ++c) {
        *into++ = Arithmetic::element(inside ? x[layer.input.at(n, group * depth + c, row, column)] : 0);
      }
    }
  }
}

/// sink(n, channel, pixel, sum) for each output. `weight(output channel, k)`, k in the order of gather().
template <class Arithmetic, class Weight, class Sink>
void convolve(const Layer& layer, const std::vector<double>& x, Weight weight, Sink sink) {
  constexpr int64_t kTile = 8;  // pixels that share a pass over the weights
  const int64_t rows = layer.outputs / layer.groups;
  const auto depth =
      static_cast<size_t>(layer.window.kernel[0] * layer.window.kernel[1] * (layer.input.channels / layer.groups));
  std::vector<typename Arithmetic::Element> patches(kTile * depth);
  for (int64_t group = 0; group < layer.groups; ++group) {
    const Columns<Arithmetic> columns(depth, static_cast<size_t>(rows), [&](size_t k, size_t row) {
      return weight(group * rows + static_cast<int64_t>(row), static_cast<int64_t>(k));
    });
    for (int64_t n = 0; n < layer.input.batch; ++n) {
      for (int64_t first = 0; first < layer.height * layer.width; first += kTile) {
        const int64_t pixels = std::min(kTile, layer.height * layer.width - first);
        for (int64_t i = 0; i < pixels; ++i) {
          gather<Arithmetic>(layer, x, n, group, first + i, patches.data() + static_cast<size_t>(i) * depth);
        }
        columns.multiply(patches, static_cast<size_t>(pixels), [&](size_t i, size_t row, double sum) {
          sink(n, group * rows + static_cast<int64_t>(row), first + static_cast<int64_t>(i), sum);
        });
      }
    }
  }
}

}  // namespace

Tensor evaluate(const op::Convolution& convolution, const Call& call) {
  const Tensor &x = call.input(0), &w = call.input(1);
  Tensor result = call.output();
  const Image output(result.shape, convolution.layout), kernel(w.shape, convolution.layout);
  const Layer layer = {convolution.window, convolution.groups, Image(x.shape, convolution.layout),
                       output.channels,    output.extent[0],   output.extent[1]};
  const auto weight = [&](int64_t row, int64_t k) {
    const int64_t tap = k / kernel.channels;
    return w.data[kernel.at(row, k % kernel.channels, tap / kernel.extent[1], tap % kernel.extent[1])];
  };
  convolve<TwiceTheDigits>(layer, x.data, weight, [&](int64_t n, int64_t channel, int64_t pixel, double sum) {
    const double bias = call.has(2) ? call.input(2).data[static_cast<size_t>(channel)] : 0;
    result.data[output.at(n, channel, pixel / layer.width, pixel % layer.width)] = call.has(2) ? sum + bias : sum;
  });
  return result;
}

Tensor evaluate(const op::MatMul&, const Call& call) {
  const Tensor &a = call.input(0), &b = call.input(1);
  Tensor result = call.output();
  Shape a_shape = a.shape, b_shape = b.shape;
  if (a_shape.size() == 1) a_shape.insert(a_shape.begin(), 1);
  if (b_shape.size() == 1) b_shape.push_back(1);
  const auto depth = static_cast<size_t>(a_shape.back()), rows = static_cast<size_t>(a_shape[a_shape.size() - 2]),
             count = static_cast<size_t>(b_shape.back());
  const Shape a_batch(a_shape.begin(), a_shape.end() - 2), b_batch(b_shape.begin(), b_shape.end() - 2);
  const Shape batch = broadcast(a_batch, b_batch);
  const std::vector<size_t> a_at = broadcast_offsets(batch, a_batch, rows * depth);
  const std::vector<size_t> b_at = broadcast_offsets(batch, b_batch, depth * count);
  std::vector<Split> split_rows(rows * depth);
  for (size_t i = 0; i < a_at.size(); ++i) {
    const double* const right = b.data.data() + b_at[i];
    const Columns<TwiceTheDigits> columns(depth, count,
                                          [&](size_t k, size_t column) { return right[k * count + column]; });
    std::transform(a.data.begin() + static_cast<ptrdiff_t>(a_at[i]),
                   a.data.begin() + static_cast<ptrdiff_t>(a_at[i] + rows * depth), split_rows.begin(), split);
    columns.multiply(split_rows, rows, [&](size_t row, size_t column, double sum) {
      result.data[(i * rows + row) * count + column] = sum;
    });
  }
  return result;
}

std::vector<Tensor> evaluate(const op::Linear& linear, const Call& call) {
  const bool depthwise = linear.kind == op::LinearKind::Depthwise;
  const Tensor x = values_of(call, 0);
  const Tensor residual = call.has(1) ? values_of(call, 1) : Tensor{};
  std::vector<Tensor> results;
  for (const Shape& shape : call.shapes)
    results.push_back({shape, std::vector<double>(static_cast<size_t>(elements(shape)))});
  if (results.empty()) return results;

  const Image input(as_image(x.shape), Layout::ChannelsLast), output(as_image(results[0].shape), Layout::ChannelsLast);
  const Layer layer = {
      linear.window,   depthwise ? input.channels : linear.groups, input, output.channels, output.extent[0],
      output.extent[1]};
  const op::Weights& weights = linear.weights;
  const int64_t depth = weights.taps * weights.channels;
  const auto weight = [&](int64_t row, int64_t k) {
    const auto i = static_cast<size_t>(depthwise ? k * weights.channels + row : row * depth + k);
    if (!weights.grid) return static_cast<double>(weights.reals[i]);
    const double value = weights.grid->value(weights.codes[i]);
    if (linear.kind != op::LinearKind::RealInput || weights.scales.empty()) return value;
    return value * weights.scales[weights.scales.size() == 1 ? 0 : static_cast<size_t>(row)];
  };
  const auto sink = [&](int64_t n, int64_t channel, int64_t pixel, double sum) {
    const size_t at = output.at(n, channel, pixel / layer.width, pixel % layer.width);
    for (size_t i = 0; i < results.size(); ++i) {
      const double r = residual.data.empty() ? 0 : residual.data[at];
      results[i].data[at] = apply(linear.epilogues[i], static_cast<size_t>(channel), sum, r);
    }
  };
  if (linear.kind == op::LinearKind::RealInput) {
    convolve<TwiceTheDigits>(layer, x.data, weight, sink);
  } else {
    convolve<Integers>(layer, x.data, weight, sink);
  }
  return results;
}

}  // namespace tidbit::compiler
