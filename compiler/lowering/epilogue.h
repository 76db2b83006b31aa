// Epilogues found by search and admitted by proof (design: "Numbers", which knows thresholds and float32 alone).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/graph.h"
#include "compiler/lowering/chain.h"

namespace tidbit::compiler {

/// From a layer's sum to a code: a chain that ends in a quantizer whose output is on `grid`.
struct CodeFunction {
  Chain chain;
  ScalarFunction quantizer;  // a FakeQuant or Trunc, the same for all channels
  Grid grid;
  double scale;

  int32_t operator()(double sum, int64_t channel) const { return code(chain(sum, channel)); }

  /// The code of a real value.
  int32_t code(double real) const;
};

/// The sums that may come: integers in [lowest[c], highest[c]], or every finite float32 or float64, or only those
/// within `spread` of a multiple of `unit`.
struct SumDomain {
  enum class Kind : uint8_t { Integer, Float32, Float64 } kind;
  std::vector<int64_t> lowest, highest;  // Integer only
  double unit = 0, spread = 0;           // Float64 only; 0: every one
};

/// The codes' epilogue of a layer of that many channels: thresholds by bisection over the domain, exact by
/// construction; or, where the code takes more than two bits, the first of these that gives the same codes for every
/// sum: a line in float32, lines in fixed point (of integer sums), lines fitted to the thresholds in float32, a line in
/// float64. Each has a knee at most. That is from the cheapest to the dearest: 64 codes take 6, 7 and 15 ns in
/// float32, fixed point and float64 with AVX-512 (bench/epilogue_bench), and float32 cannot tell the steps of most
/// 8-bit layers. The function must rise, fall or be constant in every channel.
op::Epilogue find_epilogue(const CodeFunction& function, const SumDomain& domain, int64_t channels);

/// The second input of an epilogue: real = scale*v with v on the grid, or any real (empty grid; scale is its factor).
struct ResidualInput {
  std::optional<Grid> grid;
  double scale = 1;
};

/// For code = function.code-chain(before(sum) + residual): an affine form, proved over all sums, residual codes and
/// channels. Without a grid there is nothing to enumerate and the form is taken unproved, in float64. Empty where there
/// is none.
std::optional<op::Epilogue> find_residual_epilogue(const Chain& before, const CodeFunction& after,
                                                   const ResidualInput& residual, const SumDomain& domain,
                                                   int64_t channels);

/// The real epilogue of a chain that is a line with the same clamp in every channel; empty where it is not.
std::optional<op::RealAffine> find_real_epilogue(const Chain& chain, int64_t channels);

}  // namespace tidbit::compiler
