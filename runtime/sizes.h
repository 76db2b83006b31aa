// Arithmetic on sizes that a file names: 64 bits wide on every machine, and saturating, so that a comparison with a
// limit is the one overflow check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "schema/container.h"

namespace tidbit::internal {

constexpr uint64_t product(std::initializer_list<uint64_t> factors) {
  uint64_t result = 1;
  for (const uint64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result)) return UINT64_MAX;
  }
  return result;
}

constexpr uint64_t sum(std::initializer_list<uint64_t> terms) {
  uint64_t result = 0;
  for (const uint64_t term : terms) {
    if (__builtin_add_overflow(result, term, &result)) return UINT64_MAX;
  }
  return result;
}

/// The next multiple of `granule`, a power of two.
constexpr uint64_t round_up(uint64_t count, uint64_t granule) {
  return count > UINT64_MAX - granule ? UINT64_MAX : (count + granule - 1) & ~(granule - 1);
}

/// The next multiple of a cache line.
constexpr uint64_t aligned(uint64_t bytes) { return round_up(bytes, container::kAlignment); }

/// No arena is larger than this, whatever the options say: sums of tens of thousands of such sizes fit uint64_t.
constexpr uint64_t kLargestArena = sizeof(size_t) == 8 ? uint64_t{1} << 46 : uint64_t{PTRDIFF_MAX};

}  // namespace tidbit::internal
