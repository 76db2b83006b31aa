#include "tests/support/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace tidbit::test::allocations {
namespace {

std::atomic<size_t> calls, live, peak;
thread_local long successes_left = -1;

bool fails() { return successes_left >= 0 && successes_left-- == 0; }

void* taken(void* memory) {
  ++calls;
  if (memory == nullptr) return nullptr;
  const size_t now = live += malloc_usable_size(memory);
  size_t highest = peak;
  while (highest < now && !peak.compare_exchange_weak(highest, now)) {
  }
  return memory;
}

void given_back(void* memory) {
  if (memory != nullptr) live -= malloc_usable_size(memory);
}

}  // namespace

size_t count() { return calls; }
size_t live_bytes() { return live; }
size_t peak_bytes() { return peak; }
void reset_peak() { peak = live.load(); }
void fail_after(long successes) { successes_left = successes; }

}  // namespace tidbit::test::allocations

namespace counted = tidbit::test::allocations;

extern "C" {

void* malloc(size_t bytes) {
  if (counted::fails()) return errno = ENOMEM, nullptr;
  return counted::taken(__libc_malloc(bytes));
}

void* calloc(size_t count, size_t bytes) {
  if (counted::fails()) return errno = ENOMEM, nullptr;
  return counted::taken(__libc_calloc(count, bytes));
}

void* realloc(void* memory, size_t bytes) {
  if (counted::fails()) return errno = ENOMEM, nullptr;
  counted::given_back(memory);
  return counted::taken(__libc_realloc(memory, bytes));
}

void* memalign(size_t alignment, size_t bytes) {
  if (counted::fails()) return errno = ENOMEM, nullptr;
  return counted::taken(__libc_memalign(alignment, bytes));
}

void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  *memory = memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}

void free(void* memory) {
  counted::given_back(memory);
  __libc_free(memory);
}

}  // extern "C"
