#include "runtime/threads.h"

#include <pthreadpool.h>

#include <atomic>

#include "runtime/failure.h"

namespace tidbit::internal {
namespace {

/// One parallel loop: each thread takes the next index until none is left.
struct Loop {
  void (*task)(const void* context, size_t index, size_t thread);
  const void* context;
  size_t count;
  std::atomic<size_t> next = 0;
};

void work(void* argument, size_t thread) {
  Loop& loop = *static_cast<Loop*>(argument);
  for (size_t i = loop.next++; i < loop.count; i = loop.next++) loop.task(loop.context, i, thread);
}

}  // namespace

Threads::Threads(size_t count) : count_(count) {
  if (count == 1) return;
  owned_.reset(pthreadpool_create(count));
  if (!owned_) throw Failure{StatusCode::OutOfMemory, text("cannot start ", count, " threads")};
  pool_ = owned_.get();
}

Threads::Threads(void* pool) : pool_(pool), count_(pthreadpool_get_threads_count(static_cast<pthreadpool_t>(pool))) {}

void Threads::Destroy::operator()(void* pool) const { pthreadpool_destroy(static_cast<pthreadpool_t>(pool)); }

void Threads::run(size_t count, Task task, const void* context) const noexcept {
  if (count_ == 1 || count == 1) {
    for (size_t i = 0; i < count; ++i) task(context, i, 0);
    return;
  }
  Loop loop{task, context, count};
  // Pool items are threads of ours: what pthreadpool calls an index is who may use which scratch. No flags: flushing
  // denormals would make results depend on the number of threads.
  pthreadpool_parallelize_1d(static_cast<pthreadpool_t>(pool_), work, &loop, std::min(count, count_), 0);
}

}  // namespace tidbit::internal
