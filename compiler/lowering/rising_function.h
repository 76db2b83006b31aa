// A function from sums to codes, as one that rises over consecutive integers.
#pragma once

#include <cstdint>

#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

// Sums as consecutive integers, "keys", so that one bisection serves integers and floats. Keys are symmetric: the key
// of -x is minus the key of x.

struct KeyRange {
  int64_t lowest, highest;
};

KeyRange key_range(const SumDomain& domain, int64_t channel);

double sum_of_key(SumDomain::Kind kind, int64_t key);
int64_t key_of_double(double sum);

/// One channel of the function over keys, negated where it falls, so that it rises.
class RisingFunction {
 public:
  RisingFunction(const CodeFunction& function, const SumDomain& domain, int64_t channel);

  int32_t operator()(int64_t key) const { return function_(sum(key), channel_); }
  double sum(int64_t key) const { return sum_of_key(kind_, falling_ ? -key : key); }
  KeyRange range() const { return range_; }
  bool falling() const { return falling_; }

  /// The smallest key of the range that reaches the code; its highest + 1 where none does.
  int64_t first_key(int32_t code, const KeyRange& range) const;

 private:
  const CodeFunction& function_;
  SumDomain::Kind kind_;
  int64_t channel_;
  KeyRange range_;
  bool falling_ = false;
};

}  // namespace tidbit::compiler
