#include "compiler/lowering/affine_proof.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>
#include <vector>

#include "compiler/lowering/rising_function.h"
#include "compiler/lowering/thresholds.h"

namespace tidbit::compiler {
namespace {

/// Whether an Affine epilogue bends a number, and the code that it gives, in its own arithmetic; -1, which is no code,
/// where that is not a number.
struct AffineResult {
  bool below;
  int32_t code;
};

template <class Real>
AffineResult affine_result(const op::Affine& affine, double sum, int64_t channel, double residual) {
  const size_t c = affine.multiplier.size() == 1 ? 0 : static_cast<size_t>(channel);
  Real y = static_cast<Real>(sum) * static_cast<Real>(affine.multiplier[c]);
  y = y + static_cast<Real>(affine.offset[c]);
  if (affine.residual_multiplier != 0) {
    y = y + static_cast<Real>(residual) * static_cast<Real>(affine.residual_multiplier);
  }
  const bool below = !affine.knee.empty() && y < static_cast<Real>(affine.knee[c]);
  if (below) {
    y = y * static_cast<Real>(affine.slope_below[c]);
    y = y + static_cast<Real>(affine.offset_below[c]);
  }
  if (std::isnan(y)) return {below, -1};
  const Real rounded = std::nearbyint(y);
  return {below, static_cast<int32_t>(
                     std::min(std::max(rounded, static_cast<Real>(affine.lowest)), static_cast<Real>(affine.highest)))};
}

AffineResult affine_result(const op::Affine& affine, double sum, int64_t channel, double residual = 0) {
  return affine.float32 ? affine_result<float>(affine, sum, channel, residual)
                        : affine_result<double>(affine, sum, channel, residual);
}

/// Proof that a candidate gives the function's codes in one channel. The function is monotone, and so is the candidate
/// on either side of its knee, where its lines, each rounded, need not meet: they are equal everywhere if they are
/// equal at the ends, at the knee and on both sides of each step.
class ChannelProof {
 public:
  ChannelProof(const op::Affine& affine, const CodeFunction& function, const SumDomain& domain, int64_t channel)
      : affine_(affine), rising_(function, domain, channel), domain_(domain), channel_(channel) {}

  bool holds() const {
    return holds(rising_.range(),
                 [&](int64_t step) { return domain_.unit == 0 ? equal(step) && equal(step - 1) : holds_near(step); });
  }

 private:
  AffineResult result(int64_t key) const { return affine_result(affine_, rising_.sum(key), channel_); }
  bool equal(int64_t key) const { return result(key).code == rising_(key); }

  bool holds(const KeyRange& range, const auto& holds_at) const {
    if (!equal(range.lowest) || !equal(range.highest) || !holds_at_knee(range)) return false;
    const int32_t last = rising_(range.highest);
    int64_t key = range.lowest;
    for (int32_t code = rising_(key) + 1; code <= last; ++code) {
      key = rising_.first_key(code, {key, range.highest});
      if (!holds_at(key)) return false;
    }
    return true;
  }

  bool holds_at_knee(const KeyRange& range) const {
    const bool below = result(range.lowest).below;
    if (result(range.highest).below == below) return true;
    int64_t before = range.lowest, after = range.highest;
    while (static_cast<uint64_t>(after) - static_cast<uint64_t>(before) > 1) {
      const int64_t middle = std::midpoint(before, after);
      (result(middle).below == below ? before : after) = middle;
    }
    return equal(before) && equal(after);
  }

  /// On the sums that may come next to a step. No others lie between them and those next to the steps beside it.
  bool holds_near(int64_t step) const {
    const double nearest = std::floor(rising_.sum(step) / domain_.unit);
    for (double i = nearest - 1; i <= nearest + 2; ++i) {
      const double centre = i * domain_.unit;
      const int64_t first = key_of_double(centre - domain_.spread), last = key_of_double(centre + domain_.spread);
      const KeyRange range = rising_.falling() ? KeyRange{-last, -first} : KeyRange{first, last};
      if (!holds(range, [&](int64_t key) { return equal(key) && equal(key - 1); })) return false;
    }
    return true;
  }

  const op::Affine& affine_;
  RisingFunction rising_;
  const SumDomain& domain_;
  int64_t channel_;
};

/// Proof of a residual form, for every residual code. The candidate is monotone in the sum on either side of its knee.
/// Each of its steps, and its knee, must lie between two sums on either side of where real arithmetic puts them; these
/// sums, and the ends, must give the same code: so there is no sum where the two functions could differ.
class ResidualProof {
 public:
  ResidualProof(const Chain& before, const CodeFunction& after, const ResidualInput& residual, const SumDomain& domain,
                int64_t channels)
      : before_(before),
        residual_(residual),
        domain_(domain),
        after_(find_thresholds(after, {SumDomain::Kind::Float64, {}, {}}, after.chain.uniform() ? 1 : channels)) {}

