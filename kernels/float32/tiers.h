// The tiers of convolution in float32.
#pragma once

#include "kernels/float32/convolution.h"

namespace tidbit::kernels::float32_tiers {

// One kernel a tier, each defined by the file of its name; in the order of the chain. Where there is none, XNNPACK is
// as good: it has kernels written for each ARM core.
#if defined(__x86_64__)
extern const Float32Kernel kAvx2;
extern const Float32Kernel kAvx512;
constexpr const Float32Kernel* kTiers[] = {nullptr, &kAvx2, &kAvx512};
#else
constexpr const Float32Kernel* kTiers[] = {nullptr};
#endif

}  // namespace tidbit::kernels::float32_tiers
