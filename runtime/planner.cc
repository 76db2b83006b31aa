#include "runtime/planner.h"

#include <algorithm>
#include <numeric>

#include "runtime/sizes.h"

namespace tidbit::internal {

Plan plan_arena(std::span<const Region> regions) {
  std::vector<uint32_t> order(regions.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return regions[a].bytes > regions[b].bytes; });

  Plan plan{.offsets = std::vector<uint64_t>(regions.size())};
  std::vector<uint32_t> placed;  // by offset
  placed.reserve(regions.size());
  for (const uint32_t index : order) {
    const Region& region = regions[index];
    uint64_t offset = 0;
    for (const uint32_t other : placed) {
      const Region& neighbour = regions[other];
      if (neighbour.last < region.first || region.last < neighbour.first) continue;
      if (plan.offsets[other] >= offset + region.bytes) break;
      offset = std::max(offset, plan.offsets[other] + aligned(neighbour.bytes));
    }
    plan.offsets[index] = offset;
    plan.bytes = std::max(plan.bytes, offset + aligned(region.bytes));
    const auto place =
        std::ranges::upper_bound(placed, offset, {}, [&](uint32_t other) { return plan.offsets[other]; });
    placed.insert(place, index);
  }
  return plan;
}

}  // namespace tidbit::internal
