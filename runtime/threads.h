// The threads of a session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

namespace tidbit::internal {

class Threads {
 public:
  /// Makes a pool of `count` threads, the caller's among them; none for one thread. Throws Failure.
  explicit Threads(size_t count);
  /// Uses the application's pthreadpool_t.
  explicit Threads(void* pool);

  size_t count() const { return count_; }
  /// The pthreadpool_t; may be null for one thread.
  void* pool() const { return pool_; }

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
  using Task = void (*)(const void* context, size_t index, size_t thread);
  void run(size_t count, Task task, const void* context) const noexcept;

  struct Destroy {
    void operator()(void* pool) const;
  };
  std::unique_ptr<void, Destroy> owned_;
  void* pool_ = nullptr;
  size_t count_ = 1;
};

}  // namespace tidbit::internal
