#include "compiler/lowering/lines.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace tidbit::compiler {
namespace {

constexpr int kLeastFixedPointShift = 32;  // the kernels take the upper halves
constexpr int kLeastShift = 16;
constexpr int kMostShift = 53;  // 2^8 codes shifted so, and sums times multipliers below 2^31, stay within int64
constexpr int64_t kMostMultiplier = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostOffset = int64_t{1} << 62;

/// A sum at which a line must reach a code, or must not.
struct Bound {
  int64_t sum;
  int32_t code;
};

/// A rising line through all that it must reach and nothing that it must not. With a multiplier M, the offset must lie
/// between max(code*2^shift - M*sum) over `reached` and min(code*2^shift - M*sum) - 1 over `unreached`. The gap between
/// these is concave in M, and its slope is the distance of the two sums that bound it: bisection finds its peak.
std::optional<Line> find_line(std::span<const Bound> reached, std::span<const Bound> unreached, int shift) {
  std::optional<Line> widest;
  int64_t widest_gap = 0, least = 0, most = kMostMultiplier;
  while (least <= most) {
    const int64_t multiplier = std::midpoint(least, most);
    const auto offset_at = [&](const Bound& bound) { return (int64_t{bound.code} << shift) - multiplier * bound.sum; };
    const auto low = std::ranges::max(reached, {}, offset_at), high = std::ranges::min(unreached, {}, offset_at);
    const int64_t lowest = offset_at(low), highest = offset_at(high) - 1;
    if (lowest <= highest && (!widest || highest - lowest > widest_gap)) {
      widest = Line{multiplier, std::midpoint(lowest, highest), shift};
      widest_gap = highest - lowest;
    }
    if (low.sum == high.sum) break;
    if (low.sum > high.sum) {
      least = multiplier + 1;
    } else {
      most = multiplier - 1;
    }
  }
  return widest && std::abs(widest->offset) <= kMostOffset ? widest : std::nullopt;
}

/// One channel's thresholds, over keys: sums, negated where the code falls with them.
class Steps {
 public:
  Steps(const op::Thresholds& thresholds, const SumDomain& domain, size_t channel)
      : falling_(thresholds.falling[channel] != 0),
        lowest_(falling_ ? -domain.highest[channel] : domain.lowest[channel]),
        highest_(falling_ ? -domain.lowest[channel] : domain.highest[channel]),
        lowest_code_(thresholds.lowest) {
    const auto count = static_cast<size_t>(thresholds.steps);
    for (size_t k = 0; k < count; ++k) keys_.push_back(static_cast<int64_t>(thresholds.values[channel * count + k]));
  }

  bool falling() const { return falling_; }
  int64_t lowest() const { return lowest_; }
  int64_t highest() const { return highest_; }

  /// The keys within the domain where a code is first reached, but for the lowest of the domain.
  std::vector<int64_t> inner() const {
    std::vector<int64_t> result;
    std::ranges::copy_if(keys_, std::back_inserter(result),
                         [&](int64_t key) { return key > lowest_ && key <= highest_; });
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  }

  /// A line that gives the codes of the keys in [first, last].
  std::optional<Line> line(int64_t first, int64_t last) const {
    std::vector<Bound> reached, unreached;
    for (size_t k = 0; k < keys_.size(); ++k) {
      const int32_t code = lowest_code_ + static_cast<int32_t>(k) + 1;
      if (keys_[k] <= last) reached.push_back({std::max(keys_[k], first), code});
      if (keys_[k] > first) unreached.push_back({std::min(keys_[k] - 1, last), code});
    }
    if (reached.empty() || unreached.empty() || reached.back().code < unreached.front().code) {
      const int32_t constant = reached.empty() ? lowest_code_ : reached.back().code;
      return Line{0, (2 * int64_t{constant} + 1) << (kLeastFixedPointShift - 1), kLeastFixedPointShift};  // its middle
    }
    // The shift that leaves the multiplier the most bits, by the slope of the steps.
    const double codes = reached.back().code - unreached.front().code + 1;
    const int shift = 30 - std::ilogb(codes / static_cast<double>(reached.back().sum - unreached.front().sum));
    for (const int s : {shift, shift - 1}) {
      const auto line = find_line(reached, unreached, std::clamp(s, kLeastShift, kMostShift));
      if (line) return line;
    }
    return std::nullopt;
  }

