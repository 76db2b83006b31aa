#include "compiler/lowering/epilogue.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "compiler/elementwise.h"

namespace tidbit::compiler {
namespace {

/// Thresholds serve codes of up to two bits: one to three compares.
constexpr int64_t kFewSteps = 3;

// Sums as consecutive integers, "keys", so that one bisection serves integers and floats. Keys are symmetric: the key
// of -x is minus the key of x.

template <class Float, class Bits>
Float float_of_key(int64_t key) {
  const auto magnitude = std::bit_cast<Float>(static_cast<Bits>(key < 0 ? -key : key));
  return key < 0 ? -magnitude : magnitude;
}

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

struct KeyRange {
  int64_t lowest, highest;
};

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

/// One channel of the function over keys, negated where it falls, so that it rises.
class RisingFunction {
 public:
  RisingFunction(const CodeFunction& function, const SumDomain& domain, int64_t channel)
      : function_(function), kind_(domain.kind), channel_(channel), range_(key_range(domain, channel)) {
    falling_ = function.chain.direction(channel) == Direction::Falling;
    if (falling_) range_ = {-range_.highest, -range_.lowest};
  }

  int32_t operator()(int64_t key) const { return function_(sum(key), channel_); }
  double sum(int64_t key) const { return sum_of_key(kind_, falling_ ? -key : key); }
  KeyRange range() const { return range_; }
  bool falling() const { return falling_; }

  /// The smallest key in [from, highest] that reaches the code; highest + 1 where none does.
  int64_t first_key(int32_t code, int64_t from) const {
    int64_t below = from - 1, reached = range_.highest + 1;
    while (static_cast<uint64_t>(reached) - static_cast<uint64_t>(below) > 1) {  // keys of float64 span 2^64
      const int64_t middle = std::midpoint(below, reached);
      ((*this)(middle) >= code ? reached : below) = middle;
    }
    return reached;
  }

 private:
  const CodeFunction& function_;
  SumDomain::Kind kind_;
  int64_t channel_;
  KeyRange range_;
  bool falling_ = false;
};

op::Thresholds find_thresholds(const CodeFunction& function, const SumDomain& domain, int64_t channels) {
  op::Thresholds result;
  result.channels = channels;
  int32_t lowest = std::numeric_limits<int32_t>::max(), highest = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const RisingFunction rising(function, domain, c);
    lowest = std::min(lowest, rising(rising.range().lowest));
    highest = std::max(highest, rising(rising.range().highest));
    result.falling.push_back(rising.falling());
  }
  result.lowest = lowest;
  result.steps = highest - lowest;
  const bool integer = domain.kind == SumDomain::Kind::Integer;
  const double always = integer ? std::numeric_limits<int32_t>::min() : -std::numeric_limits<double>::infinity();
  const double never = integer ? std::numeric_limits<int32_t>::max() : std::numeric_limits<double>::infinity();
  for (int64_t c = 0; c < channels; ++c) {
    const RisingFunction rising(function, domain, c);
    int64_t key = rising.range().lowest;
    for (int32_t code = lowest + 1; code <= highest; ++code) {
      key = rising.first_key(code, key);
      const double sum = key > rising.range().highest ? never : sum_of_key(domain.kind, key);
      result.values.push_back(key == rising.range().lowest ? always : sum);
    }
  }
  return result;
}

/// The code that an Affine epilogue gives, in its own arithmetic; -1, which is no code, where that is not a number.
template <class Real>
int32_t affine_code(const op::Affine& affine, double sum, int64_t channel, double residual) {
  const size_t c = affine.multiplier.size() == 1 ? 0 : static_cast<size_t>(channel);
  Real y = static_cast<Real>(sum) * static_cast<Real>(affine.multiplier[c]);
  y = y + static_cast<Real>(affine.offset[c]);
  if (affine.residual_multiplier != 0) {
    y = y + static_cast<Real>(residual) * static_cast<Real>(affine.residual_multiplier);
  }
  if (std::isnan(y)) return -1;
  const Real rounded = std::nearbyint(y);
  return static_cast<int32_t>(
      std::min(std::max(rounded, static_cast<Real>(affine.lowest)), static_cast<Real>(affine.highest)));
}

int32_t affine_code(const op::Affine& affine, double sum, int64_t channel, double residual) {
  return affine.float32 ? affine_code<float>(affine, sum, channel, residual)
                        : affine_code<double>(affine, sum, channel, residual);
}

/// Rounds the parameters to float32, the arithmetic they will be used in.
op::Affine in_float32(op::Affine affine) {
  affine.float32 = true;
  for (double& m : affine.multiplier) m = static_cast<float>(m);
  for (double& b : affine.offset) b = static_cast<float>(b);
  affine.residual_multiplier = static_cast<float>(affine.residual_multiplier);
  return affine;
}

/// The scale and rounding that an affine epilogue can stand for.
bool rounds_half_even(const ScalarFunction& quantizer) {
  const auto* quant = std::get_if<ScalarFunction::FakeQuant>(&quantizer.form);
  return quant && !quant->quantizer.bipolar && quant->quantizer.rounding == Rounding::HalfEven;
}

/// code = chain(sum)/scale - base as a line; empty where the chain is none.
std::optional<op::Affine> affine_candidate(const CodeFunction& function, int64_t channels) {
  if (!rounds_half_even(function.quantizer)) return std::nullopt;
  op::Affine result;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = function.chain.affine(c);
    if (!form) return std::nullopt;
    result.multiplier.push_back(form->slope / function.scale);
    result.offset.push_back(form->offset / function.scale - function.grid.base);
  }
  return result;
}

