// Functions from sums to codes, and what an epilogue computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/elementwise.h"
#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

inline ScalarFunction operand(op::BinaryFunction function, std::vector<double> values) {
  return {ScalarFunction::Binary{function, ChannelValues(std::move(values)), false}};
}

inline CodeFunction quantizer(Chain chain, int bits, bool is_signed, double scale) {
  Quantizer q;
  q.lowest = is_signed ? -std::ldexp(1, bits - 1) : 0;
  q.highest = std::ldexp(1, bits) - 1 + q.lowest;
  return {std::move(chain),
          {ScalarFunction::FakeQuant{q, ChannelValues({scale}), ChannelValues({0})}},
          Grid{bits, 1, static_cast<int32_t>(q.lowest)},
          scale};
}

inline SumDomain integers(int64_t lowest, int64_t highest, size_t channels) {
  return {SumDomain::Kind::Integer, std::vector<int64_t>(channels, lowest), std::vector<int64_t>(channels, highest)};
}

/// The code of an epilogue by its definition in schema/tidbit.fbs.
inline int32_t code_of(const op::Epilogue& epilogue, double sum, size_t c, double residual = 0) {
  if (const auto* t = std::get_if<op::Thresholds>(&epilogue)) {
    const size_t channel = t->channels == 1 ? 0 : c;
    const double s = t->falling[channel] ? -sum : sum;
    int32_t code = t->lowest;
    for (int64_t k = 0; k < t->steps; ++k)
      code += s >= t->values[channel * static_cast<size_t>(t->steps) + static_cast<size_t>(k)];
    return code;
  }
  if (const auto* f = std::get_if<op::FixedPoint>(&epilogue)) {
    const size_t channel = f->line.shift.size() == 1 ? 0 : c;
    const auto s = static_cast<int64_t>(sum);
    const op::FixedPointLine& line = !f->knee.empty() && s < f->knee[channel] ? f->below : f->line;
    const int64_t code = (s * line.multiplier[channel] + line.offset[channel]) >> line.shift[channel];
    return static_cast<int32_t>(std::clamp<int64_t>(code, f->lowest, f->highest));
  }
  const auto& a = std::get<op::Affine>(epilogue);
  const double m = a.multiplier[a.multiplier.size() == 1 ? 0 : c], b = a.offset[a.offset.size() == 1 ? 0 : c];
  const size_t i = a.knee.size() == 1 ? 0 : c;
  double y = 0;
  if (a.float32) {
    float f = static_cast<float>(sum) * static_cast<float>(m);
    f = f + static_cast<float>(b);
    f = f + static_cast<float>(residual) * static_cast<float>(a.residual_multiplier);
    if (!a.knee.empty() && f < static_cast<float>(a.knee[i])) {
      f = f * static_cast<float>(a.slope_below[i]);
      f = f + static_cast<float>(a.offset_below[i]);
    }
    y = f;
  } else {
    y = sum * m;
    y = y + b;
    y = y + residual * a.residual_multiplier;
    if (!a.knee.empty() && y < a.knee[i]) {
      y = y * a.slope_below[i];
      y = y + a.offset_below[i];
    }
  }
  return static_cast<int32_t>(clip(std::nearbyint(y), a.lowest, a.highest));
}

}  // namespace tidbit::compiler
