// Thresholds by bisection, exact by construction.
#pragma once

#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

/// Where each code above the lowest is reached, over the domain, in each channel.
op::Thresholds find_thresholds(const CodeFunction& function, const SumDomain& domain, int64_t channels);

}  // namespace tidbit::compiler
