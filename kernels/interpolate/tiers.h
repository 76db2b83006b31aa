// The tiers of interpolation. All give the same bytes.
#pragma once

#include "kernels/interpolate/interpolate.h"

namespace tidbit::kernels::interpolate_tiers {

struct Tier {
  void (*across)(const Between&, const Grid&, double scale, int32_t channels, double* out) noexcept;
  void (*down)(const double* above, const double* below, double down, int32_t count, double* out) noexcept;
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

}  // namespace tidbit::kernels::interpolate_tiers
