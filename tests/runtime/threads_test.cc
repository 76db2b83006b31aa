#include "runtime/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace tidbit::internal {
namespace {

TEST(Threads, VisitEveryIndexOnce) {
  for (const size_t count : {1u, 2u, 5u}) {
    const Threads threads(count);
    EXPECT_EQ(threads.count(), count);
    for (const size_t indices : {0u, 1u, 2u, 3u, 1000u}) {
      std::vector<std::atomic<int>> visits(indices);
      threads.parallel_for(indices, [&](size_t i, size_t) { ++visits[i]; });
      for (const std::atomic<int>& visit : visits) EXPECT_EQ(visit, 1);
    }
  }
}

TEST(Threads, NeverShareAThreadNumber) {
  const Threads threads(4);
  std::vector<std::atomic<int>> users(threads.count());
  std::atomic<bool> shared = false;
  threads.parallel_for(10000, [&](size_t, size_t thread) {
    if (users[thread]++ != 0) shared = true;
    --users[thread];
  });
  EXPECT_FALSE(shared);
}

TEST(Threads, RangesCoverAll) {
  const Threads threads(3);
  for (const size_t grain : {1u, 7u, 100u, 1000u}) {
    std::vector<std::atomic<int>> visits(100);
    threads.parallel_ranges(visits.size(), grain, [&](size_t begin, size_t end, size_t) {
      EXPECT_LE(end - begin, grain);
      for (size_t i = begin; i < end; ++i) ++visits[i];
    });
    for (const std::atomic<int>& visit : visits) EXPECT_EQ(visit, 1);
  }
}

}  // namespace
}  // namespace tidbit::internal
