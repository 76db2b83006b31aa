#include "kernels/packed_image.h"

#include <algorithm>

namespace tidbit::kernels {
namespace {

constexpr int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr int32_t kLeastRow = 3;  // pixels: shorter rows are no blocks of their own

/// Windows along one axis.
struct Axis {
  int32_t size, stride, pad, taps, dilation;
};

Axis vertical(const ConvolutionShape& shape) {
  const Window& w = shape.window;
  return {shape.height, w.stride_height, w.pad_top, w.kernel_height, w.dilation_height};
}

Axis horizontal(const ConvolutionShape& shape) {
  const Window& w = shape.window;
  return {shape.width, w.stride_width, w.pad_left, w.kernel_width, w.dilation_width};
}

/// How many taps of the window at `at` lie before the image, and before its end.
int32_t taps_below(const Axis& axis, int32_t at, int64_t position) {
  const int64_t distance = position + axis.pad - int64_t{at} * axis.stride;
  return static_cast<int32_t>(std::clamp<int64_t>((distance + axis.dilation - 1) / axis.dilation, 0, axis.taps));
}
int32_t taps_before(const Axis& axis, int32_t at) { return taps_below(axis, at, 0); }
int32_t taps_inside(const Axis& axis, int32_t at) { return taps_below(axis, at, axis.size); }

/// The share of the taps of `count` windows that lie inside.
double share_inside(const Axis& axis, int32_t count) {
  int64_t inside = 0;
  for (int64_t tap = 0; tap < axis.taps; ++tap) {
    const int64_t before = axis.pad - tap * axis.dilation;  // window w reads w*stride - before
    const int64_t begin = std::clamp<int64_t>((before + axis.stride - 1) / axis.stride, 0, count);
    const int64_t past = before + axis.size;
    const int64_t end = past <= 0 ? 0 : std::clamp<int64_t>((past + axis.stride - 1) / axis.stride, 0, count);
    inside += std::max<int64_t>(0, end - begin);
  }
  return static_cast<double>(inside) / static_cast<double>(int64_t{axis.taps} * count);
}

}  // namespace

PackedImage packed_image(const ConvolutionShape& shape, int32_t lines, size_t pixel_bytes, size_t read_bytes) {
  const Window& window = shape.window;
  const bool contiguous = window.dilation_width == 1 || window.kernel_width == 1;
  const int32_t run_taps = contiguous ? window.kernel_width : 1;
  const size_t run_bytes = static_cast<size_t>(run_taps) * pixel_bytes;
  const size_t overread = (read_bytes - run_bytes % read_bytes) % read_bytes;
  const int32_t row_step = window.kernel_height == 1 ? window.stride_height : 1;
  const int32_t column_step = window.kernel_width == 1 ? window.stride_width : 1;
  const int64_t rows = quotient_up(shape.covered_height(), row_step);
  const int64_t columns = quotient_up(shape.covered_width(), column_step);
  const int64_t left_pad = std::min(quotient_up(window.pad_left, column_step), columns);
  const int64_t first_inside = std::min<int64_t>(left_pad * column_step - window.pad_left, shape.width);
  const int64_t inside = std::min(quotient_up(shape.width - first_inside, column_step), columns - left_pad);
  const size_t line_bytes = static_cast<size_t>(columns) * pixel_bytes + overread;
  const size_t row_bytes = static_cast<size_t>(lines) * line_bytes;
  return {
      .pixel_bytes = pixel_bytes,
      .line_bytes = line_bytes,
      .row_bytes = row_bytes,
      .bytes = static_cast<size_t>(rows) * row_bytes,
      .row_step = row_step,
      .column_step = column_step,
      .columns = static_cast<int32_t>(columns),
      .left_pad = static_cast<int32_t>(left_pad),
      .inside = static_cast<int32_t>(inside),
      .first_inside = static_cast<int32_t>(first_inside),
      .kernel_rows = window.kernel_height,
      .row_runs = window.kernel_width / run_taps,
      .run_taps = run_taps,
      .run_bytes = run_bytes,
      .kernel_row_step = static_cast<size_t>(window.dilation_height) * row_bytes,
      .run_step = static_cast<size_t>(window.dilation_width) * pixel_bytes,
      .out_width = shape.out_width,
      .out_row_step = static_cast<size_t>(window.stride_height / row_step) * row_bytes,
      .out_pixel_step = static_cast<size_t>(window.stride_width / column_step) * pixel_bytes,
  };
}

int32_t pixel_blocks(const ConvolutionShape& shape, int32_t begin, int32_t count, int32_t most, bool by_rows,
                     PixelBlock* blocks) noexcept {
  const Window& window = shape.window;
  if (shape.out_width < kLeastRow) by_rows = false;
  int32_t number = 0;
  for (int32_t first = 0; first < count;) {
    const int32_t y = (begin + first) / shape.out_width, x = (begin + first) % shape.out_width;
    const int32_t end = by_rows ? std::min(count, first + shape.out_width - x) : count;
    const int32_t row_begin = by_rows ? taps_before(vertical(shape), y) : 0;
    const int32_t row_end = by_rows ? taps_inside(vertical(shape), y) : window.kernel_height;
    int32_t left = end - first;
    for (int32_t parts = (left + most - 1) / most; parts > 0; --parts) {
      const int32_t pixels = (left + parts - 1) / parts, at = x + end - first - left;
      blocks[number++] = {.first = end - left,
                          .pixels = pixels,
                          .row_begin = std::min(row_begin, row_end),
                          .row_end = row_end,
                          .tap_begin = by_rows ? taps_before(horizontal(shape), at) : 0,
                          .tap_end = by_rows ? taps_inside(horizontal(shape), at + pixels - 1) : window.kernel_width};
      left -= pixels;
    }
    first = end;
  }
  return number;
}

InsideShare inside_share(const ConvolutionShape& shape) noexcept {
  if (!shape.window.padded()) return {1, 1};
  return {share_inside(vertical(shape), shape.out_height), share_inside(horizontal(shape), shape.out_width)};
}

}  // namespace tidbit::kernels
