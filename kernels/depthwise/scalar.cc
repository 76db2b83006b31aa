// Depthwise convolution in portable C++. Packed weights are the codes.
#include <cstring>

#include "kernels/depthwise/tiers.h"
#include "kernels/taps.h"

namespace tidbit::kernels::depthwise_tiers {
namespace {

uint64_t weight_bytes(const DepthwiseProblem& problem) noexcept {
  const Window& window = problem.shape.window;
  return uint64_t{static_cast<uint32_t>(window.kernel_height)} * window.kernel_width * problem.shape.channels;
}

void pack_weights(const DepthwiseProblem& problem, const uint8_t* codes, std::byte* packed) noexcept {
  std::memcpy(packed, codes, static_cast<size_t>(weight_bytes(problem)));
}

void run(const DepthwiseProblem& problem, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
         int32_t pixel_count, int32_t* sums) noexcept {
  const ptrdiff_t channels = problem.shape.channels;
  const Grid of_weights = problem.weights, of_codes = problem.activations;
  for (int32_t p = 0; p < pixel_count; ++p, sums += channels) {
    std::memset(sums, 0, channels * sizeof(int32_t));
    for_each_tap(problem.shape, pixel_begin + p, [&](ptrdiff_t tap, ptrdiff_t pixel) {
      const uint8_t* x = codes + pixel * channels;
      const auto* w = reinterpret_cast<const uint8_t*>(weights) + tap * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) {
        sums[c] += (of_codes.step * x[c] + of_codes.base) * (of_weights.step * w[c] + of_weights.base);
      }
    });
  }
}

}  // namespace

constinit const Tier kScalar = {weight_bytes, pack_weights, run};

}  // namespace tidbit::kernels::depthwise_tiers
