#include "kernels/depthwise/depthwise.h"

#include <algorithm>

#include "kernels/taps.h"

namespace tidbit::kernels {

void depthwise(const DepthwiseProblem& problem, const uint8_t* codes, const uint8_t* weight_codes, int32_t pixel_begin,
               int32_t pixel_count, int32_t* sums) noexcept {
  const ptrdiff_t channels = problem.shape.channels;
  const Grid weights = problem.weights, activations = problem.activations;
  for (int32_t p = 0; p < pixel_count; ++p, sums += channels) {
    std::fill_n(sums, channels, 0);
    for_each_tap(problem.shape, pixel_begin + p, [&](ptrdiff_t tap, ptrdiff_t pixel) {
      const uint8_t* x = codes + pixel * channels;
      const uint8_t* w = weight_codes + tap * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) sums[c] += activations.value(x[c]) * weights.value(w[c]);
    });
  }
}

}  // namespace tidbit::kernels
