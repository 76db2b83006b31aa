#include "kernels/epilogue/epilogue.h"

#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels {
namespace {

const epilogue_tiers::Tier& tier(Isa isa) { return *tier_of(isa, epilogue_tiers::kTiers); }

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
