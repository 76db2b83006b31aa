// Counts what a test program allocates. Linking allocations.cc puts a malloc of ours before glibc's; operator new ends
// there too. Not under AddressSanitizer, which does the same.
#pragma once

#include <cstddef>

namespace tidbit::test::allocations {

/// Calls so far that asked for memory, on any thread.
size_t count();

/// Bytes in use, and the most that were since the last reset_peak().
size_t live_bytes();
size_t peak_bytes();
void reset_peak();

/// The calling thread's allocation after `successes` more fails, once. A negative number: none does.
void fail_after(long successes);

}  // namespace tidbit::test::allocations
