#include "runtime/workers.h"

#include <chrono>

namespace tidbit::internal {
namespace {

/// How long a worker stays awake for the next loop: longer than what lies between the loops of a network, and than it
/// takes to be woken up.
constexpr std::chrono::microseconds kAwake{100};
constexpr int kPauses = 64;  // between looks at the clock

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield");
#endif
}

bool is_open(uint32_t turn) { return turn % 2 == 1; }

/// Until a turn other than `last` is open.
void wait_for_loop(const std::atomic<uint32_t>& turn, uint32_t last) {
  using Clock = std::chrono::steady_clock;
  uint32_t now = turn.load();
  const auto wanted = [&] { return now != last && is_open(now); };
  const Clock::time_point end = Clock::now() + kAwake;
  while (!wanted() && Clock::now() < end) {
    for (int i = 0; i < kPauses && !wanted(); ++i) {
      pause();
      now = turn.load();
    }
  }
  while (!wanted()) {
    turn.wait(now);
    now = turn.load();
  }
}

}  // namespace

Workers::Workers(size_t count) : shares_(count + 1) {
  try {
    for (size_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { help(i + 1); });
  } catch (...) {
    stop();
    throw;
  }
}

Workers::~Workers() { stop(); }

void Workers::stop() noexcept {
  stopping_ = true;
  ++turn_;
  turn_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(size_t count, Task task, const void* context) noexcept {
  task_ = task;
  context_ = context;
  for (size_t i = 0, begin = 0; i < shares_.size(); ++i) {
    shares_[i].next.store(begin, std::memory_order_relaxed);
    begin += (count - begin) / (shares_.size() - i);
    shares_[i].end = begin;
  }
  ++turn_;
  turn_.notify_all();
  work(0);
  // Who comes in from here on finds it closed; who came in before is seen here.
  ++turn_;
  for (int i = 0; inside_.load() != 0; ++i) {
    if (i < kPauses * kPauses) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void Workers::work(size_t thread) noexcept {
  for (size_t i = 0; i < shares_.size(); ++i) {
    Share& share = shares_[(thread + i) % shares_.size()];
    for (size_t index = share.next++; index < share.end; index = share.next++) task_(context_, index, thread);
  }
}

void Workers::help(size_t thread) noexcept {
  for (uint32_t last = 0;;) {
    wait_for_loop(turn_, last);
    ++inside_;
    last = turn_.load();
    const bool open = is_open(last);
    if (open && !stopping_) work(thread);
    --inside_;
    if (open && stopping_) return;
  }
}

}  // namespace tidbit::internal