/// Both sides are monotone, so they are equal everywhere if they are equal at the ends and on both sides of each step.
bool equals_thresholds(const op::Affine& affine, const CodeFunction& function, const SumDomain& domain,
                       const op::Thresholds& thresholds) {
  for (int64_t c = 0; c < thresholds.channels; ++c) {
    const RisingFunction rising(function, domain, c);
    const auto equal = [&](int64_t key) { return affine_code(affine, rising.sum(key), c, 0) == rising(key); };
    int64_t key = rising.range().lowest;
    if (!equal(key) || !equal(rising.range().highest)) return false;
    for (int64_t k = 1; k <= thresholds.steps; ++k) {
      key = rising.first_key(thresholds.lowest + static_cast<int32_t>(k), key);
      if (key > rising.range().highest) break;
      if (!equal(key) || (key > rising.range().lowest && !equal(key - 1))) return false;
    }
  }
  return true;
}

/// Drops per-channel arrays whose elements are all equal.
void shrink(std::vector<double>& values) {
  if (std::ranges::all_of(values, [&](double x) { return x == values[0]; })) values.resize(1);
}

void shrink(op::Affine& affine) {
  std::vector<double> multiplier = affine.multiplier, offset = affine.offset;
  shrink(multiplier);
  shrink(offset);
  if (multiplier.size() != 1 || offset.size() != 1) return;
  affine.multiplier = multiplier;
  affine.offset = offset;
}

/// Proof of a residual form. A step of `affine` lies within one sum of where real arithmetic puts it; comparing two
/// sums on either side of that place, and the ends, for every residual code, leaves no sum where the two monotone
/// functions could differ.
class ResidualProof {
 public:
  ResidualProof(const Chain& before, const CodeFunction& after, const ResidualInput& residual, const SumDomain& domain)
      : before_(before), after_(after), residual_(residual), domain_(domain) {}

  bool holds(const op::Affine& affine, int64_t channels) const {
    for (int64_t c = 0; c < channels; ++c) {
      for (int32_t code = 0; code < residual_.grid->levels(); ++code) {
        if (!holds(affine, c, residual_.grid->value(code))) return false;
      }
    }
    return true;
  }

 private:
  bool holds(const op::Affine& affine, int64_t c, int32_t v) const {
    const KeyRange range = key_range(domain_, c);
    const auto equal = [&](int64_t sum) {
      const double real = before_(static_cast<double>(sum), c) + residual_.scale * v;
      return after_.code(after_.chain(real, c)) == affine_code(affine, static_cast<double>(sum), c, v);
    };
    if (!equal(range.lowest) || !equal(range.highest)) return false;
    const double m = affine.multiplier[static_cast<size_t>(c)];
    if (m == 0) return true;
    const double b = affine.offset[static_cast<size_t>(c)] + affine.residual_multiplier * v;
    for (int32_t code = affine.lowest + 1; code <= affine.highest; ++code) {
      const double place = std::floor((code - 0.5 - b) / m);
      if (!(place >= static_cast<double>(range.lowest) - 2 && place <= static_cast<double>(range.highest) + 2))
        continue;
      for (int64_t sum = static_cast<int64_t>(place) - 1; sum <= static_cast<int64_t>(place) + 2; ++sum) {
        if (sum >= range.lowest && sum <= range.highest && !equal(sum)) return false;
      }
    }
    return true;
  }

