// The loops over channels, which the compiler vectorizes for the flags of the file that includes it.
#pragma once

#include "kernels/interpolate/tiers.h"

namespace tidbit::kernels::interpolate_tiers {
namespace {

void across(const Between& pixel, const Grid& grid, double scale, int32_t channels, double* __restrict out) noexcept {
  const uint8_t *const of_left = pixel.left, *const of_right = pixel.right;
  const double right = pixel.across, left = 1 - right;
  const int32_t step = grid.step, base = grid.base;
  const auto real = [=](uint8_t code) { return scale * static_cast<double>(step * code + base); };
  for (int32_t c = 0; c < channels; ++c) out[c] = real(of_left[c]) * left + real(of_right[c]) * right;
}

void down(const double* above, const double* below, double weight, int32_t count, double* __restrict out) noexcept {
  const double rest = 1 - weight;
  for (int32_t i = 0; i < count; ++i) out[i] = above[i] * rest + below[i] * weight;
}

}  // namespace
}  // namespace tidbit::kernels::interpolate_tiers
