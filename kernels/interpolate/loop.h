// The loop over a pixel's channels, which the compiler vectorizes for the flags of the file that includes it.
#pragma once

#include "kernels/interpolate/tiers.h"

namespace tidbit::kernels::interpolate_tiers {
namespace {

void of_codes(const Between& pixel, const Grid& grid, double scale, int32_t channels, double* __restrict out) noexcept {
  const uint8_t *const top_left = pixel.top_left, *const top_right = pixel.top_right;
  const uint8_t *const bottom_left = pixel.bottom_left, *const bottom_right = pixel.bottom_right;
  const double right = pixel.across, left = 1 - right, bottom = pixel.down, top = 1 - bottom;
  const int32_t step = grid.step, base = grid.base;
  const auto real = [=](uint8_t code) { return scale * static_cast<double>(step * code + base); };
  for (int32_t c = 0; c < channels; ++c) {
    const double above = real(top_left[c]) * left + real(top_right[c]) * right;
    const double below = real(bottom_left[c]) * left + real(bottom_right[c]) * right;
    out[c] = above * top + below * bottom;
  }
}

}  // namespace
}  // namespace tidbit::kernels::interpolate_tiers
