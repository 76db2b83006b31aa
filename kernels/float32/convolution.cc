#include "kernels/float32/convolution.h"

#include <algorithm>

#include "kernels/float32/tiers.h"

namespace tidbit::kernels {

const Float32Kernel* float32_kernel(Isa isa) { return tier_of(isa, float32_tiers::kTiers); }

void pack_float32_panel(const Float32Kernel& kernel, const ConvolutionShape& shape, const float* weights,
                        const float* biases, int32_t channel_count, float* packed) noexcept {
  const int32_t width = kernel.panel_channels;
  const auto depth = static_cast<ptrdiff_t>(shape.depth());
  std::fill_n(packed, kernel.packed_panel(shape), 0.0f);
  std::copy_n(biases, channel_count, packed);
  packed += width;
  // Lines of packed weights are written while they are in L1.
  constexpr ptrdiff_t kTurned = 128;
  for (ptrdiff_t begin = 0; begin < depth; begin += kTurned) {
    const ptrdiff_t end = std::min(depth, begin + kTurned);
    for (int32_t c = 0; c < channel_count; ++c) {
      for (ptrdiff_t k = begin; k < end; ++k) packed[k * width + c] = weights[c * depth + k];
    }
  }
}

}  // namespace tidbit::kernels
