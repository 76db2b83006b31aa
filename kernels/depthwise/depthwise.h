// Depthwise convolution: one filter a channel, exact int32 sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/convolution.h"
#include "schema/grid.h"

namespace tidbit::kernels {

struct DepthwiseProblem {
  ConvolutionShape shape;  // out_channels == channels
  Grid weights;
  Grid activations;
};

/// Padding is the real value 0, on the grid or not: a tap outside the image is skipped.
/// codes: [height][width][channels]; weight_codes: [tap][channel].
/// Sums of output pixels [pixel_begin, pixel_begin + pixel_count) go to sums [pixel][channel].
void depthwise(const DepthwiseProblem&, const uint8_t* codes, const uint8_t* weight_codes, int32_t pixel_begin,
               int32_t pixel_count, int32_t* sums) noexcept;

}  // namespace tidbit::kernels
