#include "kernels/packed_image.h"

#include <algorithm>

namespace tidbit::kernels {

PackedImage packed_image(const ConvolutionShape& shape, int32_t lines, size_t pixel_bytes, size_t read_bytes) {
  const Window& window = shape.window;
  const bool contiguous = window.dilation_width == 1 || window.kernel_width == 1;
  const int32_t run_taps = contiguous ? window.kernel_width : 1;
  const size_t run_bytes = static_cast<size_t>(run_taps) * pixel_bytes;
  const size_t overread = (read_bytes - run_bytes % read_bytes) % read_bytes;
  const size_t line_bytes = static_cast<size_t>(shape.covered_width()) * pixel_bytes + overread;
  const size_t row_bytes = static_cast<size_t>(lines) * line_bytes;
  return {
      .pixel_bytes = pixel_bytes,
      .line_bytes = line_bytes,
      .row_bytes = row_bytes,
      .bytes = static_cast<size_t>(shape.covered_height()) * row_bytes,
      .kernel_rows = window.kernel_height,
      .row_runs = window.kernel_width / run_taps,
      .run_taps = run_taps,
      .run_bytes = run_bytes,
      .kernel_row_step = static_cast<size_t>(window.dilation_height) * row_bytes,
      .run_step = static_cast<size_t>(window.dilation_width) * pixel_bytes,
      .out_width = shape.out_width,
      .out_row_step = static_cast<size_t>(window.stride_height) * row_bytes,
      .out_pixel_step = static_cast<size_t>(window.stride_width) * pixel_bytes,
  };
}

Reach reach(const ConvolutionShape& shape, int32_t y, int32_t x) noexcept {
  const Window& window = shape.window;
  Reach reach = {};
  // Tap t reads begin + t*step of an axis of `size`.
  const auto set = [](int64_t begin, int32_t step, int32_t taps, int32_t size, int32_t& first, int32_t& end) {
    const int64_t below = begin < 0 ? (step - 1 - begin) / step : 0;
    const int64_t beyond = begin < size ? (size - begin + step - 1) / step : 0;
    end = static_cast<int32_t>(std::min<int64_t>(taps, beyond));
    first = static_cast<int32_t>(below);
    if (below >= end) first = end = 0;
  };
  set(int64_t{y} * window.stride_height - window.pad_top, window.dilation_height, window.kernel_height, shape.height,
      reach.row_begin, reach.row_end);
  set(int64_t{x} * window.stride_width - window.pad_left, window.dilation_width, window.kernel_width, shape.width,
      reach.tap_begin, reach.tap_end);
  return reach;
}

}  // namespace tidbit::kernels
