// The threads of a session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include "runtime/workers.h"

namespace tidbit::internal {

class Threads {
 public:
  /// `count` threads, the caller's among them. Throws Failure.
  explicit Threads(size_t count);
  /// Uses the application's pthreadpool_t.
  explicit Threads(void* pool);

  size_t count() const { return count_; }
  /// A pthreadpool_t of as many threads, for who needs one: made when it is first asked for, null for one thread.
  /// Throws Failure.
  void* pool();

  /// Calls body(index, thread) for every index below `count`, in any order, and returns when all are done. No two calls
  /// at a time have the same `thread`, which is below this->count(). Allocates nothing.
  template <class Body>
  void parallel_for(size_t count, const Body& body) const noexcept {
    run(
        count, [](const void* context, size_t i, size_t thread) { (*static_cast<const Body*>(context))(i, thread); },
        &body);
  }

  /// Calls body(begin, end, thread) for ranges of at most `grain` that cover [0, count).
  template <class Body>
  void parallel_ranges(size_t count, size_t grain, const Body& body) const noexcept {
    parallel_for((count + grain - 1) / grain,
                 [&](size_t i, size_t thread) { body(i * grain, std::min(count, (i + 1) * grain), thread); });
  }

 private:
  void run(size_t count, Workers::Task task, const void* context) const noexcept;

  struct Destroy {
    void operator()(void* pool) const;
  };
  std::unique_ptr<Workers> workers_;      // null for one thread, and where the application has a pool
  std::unique_ptr<void, Destroy> owned_;  // the pool, if it was made here
  void* pool_ = nullptr;
  size_t count_;
};

}  // namespace tidbit::internal
