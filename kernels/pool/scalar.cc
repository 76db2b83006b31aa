// Pooling in portable C++.
#include "kernels/pool/tiers.h"
#include "kernels/taps.h"

namespace tidbit::kernels::pool_tiers {
namespace {

template <class Element>
void max_of_windows(const ConvolutionShape& shape, const Element* in, int32_t pixel_begin, int32_t pixel_count,
                    Element lowest, Element* out) {
  const ptrdiff_t channels = shape.channels;
  for (int32_t p = 0; p < pixel_count; ++p, out += channels) {
    for (ptrdiff_t c = 0; c < channels; ++c) out[c] = lowest;
    for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
      const Element* x = in + pixel * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) out[c] = out[c] < x[c] ? x[c] : out[c];
    });
  }
}

void max_codes(const ConvolutionShape& shape, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
               uint8_t* out) noexcept {
  max_of_windows(shape, in, pixel_begin, pixel_count, uint8_t{0}, out);
}

void max_reals(const ConvolutionShape& shape, const float* in, int32_t pixel_begin, int32_t pixel_count,
               float* out) noexcept {
  max_of_windows(shape, in, pixel_begin, pixel_count, -__builtin_inff(), out);
}

void sum_codes(const ConvolutionShape& shape, const Grid& grid, const uint8_t* in, int32_t pixel_begin,
               int32_t pixel_count, int32_t* sums) noexcept {
  const ptrdiff_t channels = shape.channels;
  const int32_t step = grid.step, base = grid.base;
  for (int32_t p = 0; p < pixel_count; ++p, sums += channels) {
    for (ptrdiff_t c = 0; c < channels; ++c) sums[c] = 0;
    for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
      const uint8_t* x = in + pixel * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) sums[c] += step * x[c] + base;
    });
  }
}

}  // namespace

constinit const Tier kScalar = {max_codes, max_reals, sum_codes};

}  // namespace tidbit::kernels::pool_tiers
