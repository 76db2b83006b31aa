#include "kernels/pool/pool.h"

#include <algorithm>
#include <cstddef>

#include "kernels/pool/tiers.h"
#include "kernels/taps.h"

namespace tidbit::kernels {
namespace {

const pool_tiers::Tier& tier(Isa isa) { return *tier_of(isa, pool_tiers::kTiers); }

}  // namespace

void max_pool(const ConvolutionShape& shape, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count, uint8_t* out,
              Isa isa) noexcept {
  tier(isa).max_codes(shape, in, pixel_begin, pixel_count, out);
}

void max_pool(const ConvolutionShape& shape, const float* in, int32_t pixel_begin, int32_t pixel_count, float* out,
              Isa isa) noexcept {
  tier(isa).max_reals(shape, in, pixel_begin, pixel_count, out);
}

void sum_pool(const ConvolutionShape& shape, const Grid& grid, const uint8_t* in, int32_t pixel_begin,
              int32_t pixel_count, int32_t* sums, Isa isa) noexcept {
  tier(isa).sum_codes(shape, grid, in, pixel_begin, pixel_count, sums);
}

void average_pool(const ConvolutionShape& shape, bool count_padding, const float* in, int32_t pixel_begin,
                  int32_t pixel_count, float* out) noexcept {
  constexpr int32_t kBlock = 64;  // channels summed at a time
  for (int32_t p = 0; p < pixel_count; ++p, out += shape.channels) {
    for (int32_t first = 0; first < shape.channels; first += kBlock) {
      const int32_t channels = std::min(kBlock, shape.channels - first);
      double sums[kBlock] = {};
      int32_t taps = 0;
      for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
        const float* x = in + pixel * shape.channels + first;
        for (int32_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(x[c]);
        ++taps;
      });
      if (count_padding) taps = shape.window.taps();
      for (int32_t c = 0; c < channels; ++c) out[first + c] = static_cast<float>(sums[c] / taps);
    }
  }
}

}  // namespace tidbit::kernels
