#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "compiler/shapes/node_shapes.h"

namespace tidbit::compiler {
namespace {

bool is_permutation(std::vector<int> axes) {
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int>(i)) return false;
  }
  return true;
}

}  // namespace

std::vector<Shape> shapes_of(const op::Reshape&, const NodeShapes& node) {
  node.require_inputs(1, 1);
  require(node.node.outputs.size() == 1, "must have one output");
  const Shape& to = node.graph[node.node.outputs[0]].shape;
  require(elements(to) == elements(node.shape(0)),
          "cannot reshape " + to_string(node.shape(0)) + " to " + to_string(to));
  return {to};
}

std::vector<Shape> shapes_of(const op::Transpose& transpose, const NodeShapes& node) {
  node.require_inputs(1, 1);
  const Shape& x = node.shape(0);
  require(transpose.permutation.size() == x.size() && is_permutation(transpose.permutation),
          "no permutation of the axes of " + to_string(x));
  Shape result;
  for (const int axis : transpose.permutation) result.push_back(x[static_cast<size_t>(axis)]);
  return {result};
}

std::vector<Shape> shapes_of(const op::Concat& concat, const NodeShapes& node) {
  node.require_inputs(1, node.node.inputs.size());
  Shape result = node.shape(0);
  require(concat.axis >= 0 && concat.axis < rank(result), "axis out of range");
  const auto axis = static_cast<size_t>(concat.axis);
  for (size_t i = 1; i < node.node.inputs.size(); ++i) {
    Shape other = node.shape(i);
    require(other.size() == result.size(), "inputs of different ranks");
    const int64_t extent = other[axis];
    other[axis] = result[axis];
    require(other == result, "inputs " + to_string(node.shape(0)) + " and " + to_string(node.shape(i)) + " do not fit");
    result[axis] += extent;
  }
  return {result};
}

std::vector<Shape> shapes_of(const op::Pad& pad, const NodeShapes& node) {
  node.require_inputs(1, 1);
  Shape result = node.shape(0);
  require(pad.before.size() == result.size() && pad.after.size() == result.size(), "needs pads for each axis");
  for (size_t i = 0; i < result.size(); ++i) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    require(pad.before[i] >= 0 && pad.after[i] >= 0, "negative pads are not supported");
    require(pad.before[i] <= kMost && pad.after[i] <= kMost, "pads are too large");
    result[i] += pad.before[i] + pad.after[i];
  }
  return {result};
}

std::vector<Shape> shapes_of(const op::Gather& gather, const NodeShapes& node) {
  node.require_inputs(1, 1);
  Shape result = node.shape(0);
  require(gather.axis >= 0 && gather.axis < rank(result), "axis out of range");
  int64_t& extent = result[static_cast<size_t>(gather.axis)];
  for (const int64_t index : gather.indices) {
    require(index >= 0 && index < extent, fmt::format("index {} is out of range for an extent of {}", index, extent));
  }
  extent = static_cast<int64_t>(gather.indices.size());
  return {result};
}

std::vector<Shape> shapes_of(const op::TopK& top, const NodeShapes& node) {
  node.require_inputs(1, 1);
  Shape result = node.shape(0);
  require(top.axis >= 0 && top.axis < rank(result), "axis out of range");
  int64_t& extent = result[static_cast<size_t>(top.axis)];
  require(top.k >= 1 && top.k <= extent, fmt::format("{} elements of an extent of {}", top.k, extent));
  extent = top.k;
  return {result};
}

std::vector<Shape> shapes_of(const op::NonMaxSuppression& suppression, const NodeShapes& node) {
  node.require_inputs(2, 2);
  const Shape &boxes = node.shape(0), &scores = node.shape(1);
  const bool fit =
      boxes.size() == 3 && scores.size() == 3 && boxes[2] == 4 && boxes[0] == scores[0] && boxes[1] == scores[2];
  require(fit, "boxes " + to_string(boxes) + " and scores " + to_string(scores) + " are not [B,N,4] and [B,C,N]");
  require(suppression.most_per_class >= 1, "selects no boxes");
  return {{elements({scores[0], scores[1], std::min(suppression.most_per_class, scores[2])}), 3}};
}

}  // namespace tidbit::compiler
