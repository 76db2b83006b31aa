// What operators on quantized integers share: scales, zero points, and how integers become reals.
#pragma once

#include "compiler/evaluate/operators.h"
#include "compiler/import/node_import.h"

namespace tidbit::compiler {

/// Of real = (q - zero_point) * scale; both broadcast against the tensor.
struct LinearScale {
  Tensor scale, zero_point;
};

/// From input `first`, a scale, and the one behind it, a zero point that may be absent: each one number, or one an
/// index of `axis` of a tensor of this shape.
LinearScale read_linear_scale(const NodeImport&, size_t first, const Shape& shape, int64_t axis);

/// The zero point at an input; 0 where that is absent.
Tensor read_zero_point(const NodeImport&, size_t input, const Shape& shape, int64_t axis);

/// The reals that an input of integers stands for. Constants are put on the grid of the fewest bits that holds them.
ValueId dequantized(NodeImport&, size_t input, const LinearScale&);

/// An input of integers less a zero point.
ValueId shifted_integers(NodeImport&, size_t input, const Tensor& zero_point);

/// The constant integers * scale, behind a quantizer that tells their grid where 8 bits hold them.
ValueId on_grid(NodeImport&, Tensor integers, const Tensor& scale);

}  // namespace tidbit::compiler
