#include "compiler/lowering/epilogue.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/elementwise.h"
#include "compiler/lowering/affine_proof.h"
#include "compiler/lowering/lines.h"
#include "compiler/lowering/thresholds.h"

namespace tidbit::compiler {
namespace {

/// Thresholds serve codes of up to two bits: one to three compares.
constexpr int64_t kFewSteps = 3;

constexpr std::vector<double> op::Affine::*kArrays[] = {&op::Affine::multiplier, &op::Affine::offset, &op::Affine::knee,
                                                        &op::Affine::slope_below, &op::Affine::offset_below};

/// Rounds the parameters to float32, the arithmetic they will be used in.
op::Affine in_float32(op::Affine affine) {
  affine.float32 = true;
  for (auto member : kArrays) {
    for (double& x : affine.*member) x = static_cast<float>(x);
  }
  affine.residual_multiplier = static_cast<float>(affine.residual_multiplier);
  return affine;
}

/// The scale and rounding that an affine epilogue can stand for.
bool rounds_half_even(const ScalarFunction& quantizer) {
  const auto* quant = std::get_if<ScalarFunction::FakeQuant>(&quantizer.form);
  return quant && !quant->quantizer.bipolar && quant->quantizer.rounding == Rounding::HalfEven;
}

/// chain(sum)/scale + shift as a line with a knee at most; empty where the chain is none.
std::optional<op::Affine> affine_candidate(const Chain& chain, double scale, double shift, int64_t channels) {
  op::Affine result;
  bool straight = true;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = chain.affine(c);
    if (!form) return std::nullopt;
    result.multiplier.push_back(form->slope / scale);
    result.offset.push_back(form->offset / scale + shift);
    const Knee knee = form->knee.value_or(Knee{0, 1});  // of 1, which bends nothing
    const double place = form->knee ? knee.place / scale + shift : 0;
    result.knee.push_back(place);
    result.slope_below.push_back(knee.below);
    result.offset_below.push_back(place - place * knee.below);
    straight = straight && !form->knee;
  }
  if (straight) result.knee = result.slope_below = result.offset_below = {};
  return result;
}

/// Drops per-channel arrays whose elements are all equal.
void shrink(std::vector<double>& values) {
  if (std::ranges::all_of(values, [&](double x) { return x == values[0]; })) values = std::vector(1, values[0]);
}

void shrink(op::Affine& affine) {
  op::Affine shrunk = affine;
  for (auto member : kArrays) {
    if ((shrunk.*member).empty()) continue;
    shrink(shrunk.*member);
    if ((shrunk.*member).size() != 1) return;
  }
  affine = shrunk;
}

/// What reals are divided by, and what is added, on the way to codes.
struct Unit {
  double scale, shift;
};

/// The units to try. A sign is the code of what is rounded in any unit, if a little more than a half is added, so that
/// 0 is rounded up and what lies below it is not.
std::vector<Unit> units_of(const CodeFunction& function, const ResidualInput& residual) {
  if (rounds_half_even(function.quantizer)) return {{function.scale, -static_cast<double>(function.grid.base)}};
  const auto* quant = std::get_if<ScalarFunction::FakeQuant>(&function.quantizer.form);
  if (!quant || !quant->quantizer.bipolar || !residual.grid) return {};
  const double scale = std::abs(residual.scale);
  return {{scale, 0.5 + 0x1p-12}, {scale, 0.5 + 0x1p-20}, {scale, 0.5 + 0x1p-32}};
}

/// The candidate for code = after(before(sum) + residual); empty where the chains are no such lines.
std::optional<op::Affine> residual_candidate(const Chain& before, const CodeFunction& after, double scale, double shift,
                                             const ResidualInput& residual, int64_t channels) {
  std::optional<op::Affine> affine = affine_candidate(after.chain, scale, shift, channels);
  if (!affine || channels == 0) return std::nullopt;
  const double slope = affine->multiplier[0];
  affine->residual_multiplier = slope * residual.scale;
  affine->lowest = std::numeric_limits<int32_t>::max();
  affine->highest = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = before.affine(c);
    const auto tail = after.chain.affine(c);
    const size_t i = static_cast<size_t>(c);
    if (!form || form->knee || std::isfinite(form->lowest) || std::isfinite(form->highest)) return std::nullopt;
    if (affine->multiplier[i] != slope || slope <= 0) return std::nullopt;
    affine->offset[i] += slope * form->offset;
    affine->multiplier[i] = slope * form->slope;
    affine->lowest = std::min(affine->lowest, after.code(tail->lowest));
    affine->highest = std::max(affine->highest, after.code(tail->highest));
  }
  return affine;
}

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
  const int32_t highest = thresholds.lowest + static_cast<int32_t>(thresholds.steps);
  const auto admitted = [&](op::Affine candidate) -> std::optional<op::Affine> {
    candidate.lowest = thresholds.lowest;
    candidate.highest = highest;
    if (!gives_codes(candidate, function, domain, channels)) return std::nullopt;
    shrink(candidate);
    return candidate;
  };
  std::optional<op::Affine> own;
  if (rounds_half_even(function.quantizer)) {
    own = affine_candidate(function.chain, function.scale, -function.grid.base, channels);
  }
  // From the cheapest to the dearest.
  if (own) {
    if (const auto found = admitted(in_float32(*own))) return *found;
  }
  if (domain.kind == SumDomain::Kind::Integer) {
    if (const auto lines = find_lines(thresholds, domain)) {
      if (const auto found = fixed_point(*lines, thresholds.lowest, highest)) return *found;
      if (const auto found = admitted(in_float32(affine(*lines, thresholds.lowest, highest)))) return *found;
    }
  }
  if (own) {
    if (const auto found = admitted(*own)) return *found;
  }
  return thresholds;
}

std::optional<op::Epilogue> find_residual_epilogue(const Chain& before, const CodeFunction& after,
                                                   const ResidualInput& residual, const SumDomain& domain,
                                                   int64_t channels) {
  for (const auto& [scale, shift] : units_of(after, residual)) {
    const auto affine = residual_candidate(before, after, scale, shift, residual, channels);
    if (!affine) return std::nullopt;
    if (!residual.grid) return op::Epilogue(*affine);
    for (const op::Affine& candidate : {in_float32(*affine), *affine}) {
      if (gives_codes(candidate, before, after, residual, domain, channels)) return op::Epilogue(candidate);
    }
  }
  return std::nullopt;
}

std::optional<op::RealAffine> find_real_epilogue(const Chain& chain, int64_t channels) {
  op::RealAffine result;
  for (int64_t c = 0; c < channels; ++c) {
    const auto form = chain.affine(c);
    if (!form || form->knee) return std::nullopt;
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
