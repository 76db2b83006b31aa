// Fixed-point epilogues, found from thresholds: exact by construction.
#pragma once

#include <optional>

#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

/// The lines, two at most, that reach each code where the thresholds do: they give the same codes for every integer sum
/// of the domain. They need not be the function's own, which the thresholds stand for. Empty where there are none.
std::optional<op::FixedPoint> find_fixed_point(const op::Thresholds& thresholds, const SumDomain& domain);

}  // namespace tidbit::compiler
