#include "kernels/depthwise/depthwise.h"

#include "kernels/depthwise/tiers.h"

namespace tidbit::kernels {
namespace {

const depthwise_tiers::Tier& tier(Isa isa) { return *tier_of(isa, depthwise_tiers::kTiers); }

}  // namespace

uint64_t depthwise_weight_bytes(const DepthwiseProblem& problem, Isa isa) noexcept {
  return tier(isa).weight_bytes(problem);
}

void pack_depthwise_weights(const DepthwiseProblem& problem, const uint8_t* codes, std::byte* packed,
                            Isa isa) noexcept {
  tier(isa).pack_weights(problem, codes, packed);
}

void depthwise(const DepthwiseProblem& problem, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
               int32_t pixel_count, int32_t* sums, Isa isa) noexcept {
  tier(isa).run(problem, codes, weights, pixel_begin, pixel_count, sums);
}

}  // namespace tidbit::kernels
