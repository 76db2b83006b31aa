// Proofs that affine epilogues give the codes of the functions that they stand for.
#pragma once

#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

/// Over all sums that may come.
bool gives_codes(const op::Affine& affine, const CodeFunction& function, const SumDomain& domain, int64_t channels);

/// The same of code = after(before(sum) + residual), also over all residual codes; `residual` has a grid, and the
/// arrays are per channel.
bool gives_codes(const op::Affine& affine, const Chain& before, const CodeFunction& after,
                 const ResidualInput& residual, const SumDomain& domain, int64_t channels);

}  // namespace tidbit::compiler
