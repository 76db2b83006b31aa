// The tiers of convolution of reals.
#pragma once

#include "kernels/real/convolution.h"

namespace tidbit::kernels::real_tiers {

using Run = void(const ConvolutionShape&, const float* in, ptrdiff_t pixel_stride, const double* panel,
                 int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                 ptrdiff_t sums_stride) noexcept;

struct Tier {
  Run* convolution;
  Run* depthwise;
};

// One table a tier, each defined by the file of its name; in the order of the chain.
extern const Tier kScalar;
#if defined(__x86_64__)
extern const Tier kAvx2;
extern const Tier kAvx512;
constexpr const Tier* kTiers[] = {&kScalar, &kAvx2, &kAvx512};
#else
constexpr const Tier* kTiers[] = {&kScalar};
#endif

}  // namespace tidbit::kernels::real_tiers
