// The tiers of depthwise convolution.
#pragma once

#include "kernels/depthwise/depthwise.h"

namespace tidbit::kernels::depthwise_tiers {

struct Tier {
  uint64_t (*weight_bytes)(const DepthwiseProblem&) noexcept;
  void (*pack_weights)(const DepthwiseProblem&, const uint8_t* codes, std::byte* packed) noexcept;
  void (*run)(const DepthwiseProblem&, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
              int32_t pixel_count, int32_t* sums) noexcept;
};

// One table a tier, each defined by the file of its name; in the order of the chain.
extern const Tier kScalar;
#if defined(__x86_64__)
extern const Tier kAvx2;
extern const Tier kAvx512;
extern const Tier kAvx512Vnni;
constexpr const Tier* kTiers[] = {&kScalar, &kAvx2, &kAvx512, &kAvx512Vnni};
#elif defined(__aarch64__) || defined(__arm__)
extern const Tier kNeon;
constexpr const Tier* kTiers[] = {&kScalar, &kNeon};
#else
constexpr const Tier* kTiers[] = {&kScalar};
#endif

}  // namespace tidbit::kernels::depthwise_tiers
