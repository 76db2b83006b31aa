// The scalar functions behind elementwise operators, in double precision. The evaluator and the search for thresholds
// both call these, so that a lowered layer starts from the very numbers of the reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "compiler/graph.h"

namespace tidbit::compiler {

inline double batch_normalization(double x, double scale, double bias, double mean, double variance, double epsilon) {
  return scale * (x - mean) / std::sqrt(variance + epsilon) + bias;
}

inline double apply(op::BinaryFunction function, double a, double b) {
  switch (function) {
    case op::BinaryFunction::Add:
      return a + b;
    case op::BinaryFunction::Sub:
      return a - b;
    case op::BinaryFunction::Mul:
      return a * b;
    case op::BinaryFunction::Div:
      return a / b;
    case op::BinaryFunction::Pow:
      return std::pow(a, b);
  }
  return 0;
}

inline double apply(op::UnaryFunction function, double x) {
  switch (function) {
    case op::UnaryFunction::Relu:
      return std::max(x, 0.0);
    case op::UnaryFunction::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case op::UnaryFunction::Tanh:
      return std::tanh(x);
  }
  return 0;
}

inline double leaky_relu(double x, double slope) { return x < 0 ? x * slope : x; }

inline double clip(double x, double lowest, double highest) { return std::min(std::max(x, lowest), highest); }

/// The thresholds of a channel ascend.
inline double reached_thresholds(std::span<const double> thresholds, double x) {
  return static_cast<double>(std::upper_bound(thresholds.begin(), thresholds.end(), x) - thresholds.begin());
}

/// The integer that a quantizer (not a bipolar one) gives x: before the zero point is taken away and the scale applied.
inline double quantized_integer(const Quantizer& q, double x, double scale, double zero_point) {
  return clip(round_to_integer(x / scale + zero_point, q.rounding), q.lowest, q.highest);
}

inline double fake_quant(const Quantizer& q, double x, double scale, double zero_point) {
  if (q.bipolar) return x >= 0 ? scale : -scale;
  return (quantized_integer(q, x, scale, zero_point) - zero_point) * scale;
}

/// The integer that a Trunc gives x, before the output's zero point and scale.
inline double truncated_integer(const op::Trunc& t, double x) {
  const double q = round_to_integer(x / t.scale + t.zero_point, Rounding::HalfEven);
  return clip(round_to_integer(q / t.divisor, t.rounding), t.lowest, t.highest);
}

inline double trunc(const op::Trunc& t, double x) {
  return (truncated_integer(t, x) - t.output_zero_point) * t.output_scale;
}

}  // namespace tidbit::compiler
