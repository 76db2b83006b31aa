// Packing images for the loops over panels; for the files of SIMD tiers alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/dot/panels_multiply.h"

namespace tidbit::kernels::dot {
namespace {

/// Codes to a.
template <class Value>
void pack_codes(const uint8_t* codes, size_t count, Line line, Value* a) {
  if (line.step == 1 && line.base == 0 && sizeof(Value) == 1) {
    std::memcpy(a, codes, count);
  } else if (line.step == 1) {
    for (size_t i = 0; i < count; ++i) a[i] = static_cast<Value>(codes[i] + line.base);
  } else {
    for (size_t i = 0; i < count; ++i)
      a[i] = static_cast<Value>(static_cast<int16_t>(line.step) * codes[i] + line.base);
  }
}

template <class Value>
void fill(Value* a, size_t count, int32_t value) {
  for (size_t i = 0; i < count; ++i) a[i] = static_cast<Value>(value);
}

/// What a tile runs on: the packed image, or the codes in its place.
template <class Mode>
Panels tile_panels(const GemmTile& tile) {
  Panels panels = dot::panels(*tile.problem, kForm<Mode>);
  if (panels.in_place) {
    const ConvolutionShape& shape = tile.problem->shape;
    const auto row_step = ptrdiff_t{shape.window.stride_height} * shape.width * tile.pixel_stride;
    panels.image.out_row_step = static_cast<size_t>(row_step);
    panels.image.out_pixel_step = static_cast<size_t>(shape.window.stride_width * tile.pixel_stride);
  }
  return panels;
}

template <class Mode>
void pack_panels_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                       int32_t row_end, std::byte* packed) noexcept {
  using Value = std::conditional_t<Mode::kValueBytes == 1, uint8_t, int16_t>;
  const Panels panels = dot::panels(problem, kForm<Mode>);
  if (panels.in_place) return;
  const ConvolutionShape& shape = problem.shape;
  const PackedImage& image = panels.image;
  const int32_t columns = image.columns, left = image.left_pad, inside = image.inside;
  const auto channels = static_cast<size_t>(shape.channels);
  const size_t pixel = image.pixel_bytes / sizeof(Value);
  const ptrdiff_t column_stride = image.column_step * pixel_stride;
  const bool dense = pixel == channels && column_stride == shape.channels;
  const size_t slack = image.row_bytes - columns * image.pixel_bytes;
  for (int32_t row = row_begin; row < row_end; ++row) {
    if (row % image.row_step != 0) continue;
    auto* out = reinterpret_cast<Value*>(packed + static_cast<size_t>(row / image.row_step) * image.row_bytes);
    std::memset(out + columns * pixel, 0, slack);
    const int32_t y = row - shape.window.pad_top;
    if (y < 0 || y >= shape.height) {
      fill(out, columns * pixel, panels.padding);
      continue;
    }
    fill(out, left * pixel, panels.padding);
    out += left * pixel;
    const uint8_t* in = codes + (ptrdiff_t{y} * shape.width + image.first_inside) * pixel_stride;
    if (dense) {
      pack_codes(in, inside * channels, panels.a, out);
    } else {
      for (int32_t x = 0; x < inside; ++x) {
        pack_codes(in + x * column_stride, channels, panels.a, out + x * pixel);
        fill(out + x * pixel + channels, pixel - channels, 0);
      }
    }
    fill(out + inside * pixel, (columns - left - inside) * pixel, panels.padding);
  }
}

}  // namespace
}  // namespace tidbit::kernels::dot
