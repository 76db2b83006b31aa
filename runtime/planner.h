// Places regions with lifetimes in one arena.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tidbit::internal {

/// Memory in use from step `first` to step `last`, both included.
struct Region {
  uint64_t bytes;
  int32_t first, last;
};

struct Plan {
  std::vector<uint64_t> offsets;  // of each region, multiples of 64
  uint64_t bytes = 0;             // of the arena
};

/// Greedy by size: the largest region first, each at the lowest offset that no region alive at the same time uses.
Plan plan_arena(std::span<const Region> regions);

}  // namespace tidbit::internal
