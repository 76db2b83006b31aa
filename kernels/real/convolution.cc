#include "kernels/real/convolution.h"

#include "kernels/real/tiers.h"

namespace tidbit::kernels {
namespace {

const real_tiers::Tier& tier(Isa isa) { return *tier_of(isa, real_tiers::kTiers); }

}  // namespace

void real_convolution(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
                      int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                      ptrdiff_t sums_stride, Isa isa) noexcept {
  tier(isa).convolution(shape, in, pixel_stride, panel, channel_count, pixel_begin, pixel_count, sums, sums_stride);
}

void real_depthwise(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
                    int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                    ptrdiff_t sums_stride, Isa isa) noexcept {
  tier(isa).depthwise(shape, in, pixel_stride, panel, channel_count, pixel_begin, pixel_count, sums, sums_stride);
}

}  // namespace tidbit::kernels
