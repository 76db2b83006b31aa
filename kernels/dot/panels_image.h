// Packing images for the loops over panels; for the files of SIMD tiers alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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

template <class Mode, class Value>
void pack_panels_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                       int32_t row_end, std::byte* packed) noexcept {
  const Panels panels = dot::panels(problem, kForm<Mode>);
  const ConvolutionShape& shape = problem.shape;
  const int32_t covered = shape.covered_width();
  const int32_t left = smaller(shape.window.pad_left, covered);
  const int32_t inside = smaller(shape.width, covered - left);
  const auto channels = static_cast<size_t>(shape.channels);
  const size_t pixel = panels.image.pixel_bytes / sizeof(Value);
  const bool dense = pixel == channels && pixel_stride == shape.channels;
  const size_t slack = panels.image.row_bytes - covered * panels.image.pixel_bytes;
  for (int32_t row = row_begin; row < row_end; ++row) {
    auto* out = reinterpret_cast<Value*>(packed + static_cast<size_t>(row) * panels.image.row_bytes);
    std::memset(out + covered * pixel, 0, slack);
    const int32_t y = row - shape.window.pad_top;
    if (y < 0 || y >= shape.height) {
      fill(out, covered * pixel, panels.padding);
      continue;
    }
    fill(out, left * pixel, panels.padding);
    out += left * pixel;
    const uint8_t* in = codes + ptrdiff_t{y} * shape.width * pixel_stride;
    if (dense) {
      pack_codes(in, inside * channels, panels.a, out);
    } else {
      for (int32_t x = 0; x < inside; ++x) {
        pack_codes(in + x * pixel_stride, channels, panels.a, out + x * pixel);
        fill(out + x * pixel + channels, pixel - channels, 0);
      }
    }
    fill(out + inside * pixel, (covered - left - inside) * pixel, panels.padding);
  }
}

}  // namespace
}  // namespace tidbit::kernels::dot
