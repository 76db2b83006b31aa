// The shape rules behind output_shapes(), one an operator, in files by kind. Each gives the shapes of a node's outputs;
// what does not fit is thrown as a CompileError that does not name the node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// A node and what is known of its inputs.
struct NodeShapes {
  const Graph& graph;
  const Node& node;

  bool has(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  const Shape& shape(size_t i) const;
  int32_t levels_of(size_t i) const { return graph[node.inputs[i]].quantization->grid.levels(); }
  int64_t channels() const { return shape(0).empty() ? 1 : shape(0).back(); }

  void require_inputs(size_t least, size_t most) const;
  void require_codes(size_t i) const;

  /// The one output of a node that has one input and its shape.
  std::vector<Shape> elementwise() const;
};

void require(bool holds, const std::string& what);
void require_epilogue_fits(const op::Epilogue&, int64_t channels);

/// Whether per-channel parameters fit: one for all, or one each.
inline bool same_or_one(size_t count, int64_t channels) {
  return count == 1 || static_cast<int64_t>(count) == channels;
}

inline int rank(const Shape& shape) { return static_cast<int>(shape.size()); }

// shapes/imported_operators.cc
std::vector<Shape> shapes_of(const op::Convolution&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::MatMul&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::BatchNormalization&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Binary&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::PRelu&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::FakeQuant&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Unary&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::LeakyRelu&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Clip&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Trunc&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::MultiThreshold&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Softmax&, const NodeShapes&);

// shapes/window_operators.cc
std::vector<Shape> shapes_of(const op::MaxPool&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::AveragePool&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::CodePool&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Resize&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Interpolate&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::CodeInterpolate&, const NodeShapes&);

// shapes/layout_operators.cc
std::vector<Shape> shapes_of(const op::Reshape&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Transpose&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Concat&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Pad&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Gather&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::TopK&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::NonMaxSuppression&, const NodeShapes&);

// shapes/lowered_operators.cc
std::vector<Shape> shapes_of(const op::Linear&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Quantize&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Dequantize&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Lookup&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Combine&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::ResidualAdd&, const NodeShapes&);
std::vector<Shape> shapes_of(const op::Map&, const NodeShapes&);

}  // namespace tidbit::compiler
