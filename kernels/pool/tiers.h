// The tiers of pooling.
#pragma once

#include "kernels/pool/pool.h"

namespace tidbit::kernels::pool_tiers {

struct Tier {
  void (*max_codes)(const ConvolutionShape&, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
                    uint8_t* out) noexcept;
  void (*max_reals)(const ConvolutionShape&, const float* in, int32_t pixel_begin, int32_t pixel_count,
                    float* out) noexcept;
  void (*sum_codes)(const ConvolutionShape&, const Grid&, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
                    int32_t* sums) noexcept;
};

// One table a tier, each defined by the file of its name; in the order of the chain.
extern const Tier kScalar;
#if defined(__x86_64__)
extern const Tier kAvx2;
extern const Tier kAvx512;
constexpr const Tier* kTiers[] = {&kScalar, &kAvx2, &kAvx512};
#elif defined(__aarch64__) || defined(__arm__)
extern const Tier kNeon;
constexpr const Tier* kTiers[] = {&kScalar, &kNeon};
#else
constexpr const Tier* kTiers[] = {&kScalar};
#endif

}  // namespace tidbit::kernels::pool_tiers
