// The shape rules behind output_shapes(), for callers that name the node in their own way.
#pragma once

#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// As output_shapes(), but what is thrown does not name the node.
std::vector<Shape> infer_shapes(const Graph&, const Node&);

/// numpy's rules.
Shape broadcast(const Shape& a, const Shape& b);

/// The extent of a convolution's or pool's output along spatial axis 0 (y) or 1 (x).
int64_t output_extent(const Window&, int axis, int64_t input_extent);

/// [N,H,W,C], or [1,1,product of the leading axes,C]: the image that a lowered linear layer sees.
Shape as_image(const Shape&);

}  // namespace tidbit::compiler