  const Chain& before_;
  const CodeFunction& after_;
  const ResidualInput& residual_;
  const SumDomain& domain_;
};

}  // namespace

int32_t CodeFunction::code(double real) const {
  double integer = 0;
  if (const auto* trunc = std::get_if<op::Trunc>(&quantizer.form)) {
    integer = truncated_integer(*trunc, real) - trunc->output_zero_point;
  } else {
    const auto& quant = std::get<ScalarFunction::FakeQuant>(quantizer.form);
    if (quant.quantizer.bipolar) return real >= 0;
    integer = quantized_integer(quant.quantizer, real, quant.scale[0], quant.zero_point[0]) - quant.zero_point[0];
  }
  if (std::isnan(integer)) return 0;  // as the runtime does
  return static_cast<int32_t>(std::clamp<double>(integer, grid.lowest(), grid.highest())) - grid.base;
}

op::Epilogue find_epilogue(const CodeFunction& function, const SumDomain& domain, int64_t channels) {
  op::Thresholds thresholds = find_thresholds(function, domain, channels);
  if (thresholds.steps <= kFewSteps) return thresholds;
  std::optional<op::Affine> affine = affine_candidate(function, channels);
  if (!affine) return thresholds;
  affine->lowest = thresholds.lowest;
  affine->highest = thresholds.lowest + static_cast<int32_t>(thresholds.steps);
  for (op::Affine candidate : {in_float32(*affine), *affine}) {
    if (candidate.float32 && domain.kind == SumDomain::Kind::Float64) continue;  // would round the sum first
    if (!equals_thresholds(candidate, function, domain, thresholds)) continue;
    shrink(candidate);
    return candidate;
  }
  return thresholds;
}

std::optional<op::Epilogue> find_residual_epilogue(const Chain& before, const CodeFunction& after,
                                                   const ResidualInput& residual, const SumDomain& domain,
                                                   int64_t channels) {
  std::optional<op::Affine> affine = affine_candidate(after, channels);
  if (!affine || channels == 0) return std::nullopt;
  const double slope = affine->multiplier[0];
  affine->residual_multiplier = slope * residual.scale;
  affine->lowest = std::numeric_limits<int32_t>::max();
  affine->highest = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = before.affine(c);
    const auto tail = after.chain.affine(c);
    const size_t i = static_cast<size_t>(c);
    if (!form || std::isfinite(form->lowest) || std::isfinite(form->highest)) return std::nullopt;
    if (affine->multiplier[i] != slope || slope <= 0) return std::nullopt;
    affine->offset[i] += slope * form->offset;
    affine->multiplier[i] = slope * form->slope;
    affine->lowest = std::min(affine->lowest, after.code(tail->lowest));
    affine->highest = std::max(affine->highest, after.code(tail->highest));
  }
  if (!residual.grid) return op::Epilogue(*affine);
  const ResidualProof proof(before, after, residual, domain);
  for (const op::Affine& candidate : {in_float32(*affine), *affine}) {
    if (proof.holds(candidate, channels)) return op::Epilogue(candidate);
  }
  return std::nullopt;
}

std::optional<op::RealAffine> find_real_epilogue(const Chain& chain, int64_t channels) {
  op::RealAffine result;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = chain.affine(c);
    if (!form) return std::nullopt;
    const auto lowest = static_cast<float>(form->lowest), highest = static_cast<float>(form->highest);
    if (c > 0 && (lowest != result.lowest || highest != result.highest)) return std::nullopt;
    result.lowest = lowest;
    result.highest = highest;
    result.multiplier.push_back(form->slope);
    result.offset.push_back(form->offset);
  }
  return result;
}

}  // namespace tidbit::compiler
