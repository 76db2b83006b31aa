// Naive references of the kernels, by definition: on the values v of codes, never on planes, tables or packed forms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "kernels/convolution.h"
#include "schema/grid.h"

namespace tidbit::test {

/// The input pixel (y*width + x) of a tap, or -1 where the tap is outside the image.
inline ptrdiff_t tap_pixel(const kernels::ConvolutionShape& shape, int32_t out_y, int32_t out_x, int32_t tap_y,
                           int32_t tap_x) {
  const kernels::Window& window = shape.window;
  const int32_t y = out_y * window.stride_height + tap_y * window.dilation_height - window.pad_top;
  const int32_t x = out_x * window.stride_width + tap_x * window.dilation_width - window.pad_left;
  const bool inside = y >= 0 && y < shape.height && x >= 0 && x < shape.width;
  return inside ? ptrdiff_t{y} * shape.width + x : -1;
}

/// Calls visit(out_pixel, tap, pixel) for every tap of every output pixel; pixel is -1 outside the image.
template <class Visit>
void for_each_window_tap(const kernels::ConvolutionShape& shape, const Visit& visit) {
  for (int32_t y = 0; y < shape.out_height; ++y) {
    for (int32_t x = 0; x < shape.out_width; ++x) {
      for (int32_t tap_y = 0; tap_y < shape.window.kernel_height; ++tap_y) {
        for (int32_t tap_x = 0; tap_x < shape.window.kernel_width; ++tap_x) {
          visit(y * shape.out_width + x, tap_y * shape.window.kernel_width + tap_x,
                tap_pixel(shape, y, x, tap_y, tap_x));
        }
      }
    }
  }
}

inline std::vector<int64_t> values_of(const std::vector<uint8_t>& codes, const Grid& grid) {
  std::vector<int64_t> values;
  for (const uint8_t code : codes) values.push_back(int64_t{grid.step} * code + grid.base);
  return values;
}

inline std::vector<int32_t> narrowed(const std::vector<int64_t>& sums) {
  std::vector<int32_t> narrow;
  for (const int64_t sum : sums) {
    if (sum != static_cast<int32_t>(sum)) throw std::logic_error("a test's sum leaves int32");
    narrow.push_back(static_cast<int32_t>(sum));
  }
  return narrow;
}

/// Sums [pixel][out channel] of a convolution; codes have pixels `pixel_stride` apart, weights are [row][tap][channel].
inline std::vector<int32_t> convolution(const kernels::ConvolutionShape& shape, const Grid& activations,
                                        const std::vector<uint8_t>& codes, ptrdiff_t pixel_stride, const Grid& weights,
                                        const std::vector<uint8_t>& weight_codes) {
  const std::vector<int64_t> x = values_of(codes, activations), w = values_of(weight_codes, weights);
  std::vector<int64_t> sums(static_cast<size_t>(shape.pixels()) * shape.out_channels);
  for_each_window_tap(shape, [&](int32_t out_pixel, int32_t tap, ptrdiff_t pixel) {
    if (pixel < 0) return;
    for (int32_t n = 0; n < shape.out_channels; ++n) {
      const int64_t* row = w.data() + (ptrdiff_t{n} * shape.window.taps() + tap) * shape.channels;
      int64_t& sum = sums[ptrdiff_t{out_pixel} * shape.out_channels + n];
      for (int32_t c = 0; c < shape.channels; ++c) sum += x[pixel * pixel_stride + c] * row[c];
    }
  });
  return narrowed(sums);
}

}  // namespace tidbit::test
