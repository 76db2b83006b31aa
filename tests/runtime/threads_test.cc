#include "runtime/threads.h"

#include <gtest/gtest.h>
#include <pthreadpool.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
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

/// Loops follow each other at once, and what they work on lives no longer than they do.
TEST(Threads, ManyShortLoopsEndBeforeTheyReturn) {
  const Threads threads(4);
  for (size_t loop = 0; loop < 50000; ++loop) {
    const size_t count = loop % 7;
    std::atomic<size_t> sum = 0;
    threads.parallel_for(count, [&](size_t i, size_t) { sum += i + 1; });
    ASSERT_EQ(sum, count * (count + 1) / 2);
  }
}

/// While the caller is at its first index, the worker begins with its own share, not with the caller's next index.
TEST(Threads, BeginWithSharesOfNeighbours) {
  using Clock = std::chrono::steady_clock;
  const Threads threads(2);
  const Clock::time_point end = Clock::now() + std::chrono::seconds(30);
  std::atomic<int> turn = 0;
  std::vector<std::atomic<int>> begun(8);
  threads.parallel_for(begun.size(), [&](size_t i, size_t) {
    begun[i] = ++turn;
    while (i == 0 && begun[4] == 0 && Clock::now() < end) std::this_thread::yield();
  });
  for (size_t i = 1; i < 4; ++i) EXPECT_LT(begun[4], begun[i]) << i;
}

/// Two indices that wait for each other: one thread alone would wait in vain.
bool meet(const Threads& threads) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(30);
  std::atomic<int> here = 0;
  std::atomic<bool> met = true;
  threads.parallel_for(2, [&](size_t, size_t) {
    for (++here; here != 2 && met; std::this_thread::yield()) {
      if (Clock::now() > end) met = false;
    }
  });
  return met;
}

TEST(Threads, HelpEvenAfterTheySlept) {
  const Threads threads(2);
  for (const int milliseconds : {0, 0, 20, 1, 20}) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    EXPECT_TRUE(meet(threads));
  }
}

TEST(Threads, UseTheApplicationsPool) {
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool_t)> pool(pthreadpool_create(3), pthreadpool_destroy);
  Threads threads(pool.get());
  EXPECT_EQ(threads.count(), 3U);
  EXPECT_EQ(threads.pool(), pool.get());
  EXPECT_TRUE(meet(threads));
}

TEST(Threads, MakeAPoolForOthers) {
  EXPECT_EQ(Threads(1).pool(), nullptr);
  Threads threads(3);
  ASSERT_NE(threads.pool(), nullptr);
  EXPECT_EQ(pthreadpool_get_threads_count(static_cast<pthreadpool_t>(threads.pool())), 3U);
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
