#include "compiler/lowering/quantization.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidbit::compiler {
namespace {

/// The value that all elements share; empty where they differ.
std::optional<double> common_value(const Tensor& tensor) {
  if (tensor.data.empty()) return std::nullopt;
  const double first = tensor.data.front();
  if (!std::ranges::all_of(tensor.data, [&](double x) { return x == first; })) return std::nullopt;
  return first;
}

/// The axis of `shape` along which a tensor that broadcasts against it varies; empty where there are two.
std::optional<int> varying_axis(const Shape& tensor, const Shape& shape) {
  std::optional<int> axis;
  for (size_t i = 0; i < tensor.size(); ++i) {
    if (tensor[i] == 1) continue;
    const int candidate = static_cast<int>(shape.size() - tensor.size() + i);
    if (axis || tensor.size() > shape.size() || tensor[i] != shape[static_cast<size_t>(candidate)]) return std::nullopt;
    axis = candidate;
  }
  return axis;
}

}  // namespace

std::optional<Grid> integer_grid(double lowest, double highest, double zero_point) {
  if (!(highest >= lowest) || highest - lowest >= (1 << kMaxBits)) return std::nullopt;
  if (zero_point != std::floor(zero_point) || std::abs(zero_point) > (1 << 20) || std::abs(lowest) > (1 << 20)) {
    return std::nullopt;
  }
  const auto levels = static_cast<uint32_t>(highest - lowest) + 1;
  const int bits = std::max(1, static_cast<int>(std::bit_width(levels - 1)));
  const bool narrow = lowest < 0 && levels == (1U << bits) - 1;
  return Grid{bits, 1, static_cast<int32_t>(lowest) - static_cast<int32_t>(zero_point) - (narrow ? 1 : 0)};
}

std::optional<Grid> narrowest_grid(const std::vector<double>& integers) {
  constexpr double kMost = 1 << 20;
  const auto small = [](double q) { return q == std::floor(q) && std::abs(q) < kMost; };
  if (integers.empty() || !std::ranges::all_of(integers, small)) return std::nullopt;
  if (std::ranges::all_of(integers, [](double q) { return std::abs(q) == 1; })) return Grid{1, 2, -1};
  const auto [least, most] = std::ranges::minmax(integers);
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    const int32_t base = least < 0 ? -(1 << (bits - 1)) : 0;
    if (base <= least && most < base + (1 << bits)) return Grid{bits, 1, base};
  }
  if (most - least >= 1 << kMaxBits) return std::nullopt;
  return Grid{kMaxBits, 1, static_cast<int32_t>(least)};
}

std::optional<Quantization> quantization_of(const Quantizer& quantizer, const Shape& shape) {
  Quantization result;
  if (quantizer.bipolar) {
    result.grid = Grid{1, 2, -1};
  } else {
    const auto zero_point = common_value(quantizer.zero_point);
    if (!zero_point) return std::nullopt;
    const auto grid = integer_grid(quantizer.lowest, quantizer.highest, *zero_point);
    if (!grid) return std::nullopt;
    result.grid = *grid;
  }
  for (double scale : quantizer.scale.data) {
    if (!(scale > 0) || !std::isfinite(scale)) return std::nullopt;
  }
  if (const auto scale = common_value(quantizer.scale)) {
    result.scales = {*scale};
    return result;
  }
  const auto axis = varying_axis(quantizer.scale.shape, shape);
  if (!axis) return std::nullopt;
  result.axis = *axis;
  result.scales = quantizer.scale.data;
  return result;
}

std::optional<int32_t> code_of(double real, const Quantization& q) {
  const double code = std::nearbyint((real / q.scales[0] - q.grid.base) / q.grid.step);
  if (!(code >= 0 && code < q.grid.levels())) return std::nullopt;
  const auto integer = static_cast<int32_t>(code);
  if (q.scales[0] * q.grid.value(integer) != real) return std::nullopt;
  return integer;
}

std::vector<uint8_t> codes_of(const Tensor& tensor, const Quantization& q) {
  int64_t inner = 1;  // elements between two indices of the axis
  if (q.axis >= 0) {
    for (size_t i = static_cast<size_t>(q.axis) + 1; i < tensor.shape.size(); ++i) inner *= tensor.shape[i];
  }
  std::vector<uint8_t> codes(tensor.data.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const int64_t index = static_cast<int64_t>(i) / inner % static_cast<int64_t>(q.scales.size());
    const double value = std::round(tensor.data[i] / scale_at(q, index));
    codes[i] = static_cast<uint8_t>((value - q.grid.base) / q.grid.step);
  }
  return codes;
}

}  // namespace tidbit::compiler
