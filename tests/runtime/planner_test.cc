#include "runtime/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tidbit::internal {
namespace {

TEST(Planner, ReusesMemoryOfTheDead) {
  const std::vector<Region> regions = {{1024, 0, 1}, {1024, 1, 2}, {1024, 2, 3}};
  const Plan plan = plan_arena(regions);
  EXPECT_EQ(plan.bytes, 2048u);
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
}

TEST(Planner, PlacesTheLargestFirst) {
  const std::vector<Region> regions = {{64, 0, 0}, {640, 0, 0}, {128, 0, 0}};
  EXPECT_EQ(plan_arena(regions).offsets, (std::vector<uint64_t>{768, 0, 640}));
}

TEST(Planner, FillsAGap) {
  // The third lies between the others' times, and fits below the second only while the first is dead.
  const std::vector<Region> regions = {{256, 0, 1}, {192, 0, 3}, {128, 2, 3}};
  EXPECT_EQ(plan_arena(regions).offsets, (std::vector<uint64_t>{0, 256, 0}));
}

TEST(Planner, TakesNothing) {
  EXPECT_EQ(plan_arena({}).bytes, 0u);
  const std::vector<Region> empty = {{0, 0, 5}, {0, 2, 2}};
  EXPECT_EQ(plan_arena(empty).bytes, 0u);
}

TEST(Planner, CountsBeyond32Bits) {
  const std::vector<Region> regions = {{uint64_t{5} << 30, 0, 0}, {uint64_t{5} << 30, 0, 0}};
  EXPECT_EQ(plan_arena(regions).bytes, uint64_t{10} << 30);
}

TEST(Planner, NeverOverlapsWhatLivesTogether) {
  std::mt19937 random(7);
  const auto below = [&](uint32_t limit) { return random() % limit; };
  for (int round = 0; round < 500; ++round) {
    std::vector<Region> regions(1 + below(40));
    uint64_t total = 0, largest_step = 0;
    for (Region& region : regions) {
      const auto first = static_cast<int32_t>(below(20));
      region = {below(5) == 0 ? 0 : 1 + below(1000), first, first + static_cast<int32_t>(below(8))};
      total += (region.bytes + 63) / 64 * 64;
    }
    for (int32_t step = 0; step < 28; ++step) {
      uint64_t alive = 0;
      for (const Region& r : regions) alive += r.first <= step && step <= r.last ? (r.bytes + 63) / 64 * 64 : 0;
      largest_step = std::max(largest_step, alive);
    }
    const Plan plan = plan_arena(regions);
    EXPECT_LE(plan.bytes, total);
    EXPECT_GE(plan.bytes, largest_step);
    for (size_t i = 0; i < regions.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % 64, 0u);
      EXPECT_LE(plan.offsets[i] + regions[i].bytes, plan.bytes);
      for (size_t j = 0; j < i; ++j) {
        const bool together = regions[i].first <= regions[j].last && regions[j].first <= regions[i].last;
        const bool apart = plan.offsets[i] + regions[i].bytes <= plan.offsets[j] ||
                           plan.offsets[j] + regions[j].bytes <= plan.offsets[i];
        EXPECT_TRUE(!together || apart) << "round " << round << ": " << i << " and " << j;
      }
    }
  }
}

}  // namespace
}  // namespace tidbit::internal
