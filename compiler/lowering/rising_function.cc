#include "compiler/lowering/rising_function.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace tidbit::compiler {
namespace {

template <class Float, class Bits>
Float float_of_key(int64_t key) {
  const auto magnitude = std::bit_cast<Float>(static_cast<Bits>(key < 0 ? -key : key));
  return key < 0 ? -magnitude : magnitude;
}

}  // namespace

double sum_of_key(SumDomain::Kind kind, int64_t key) {
  switch (kind) {
    case SumDomain::Kind::Integer:
      return static_cast<double>(key);
    case SumDomain::Kind::Float32:
      return float_of_key<float, int32_t>(key);
    case SumDomain::Kind::Float64:
      return float_of_key<double, int64_t>(key);
  }
  return 0;
}

int64_t key_of_double(double sum) {
  const auto magnitude = std::bit_cast<int64_t>(std::abs(sum));
  return sum < 0 ? -magnitude : magnitude;
}

KeyRange key_range(const SumDomain& domain, int64_t channel) {
  switch (domain.kind) {
    case SumDomain::Kind::Integer:
      return {domain.lowest[static_cast<size_t>(channel)], domain.highest[static_cast<size_t>(channel)]};
    case SumDomain::Kind::Float32: {
      const int64_t highest = std::bit_cast<int32_t>(std::numeric_limits<float>::max());
      return {-highest, highest};
    }
    case SumDomain::Kind::Float64: {
      const auto highest = std::bit_cast<int64_t>(std::numeric_limits<double>::max());
      return {-highest, highest};
    }
  }
  return {};
}

RisingFunction::RisingFunction(const CodeFunction& function, const SumDomain& domain, int64_t channel)
    : function_(function), kind_(domain.kind), channel_(channel), range_(key_range(domain, channel)) {
  falling_ = function.chain.direction(channel) == Direction::Falling;
  if (falling_) range_ = {-range_.highest, -range_.lowest};
}

int64_t RisingFunction::first_key(int32_t code, const KeyRange& range) const {
  int64_t below = range.lowest - 1, reached = range.highest + 1;
  while (static_cast<uint64_t>(reached) - static_cast<uint64_t>(below) > 1) {  // keys of float64 span 2^64
    const int64_t middle = std::midpoint(below, reached);
    ((*this)(middle) >= code ? reached : below) = middle;
  }
  return reached;
}

}  // namespace tidbit::compiler
