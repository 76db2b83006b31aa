// Depthwise convolution: one filter a channel, exact int32 sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/convolution.h"
#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

struct DepthwiseProblem {
  ConvolutionShape shape;  // out_channels == channels
  Grid weights;
  Grid activations;
};

/// The size of packed weights, which depends on the tier but not on the image.
uint64_t depthwise_weight_bytes(const DepthwiseProblem&, Isa isa = host_isa()) noexcept;

/// Packs codes [tap][channel] into `packed`, which is 64-byte aligned.
void pack_depthwise_weights(const DepthwiseProblem&, const uint8_t* codes, std::byte* packed,
                            Isa isa = host_isa()) noexcept;

/// Padding is the real value 0, on the grid or not: a tap outside the image is skipped.
/// codes: [height][width][channels], none beyond the grid; weights: packed for the same tier.
/// Sums of output pixels [pixel_begin, pixel_begin + pixel_count) go to sums [pixel][channel].
void depthwise(const DepthwiseProblem&, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
               int32_t pixel_count, int32_t* sums, Isa isa = host_isa()) noexcept;

}  // namespace tidbit::kernels
