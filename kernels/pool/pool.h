// Pooling over [height][width][channels].
#pragma once

#include <cstdint>

#include "kernels/convolution.h"
#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

/// Maximum of the taps inside the image, passing over NaN. All functions write output pixels [pixel_begin,
/// pixel_begin + pixel_count), [pixel][channel], from the start of `out`. Every window must touch the image.
void max_pool(const ConvolutionShape&, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count, uint8_t* out,
              Isa isa = host_isa()) noexcept;
void max_pool(const ConvolutionShape&, const float* in, int32_t pixel_begin, int32_t pixel_count, float* out,
              Isa isa = host_isa()) noexcept;

/// Sums of v = step*u + base over the taps inside the image (padding is the real value 0).
void sum_pool(const ConvolutionShape&, const Grid&, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
              int32_t* sums, Isa isa = host_isa()) noexcept;

/// Means over all taps (`count_padding`) or over those inside the image, summed in float64.
void average_pool(const ConvolutionShape&, bool count_padding, const float* in, int32_t pixel_begin,
                  int32_t pixel_count, float* out) noexcept;

}  // namespace tidbit::kernels