  /// Millions of sums for each channel of an 8-bit layer: all processors share them.
  bool holds(const op::Affine& affine, int64_t channels) const {
    std::atomic<int64_t> next = 0;
    std::atomic<bool> all = true;
    const auto prove = [&] {
      for (int64_t c = next++; c < channels && all; c = next++) {
        if (!holds_in(affine, c)) all = false;
      }
    };
    constexpr int64_t kLeastShare = 4096;  // channels x residual codes that are worth a thread
    const int64_t shares = channels * residual_.grid->levels() / kLeastShare;
    std::vector<std::jthread> others;
    const int64_t threads = std::min<int64_t>(shares, std::thread::hardware_concurrency());
    for (int64_t i = 1; i < threads; ++i) others.emplace_back(prove);
    prove();
    others.clear();  // joins
    return all;
  }

 private:
  bool holds_in(const op::Affine& affine, int64_t c) const {
    for (int32_t code = 0; code < residual_.grid->levels(); ++code) {
      if (!holds_for(affine, c, residual_.grid->value(code))) return false;
    }
    return true;
  }

  bool holds_for(const op::Affine& affine, int64_t c, int32_t v) const {
    const KeyRange range = key_range(domain_, c);
    if (!equal(affine, c, v, range.lowest) || !equal(affine, c, v, range.highest)) return false;
    const auto i = static_cast<size_t>(c);
    const double m = affine.multiplier[i], b = affine.offset[i] + affine.residual_multiplier * v;
    if (m == 0) return true;
    const bool bent = !affine.knee.empty();
    for (int32_t code = affine.lowest + 1; code <= affine.highest; ++code) {
      double y = code - 0.5;
      const double unbent = bent ? (y - affine.offset_below[i]) / affine.slope_below[i] : y;
      if (bent && unbent < affine.knee[i]) y = unbent;
      const auto reached = [=](const AffineResult& result) { return result.code >= code; };
      if (!equal_around((y - b) / m, affine, c, v, reached)) return false;
    }
    const auto above = [](const AffineResult& result) { return !result.below; };
    return !bent || equal_around((affine.knee[i] - b) / m, affine, c, v, above);
  }

  AffineResult result(const op::Affine& affine, int64_t c, int32_t v, int64_t sum) const {
    return affine_result(affine, static_cast<double>(sum), c, v);
  }

  /// Whether this is the code of what comes behind the residual's sum: whether that reaches its threshold, and not the
  /// next one.
  bool is_code(int32_t code, int64_t c, int32_t v, int64_t sum) const {
    const int64_t channel = after_.channels == 1 ? 0 : c, step = code - after_.lowest;
    if (step < 0 || step > after_.steps) return false;
    const double real = before_(static_cast<double>(sum), c) + residual_.scale * v;
    const double key = after_.falling[static_cast<size_t>(channel)] != 0 ? -real : real;
    const double* values = after_.values.data() + channel * after_.steps;
    return (step == 0 || key >= values[step - 1]) && (step == after_.steps || key < values[step]);
  }

  bool equal(const op::Affine& affine, int64_t c, int32_t v, int64_t sum) const {
    return is_code(result(affine, c, v, sum).code, c, v, sum);
  }

  /// Whether codes are equal around the place where the candidate comes to reach something, and whether it does so
  /// there: between the two sums next to the place, or within one sum more on either side where it is close to one.
  bool equal_around(double place, const op::Affine& affine, int64_t c, int32_t v, const auto& reached) const {
    return equal_around(place, 0, affine, c, v, reached) || equal_around(place, 1, affine, c, v, reached);
  }

  bool equal_around(double place, int64_t more, const op::Affine& affine, int64_t c, int32_t v,
                    const auto& reached) const {
    const KeyRange range = key_range(domain_, c);
    const double clamped =
        std::clamp(std::floor(place), static_cast<double>(range.lowest) - 1, static_cast<double>(range.highest));
    const int64_t first = std::max(static_cast<int64_t>(clamped) - more, range.lowest);
    const int64_t last = std::min(static_cast<int64_t>(clamped) + 1 + more, range.highest);
    const bool falls = affine.multiplier[static_cast<size_t>(c)] < 0;
    for (int64_t sum = first; sum <= last; ++sum) {
      const AffineResult found = result(affine, c, v, sum);
      if (!is_code(found.code, c, v, sum)) return false;
      if (sum == first && first > range.lowest && reached(found) != falls) return false;
      if (sum == last && last < range.highest && reached(found) == falls) return false;
    }
    return true;
  }

  const Chain& before_;
  const ResidualInput& residual_;
  const SumDomain& domain_;
  op::Thresholds after_;  // over reals
};

}  // namespace

bool gives_codes(const op::Affine& affine, const CodeFunction& function, const SumDomain& domain, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c) {
    if (!ChannelProof(affine, function, domain, c).holds()) return false;
  }
  return true;
}

bool gives_codes(const op::Affine& affine, const Chain& before, const CodeFunction& after,
                 const ResidualInput& residual, const SumDomain& domain, int64_t channels) {
  return ResidualProof(before, after, residual, domain, channels).holds(affine, channels);
}

}  // namespace tidbit::compiler
