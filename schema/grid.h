// The integer grid of a quantized tensor (design: "Numbers").
#pragma once

#include <cstdint>

namespace tidbit {

/// Codes u in [0, 2^bits) stand for the integers v = step*u + base; the real value is scale*v.
///   unsigned            step 1, base -zero_point
///   two's complement    step 1, base -2^(bits-1) - zero_point; narrow range and ternary leave code 0 unused
///   bipolar             step 2, base -(2^bits - 1): 1 bit is {-1,+1}, 2 bits are {-3,-1,1,3}
struct Grid {
  int32_t bits = 8;
  int32_t step = 1;
  int32_t base = 0;

  friend constexpr bool operator==(const Grid&, const Grid&) = default;

  constexpr int32_t levels() const { return 1 << bits; }
  constexpr int32_t value(int32_t code) const { return step * code + base; }
  constexpr int32_t lowest() const { return base; }
  constexpr int32_t highest() const { return value(levels() - 1); }

  /// The code of the real value 0, which is what padding means; -1 where 0 is not on the grid (bipolar).
  constexpr int32_t zero_code() const {
    return base <= 0 && -base % step == 0 && -base / step < levels() ? -base / step : -1;
  }
};

}  // namespace tidbit
