// The order of operators that rank.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>

namespace tidbit::internal {

/// Puts the indices of the `best` highest scores first, best first, of equal ones the lower index first; NaN is the
/// worst. `order` has room for all indices, and holds them in an unspecified order behind. Allocates nothing.
template <class Score>
void rank(std::span<uint32_t> order, size_t best, const Score& score) noexcept {
  std::iota(order.begin(), order.end(), 0U);
  const auto before = [&](uint32_t a, uint32_t b) {
    const float x = score(a), y = score(b);
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(best), order.end(), before);
}

}  // namespace tidbit::internal
