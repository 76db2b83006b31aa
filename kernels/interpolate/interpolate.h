// Bilinear interpolation between codes.
#pragma once

#include <cstdint>

#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

// In float64: between(p, q, w) = p*(1 - w) + q*w, each operation rounded.

/// Neighbours in a row of codes, of which real = scale*v.
struct Between {
  const uint8_t *left, *right;
  double across;  // the weight of the right one
};

/// out[c] = between(left, right, across) of each channel.
void interpolate_across(const Between&, const Grid&, double scale, int32_t channels, double* out,
                        Isa isa = host_isa()) noexcept;

/// out[i] = between(above[i], below[i], down)
void interpolate_down(const double* above, const double* below, double down, int32_t count, double* out,
                      Isa isa = host_isa()) noexcept;

}  // namespace tidbit::kernels
