// From fake quantizers to integer grids.
#pragma once

#include <optional>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// The widest grid the file holds.
constexpr int kMaxBits = 8;

/// The grid of the integers [lowest, highest] less a zero point; empty where it takes more than kMaxBits bits. Ranges
/// that lack just the lowest of a signed power of two (narrow, ternary) get the whole one: base stays even, and code 0
/// unused.
std::optional<Grid> integer_grid(double lowest, double highest, double zero_point);

/// The grid of the fewest bits that holds integers as weights are: all of them +-1, or from 0 on, or in two's
/// complement, or beside the middle; empty where they take more than kMaxBits bits, or are no integers.
std::optional<Grid> narrowest_grid(const std::vector<double>& integers);

/// What a quantizer makes of a tensor of this shape: a grid and a scale, or a scale an index of one axis. Empty where
/// it has no such form (more than kMaxBits bits, a fractional zero point or one that varies, scales over two axes).
std::optional<Quantization> quantization_of(const Quantizer& quantizer, const Shape& shape);

/// The codes of real values that lie on the grid, in the tensor's order.
std::vector<uint8_t> codes_of(const Tensor& tensor, const Quantization& quantization);

/// The code of a real value; empty where that is not on the grid, which has one scale.
std::optional<int32_t> code_of(double real, const Quantization& quantization);

/// The scale of each element of `axis`, or the one scale.
inline double scale_at(const Quantization& q, int64_t index) {
  return q.scales.size() == 1 ? q.scales[0] : q.scales[static_cast<size_t>(index)];
}

}  // namespace tidbit::compiler
