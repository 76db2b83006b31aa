// Lines through thresholds, and the epilogues that they make.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

/// (sum*multiplier + offset) / 2^shift, rounded down.
struct Line {
  int64_t multiplier = 0, offset = 0;  // int32 but for its least, and within 2^62 of 0
  int shift = 0;

  double slope() const;
  double at(double sum) const;  // not rounded
};

/// One channel's lines: `below` for the sums below the knee; equal, with the least knee, where one does.
struct Lines {
  Line line, below;
  int64_t knee = std::numeric_limits<int32_t>::min();

  bool bent() const { return knee != std::numeric_limits<int32_t>::min(); }
};

/// Each channel's lines that reach the codes where its thresholds do, and so give the same codes for every integer sum
/// of the domain; the farthest from its steps. They need not be the function's own, which the thresholds stand for.
/// Empty where a channel has none.
std::optional<std::vector<Lines>> find_lines(const op::Thresholds& thresholds, const SumDomain& domain);

/// The lines as they are, exact; empty where one rises by more than about half a code a sum, too steep for the format.
std::optional<op::FixedPoint> fixed_point(const std::vector<Lines>& lines, int32_t lowest, int32_t highest);

/// The lines in reals: a candidate, which rounding may make wrong, and a level line above a knee, where none is told.
op::Affine affine(const std::vector<Lines>& lines, int32_t lowest, int32_t highest);

}  // namespace tidbit::compiler
