// The taps of a window that lie inside the image, for kernels that read it unpacked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/convolution.h"

namespace tidbit::kernels {

/// Calls visit(tap, pixel) for each tap of output pixel `out_pixel` that is inside the image, in (y, x) order: tap
/// counts the window's, pixel the image's.
template <class Visit>
void for_each_tap(const ConvolutionShape& shape, int32_t out_pixel, const Visit& visit) {
  const Window& window = shape.window;
  const int32_t top = out_pixel / shape.out_width * window.stride_height - window.pad_top;
  const int32_t left = out_pixel % shape.out_width * window.stride_width - window.pad_left;
  for (int32_t tap_y = 0; tap_y < window.kernel_height; ++tap_y) {
    const int32_t y = top + tap_y * window.dilation_height;
    if (y < 0 || y >= shape.height) continue;
    for (int32_t tap_x = 0; tap_x < window.kernel_width; ++tap_x) {
      const int32_t x = left + tap_x * window.dilation_width;
      if (x < 0 || x >= shape.width) continue;
      visit(tap_y * window.kernel_width + tap_x, ptrdiff_t{y} * shape.width + x);
    }
  }
}

}  // namespace tidbit::kernels