 private:
  bool falling_;
  int64_t lowest_, highest_;
  int32_t lowest_code_;
  std::vector<int64_t> keys_;
};

/// One line, or the longest that begins at the lowest key and one for the rest.
std::optional<Lines> find_lines(const Steps& steps) {
  if (const auto line = steps.line(steps.lowest(), steps.highest())) return Lines{*line, *line};
  const std::vector<int64_t> knees = steps.inner();
  const auto fits = [&](int64_t knee) { return steps.line(steps.lowest(), knee - 1).has_value(); };
  const auto end = std::ranges::partition_point(knees, fits);
  if (end == knees.begin()) return std::nullopt;
  const int64_t knee = *std::prev(end);
  const auto below = steps.line(steps.lowest(), knee - 1), above = steps.line(knee, steps.highest());
  if (!above) return std::nullopt;
  return Lines{*above, *below, knee};
}

/// The lines over sums: key < knee is sum >= 1 - knee where keys are negated sums.
Lines over_sums(const Lines& lines, const Steps& steps) {
  if (!steps.falling()) return lines;
  const auto negated = [](const Line& line) { return Line{-line.multiplier, line.offset, line.shift}; };
  return {negated(lines.below), negated(lines.line), lines.bent() ? 1 - lines.knee : lines.knee};
}

void append(op::FixedPointLine& lines, const Line& line) {
  lines.multiplier.push_back(static_cast<int32_t>(line.multiplier));
  lines.offset.push_back(line.offset);
  lines.shift.push_back(static_cast<uint8_t>(line.shift));
}

bool any_bent(const std::vector<Lines>& lines) { return std::ranges::any_of(lines, &Lines::bent); }

}  // namespace

double Line::slope() const { return std::ldexp(static_cast<double>(multiplier), -shift); }
double Line::at(double sum) const { return slope() * sum + std::ldexp(static_cast<double>(offset), -shift); }

std::optional<std::vector<Lines>> find_lines(const op::Thresholds& thresholds, const SumDomain& domain) {
  std::vector<Lines> result;
  for (size_t c = 0; c < static_cast<size_t>(thresholds.channels); ++c) {
    const Steps steps(thresholds, domain, c);
    const auto found = find_lines(steps);
    if (!found) return std::nullopt;
    result.push_back(over_sums(*found, steps));
  }
  return result;
}

std::optional<op::FixedPoint> fixed_point(const std::vector<Lines>& lines, int32_t lowest, int32_t highest) {
  op::FixedPoint result;
  result.lowest = lowest;
  result.highest = highest;
  const bool bent = any_bent(lines);
  for (const Lines& channel : lines) {
    if (std::min(channel.line.shift, channel.below.shift) < kLeastFixedPointShift) return std::nullopt;
    append(result.line, channel.line);
    if (!bent) continue;
    append(result.below, channel.below);
    result.knee.push_back(static_cast<int32_t>(channel.knee));
  }
  return result;
}

op::Affine affine(const std::vector<Lines>& lines, int32_t lowest, int32_t highest) {
  constexpr double kHalf = 0.5;  // it is rounded to nearest, the lines are rounded down
  op::Affine result;
  result.lowest = lowest;
  result.highest = highest;
  const bool bent = any_bent(lines);
  for (const auto& [line, below, knee] : lines) {
    const bool falls = line.slope() < 0 || below.slope() < 0;
    // The knee is one of results, which those of falling lines pass from above.
    const Line &upper = falls ? below : line, &lower = falls ? line : below;
    result.multiplier.push_back(upper.slope());
    result.offset.push_back(upper.at(0) - kHalf);
    if (!bent) continue;
    const double ratio = upper.slope() == 0 ? 1 : lower.slope() / upper.slope();
    result.slope_below.push_back(ratio);
    result.offset_below.push_back(lower.at(0) - kHalf - ratio * (upper.at(0) - kHalf));
    result.knee.push_back(upper.at(static_cast<double>(knee) - kHalf) - kHalf);
  }
  return result;
}

}  // namespace tidbit::compiler
