// Threads that help with loops.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace tidbit::internal {

/// A loop is over when its indices are: the caller waits for nobody but who still works on one. A worker that the
/// system does not let run in time is not missed, so on a busy machine help may fail to come, but costs nothing.
///
/// Each thread has its share of the indices, neighbours, and takes those of others when it has done its own. So the
/// loops of a network give a thread the same part of the images again, which its core's cache still holds.
class Workers {
 public:
  /// As many threads besides the caller's. Throws std::system_error.
  explicit Workers(size_t count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  using Task = void (*)(const void* context, size_t index, size_t thread);
  /// Calls task(context, index, thread) for every index below `count`, the caller as thread 0. For one caller at a
  /// time.
  void run(size_t count, Task task, const void* context) noexcept;

 private:
  void work(size_t thread) noexcept;
  void help(size_t thread) noexcept;
  void stop() noexcept;

  /// Indices that nobody has taken yet.
  struct alignas(64) Share {
    std::atomic<size_t> next = 0;
    size_t end = 0;
  };

  Task task_ = nullptr;
  const void* context_ = nullptr;
  bool stopping_ = false;
  std::vector<Share> shares_;  // of the caller and each worker
  std::vector<std::thread> threads_;

  // On cache lines of their own.
  alignas(64) std::atomic<uint32_t> turn_ = 0;    // odd while a loop is open to workers
  alignas(64) std::atomic<uint32_t> inside_ = 0;  // workers that may look at the loop
};

}  // namespace tidbit::internal
