#include "kernels/epilogue/epilogue.h"

#include <cstddef>

#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels {
namespace {

const epilogue_tiers::Tier& tier(Isa isa) {
  using namespace epilogue_tiers;
#if defined(__x86_64__)
  static constexpr const Tier* kTiers[] = {&kScalar, &kAvx2, &kAvx512, &kAvx512};  // in the order of Isa
  return *kTiers[static_cast<size_t>(isa)];
#elif defined(__aarch64__) || defined(__arm__)
  return isa == Isa::Scalar ? kScalar : kNeon;
#else
  static_cast<void>(isa);
  return kScalar;
#endif
}

}  // namespace

void apply(const Epilogue& epilogue, const EpilogueBlock<int32_t>& block, Isa isa) noexcept {
  tier(isa).of_integers(epilogue, block);
}

void apply(const Epilogue& epilogue, const EpilogueBlock<double>& block, Isa isa) noexcept {
  tier(isa).of_doubles(epilogue, block);
}

void apply(const Epilogue& epilogue, const EpilogueBlock<float>& block, Isa isa) noexcept {
  tier(isa).of_floats(epilogue, block);
}

}  // namespace tidbit::kernels
