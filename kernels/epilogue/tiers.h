// The tiers of the epilogues. All give the same bytes: each operation is rounded on its own, in the formula's order.
#pragma once

#include "kernels/epilogue/epilogue.h"

namespace tidbit::kernels::epilogue_tiers {

struct Tier {
  void (*of_integers)(const Epilogue&, const EpilogueBlock<int32_t>&) noexcept;
  void (*of_doubles)(const Epilogue&, const EpilogueBlock<double>&) noexcept;
  void (*of_floats)(const Epilogue&, const EpilogueBlock<float>&) noexcept;
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

}  // namespace tidbit::kernels::epilogue_tiers
