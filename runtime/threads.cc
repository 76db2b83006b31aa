#include "runtime/threads.h"

#include <pthreadpool.h>

#include <atomic>
#include <system_error>

#include "runtime/failure.h"

namespace tidbit::internal {
namespace {

/// A loop in the application's pool: each thread takes the next index until none is left.
struct Loop {
  Workers::Task task;
  const void* context;
  size_t count;
  std::atomic<size_t> next = 0;
};

void work(void* argument, size_t thread) {
  Loop& loop = *static_cast<Loop*>(argument);
  for (size_t i = loop.next++; i < loop.count; i = loop.next++) loop.task(loop.context, i, thread);
}

[[noreturn]] void fail_to_start(size_t count) {
  throw Failure{StatusCode::OutOfMemory, text("cannot start ", count, " threads")};
}

}  // namespace

Threads::Threads(size_t count) : count_(count) {
  if (count == 1) return;
  try {
    workers_ = std::make_unique<Workers>(count - 1);
  } catch (const std::system_error&) {
    fail_to_start(count);
  }
}

Threads::Threads(void* pool) : pool_(pool), count_(pthreadpool_get_threads_count(static_cast<pthreadpool_t>(pool))) {}

void* Threads::pool() {
  if (pool_ == nullptr && count_ > 1) {
    owned_.reset(pthreadpool_create(count_));
    if (!owned_) fail_to_start(count_);
    pool_ = owned_.get();
  }
  return pool_;
}

void Threads::Destroy::operator()(void* pool) const { pthreadpool_destroy(static_cast<pthreadpool_t>(pool)); }

void Threads::run(size_t count, Workers::Task task, const void* context) const noexcept {
  if (count_ == 1 || count <= 1) {
    for (size_t i = 0; i < count; ++i) task(context, i, 0);
    return;
  }
  if (workers_) return workers_->run(count, task, context);
  Loop loop{task, context, count};
  // Pool items are threads of ours: what pthreadpool calls an index is who may use which scratch. No flags: flushing
  // denormals would make results depend on the number of threads.
  pthreadpool_parallelize_1d(static_cast<pthreadpool_t>(pool_), work, &loop, std::min(count, count_), 0);
}

}  // namespace tidbit::internal
