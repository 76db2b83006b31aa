// ArgMax, ArgMin, TopK and NonMaxSuppression. Indices are reals in the graph: float32 holds those below 2^24.
#include <fmt/format.h>

#include <cmath>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

constexpr int64_t kMostExact = 1 << 24;

void check_indices(const NodeImport& node, int64_t extent) {
  if (extent > kMostExact) node.fail(fmt::format("an extent of {} has indices that float32 does not hold", extent));
}

ValueId best_index(NodeImport& node, bool smallest) {
  const int64_t axis = node.axis_in(node.integer("axis", 0), node.rank(0));
  const int64_t extent = node.shape(0)[static_cast<size_t>(axis)];
  check_indices(node, extent);
  const op::TopK top = {.axis = static_cast<int>(axis), .k = 1, .smallest = smallest, .indices = true};
  ValueId result = node.input(0);
  if (node.integer("select_last_index", 0) == 0) {
    result = node.emit(top, {result});
  } else {  // the first from the end
    op::Gather reversed{static_cast<int>(axis), {}};
    for (int64_t i = extent; i-- > 0;) reversed.indices.push_back(i);
    const ValueId last = node.constant(Tensor::scalar(static_cast<double>(extent - 1)));
    result = node.binary(op::BinaryFunction::Sub, last, node.emit(top, {node.emit(reversed, {result})}));
  }
  if (node.integer("keepdims", 1) != 0) return result;
  Shape shape = node.shape_of(result);
  shape.erase(shape.begin() + axis);
  return node.reshape(result, shape);
}
ValueId arg_max(NodeImport& node) { return best_index(node, false); }
ValueId arg_min(NodeImport& node) { return best_index(node, true); }

/// x, k; an attribute before opset 10. Whether sorted or not, they come in order.
ValueId top_k(NodeImport& node) {
  const int64_t axis = node.axis_in(node.integer("axis", -1), node.rank(0));
  const int64_t k = node.has_input(1) ? to_int64(node.constant_scalar(1, "k")) : node.integer("k", 0);
  check_indices(node, node.shape(0)[static_cast<size_t>(axis)]);
  op::TopK top = {.axis = static_cast<int>(axis), .k = k, .smallest = node.integer("largest", 1) == 0, .indices = true};
  node.add_output(node.emit(top, {node.input(0)}));
  top.indices = false;
  return node.emit(top, {node.input(0)});
}

/// boxes, scores, [most a class, overlap threshold, score threshold]
ValueId non_max_suppression(NodeImport& node) {
  const auto number = [&](size_t input, std::string_view what, double otherwise) {
    const double value = node.has_input(input) ? node.constant_scalar(input, what) : otherwise;
    if (std::isnan(value)) node.fail(fmt::format("{} is not a number", what));
    return value;
  };
  op::NonMaxSuppression op;
  const int64_t center = node.integer("center_point_box", 0);
  if (center != 0 && center != 1) node.fail(fmt::format("center_point_box {} is unknown", center));
  op.centered = center == 1;
  op.most_per_class = to_int64(number(2, "max_output_boxes_per_class", 0));
  op.overlap_threshold = static_cast<float>(number(3, "iou_threshold", 0));
  op.score_threshold = static_cast<float>(number(4, "score_threshold", op.score_threshold));
  if (node.rank(0) == 3) check_indices(node, node.shape(0)[1]);
  return node.emit(op, {node.input(0), node.input(1)});
}

}  // namespace

std::span<const OperatorImport> ranking_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"ArgMax", 1, 1, arg_max},
      {"ArgMin", 1, 1, arg_min},
      {"NonMaxSuppression", 2, 5, non_max_suppression},
      {"TopK", 1, 2, top_k},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
