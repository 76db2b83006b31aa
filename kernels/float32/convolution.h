// Convolution of reals in float32, for layers whose results no quantizer sees. kernels/real is for the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/convolution.h"
#include "kernels/isa.h"

namespace tidbit::kernels {

/// What one call computes: pixels x the channels of a panel, for one group.
struct Float32Tile {
  const ConvolutionShape* shape;
  const float* in;         // [height][width][.], the group's channels first
  ptrdiff_t pixel_stride;  // elements between pixels of `in`
  const float* panel;      // packed weights of this panel
  int32_t channel_count;   // that it has
  int32_t pixel_begin, pixel_count;
  float lowest, highest;  // what results are clamped to; NaN stays
  float* out;             // the first result; [pixel][channel]
  ptrdiff_t out_stride;   // elements between pixels
};

/// Of a tier. Packed weights are panels of `panel_channels` output channels, each of packed_panel() floats: the biases
/// [channel], then the weights [tap][channel of the input][channel], zero filled past the last channel.
struct Float32Kernel {
  std::string_view name;
  int32_t panel_channels;
  int32_t most_pixels;  // of a call: weights are read anew for each
  void (*run)(const Float32Tile&) noexcept;

  constexpr size_t packed_panel(const ConvolutionShape& shape) const {
    return (static_cast<size_t>(shape.depth()) + 1) * static_cast<size_t>(panel_channels);
  }
};

/// The kernel of `isa`, or of the tier below it; null where there is none.
const Float32Kernel* float32_kernel(Isa isa = host_isa());

/// Packs a panel of `channel_count` channels from weights [channel][tap][channel of the input].
void pack_float32_panel(const Float32Kernel&, const ConvolutionShape&, const float* weights, const float* biases,
                        int32_t channel_count, float* packed) noexcept;

}  // namespace tidbit::kernels
