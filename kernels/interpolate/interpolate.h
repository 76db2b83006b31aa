// Bilinear interpolation between codes.
#pragma once

#include <cstdint>

#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

/// A pixel between four pixels of codes, of which real = scale*v.
struct Between {
  const uint8_t *top_left, *top_right, *bottom_left, *bottom_right;
  double across, down;  // weights of the right and of the bottom
};

/// out[c] = between(between(top_left, top_right, across), between(bottom_left, bottom_right, across), down) of each
/// channel, in float64, where between(p, q, w) = p*(1 - w) + q*w, each operation rounded.
void interpolate(const Between&, const Grid&, double scale, int32_t channels, double* out,
                 Isa isa = host_isa()) noexcept;

}  // namespace tidbit::kernels
