#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/evaluate/operators.h"

namespace tidbit::compiler {
namespace {

/// Calls `see(value)` for each tap inside the image, then writes `finish(channel)`, for each output.
template <class Start, class See, class Finish>
Tensor pool(const Call& call, const std::vector<double>& x, const Window& window, Layout layout, Start start, See see,
            Finish finish) {
  Tensor result = call.output();
  const Image input(call.input(0).shape, layout), output(result.shape, layout);
  for (int64_t n = 0; n < output.batch; ++n) {
    for (int64_t c = 0; c < output.channels; ++c) {
      for (int64_t pixel = 0; pixel < output.extent[0] * output.extent[1]; ++pixel) {
        const int64_t y = pixel / output.extent[1], x_pixel = pixel % output.extent[1];
        start();
        for (int64_t i = 0; i < window.kernel[0]; ++i) {
          const int64_t row = y * window.stride[0] - window.pad_begin[0] + i * window.dilation[0];
          if (row < 0 || row >= input.extent[0]) continue;
          for (int64_t j = 0; j < window.kernel[1]; ++j) {
            const int64_t column = x_pixel * window.stride[1] - window.pad_begin[1] + j * window.dilation[1];
            if (column >= 0 && column < input.extent[1]) see(x[input.at(n, c, row, column)]);
          }
        }
        result.data[output.at(n, c, y, x_pixel)] = finish(c);
      }
    }
  }
  return result;
}

}  // namespace

Tensor evaluate(const op::MaxPool& max_pool, const Call& call) {
  double highest = 0;
  return pool(
      call, call.input(0).data, max_pool.window, max_pool.layout,
      [&] { highest = -std::numeric_limits<double>::infinity(); },
      [&](double value) { highest = std::max(highest, value); }, [&](int64_t) { return highest; });
}

Tensor evaluate(const op::AveragePool& average_pool, const Call& call) {
  const Window& window = average_pool.window;
  // Summed like a dot product, in twice the working precision.
  double sum = 0, error = 0;
  int64_t taps = 0;
  const auto see = [&](double value) {
    const double next = sum + value, gained = next - sum;
    error += (sum - (next - gained)) + (value - gained);
    sum = next;
    ++taps;
  };
  return pool(
      call, call.input(0).data, window, average_pool.layout, [&] { sum = error = 0, taps = 0; }, see,
      [&](int64_t) {
        const int64_t count = average_pool.count_padding ? window.kernel[0] * window.kernel[1] : taps;
        return (std::isfinite(error) ? sum + error : sum) / static_cast<double>(count);
      });
}

Tensor evaluate(const op::CodePool& code_pool, const Call& call) {
  double sum = 0;
  return pool(
      call, values_of(call, 0).data, code_pool.window, Layout::ChannelsLast, [&] { sum = 0; },
      [&](double value) { sum += value; },
      [&](int64_t channel) { return apply(code_pool.epilogue, static_cast<size_t>(channel), sum, 0); });
}

}  // namespace tidbit::compiler
