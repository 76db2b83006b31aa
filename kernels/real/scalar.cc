// Convolution of reals in portable C++.
#include "kernels/real/tiers.h"
#include "kernels/taps.h"

namespace tidbit::kernels::real_tiers {
namespace {

void convolution(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
                 int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                 ptrdiff_t sums_stride) noexcept {
  const ptrdiff_t tap_weights = ptrdiff_t{shape.channels} * kRealPanelChannels;
  for (int32_t p = 0; p < pixel_count; ++p, sums += sums_stride) {
    double totals[kRealPanelChannels] = {};
    for_each_tap(shape, pixel_begin + p, [&](int32_t tap, ptrdiff_t pixel) {
      const float* x = in + pixel * pixel_stride;
      const double* w = panel + tap * tap_weights;
      for (int32_t k = 0; k < shape.channels; ++k, w += kRealPanelChannels) {
        const double value = static_cast<double>(x[k]);
        for (int32_t c = 0; c < kRealPanelChannels; ++c) totals[c] += value * w[c];
      }
    });
    for (int32_t c = 0; c < channel_count; ++c) sums[c] = totals[c];
  }
}

void depthwise(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
               int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
               ptrdiff_t sums_stride) noexcept {
  for (int32_t p = 0; p < pixel_count; ++p, sums += sums_stride) {
    double totals[kRealPanelChannels] = {};
    for_each_tap(shape, pixel_begin + p, [&](int32_t tap, ptrdiff_t pixel) {
      const float* x = in + pixel * pixel_stride;
      const double* w = panel + ptrdiff_t{tap} * kRealPanelChannels;
      for (int32_t c = 0; c < channel_count; ++c) totals[c] += static_cast<double>(x[c]) * w[c];
    });
    for (int32_t c = 0; c < channel_count; ++c) sums[c] = totals[c];
  }
}

}  // namespace

constinit const Tier kScalar = {convolution, depthwise};

}  // namespace tidbit::kernels::real_tiers
