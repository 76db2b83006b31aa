#include <algorithm>

#include "compiler/evaluate.h"
#include "compiler/lowering/quantization.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// The axis along which a tensor varies: -1 for none, empty where there are two.
std::optional<int> varying_axis(const Tensor& tensor) {
  std::optional<int> result = -1;
  int64_t inner = 1;
  for (size_t axis = tensor.shape.size(); axis-- > 0;) {
    bool varies = false;
    const int64_t extent = tensor.shape[axis];
    for (int64_t i = 0; i < static_cast<int64_t>(tensor.data.size()) && !varies; ++i) {
      const int64_t index = i / inner % extent;
      varies = tensor.data[static_cast<size_t>(i)] != tensor.data[static_cast<size_t>(i - index * inner)];
    }
    if (varies && *result >= 0) return std::nullopt;
    if (varies) result = static_cast<int>(axis);
    inner *= extent;
  }
  return result;
}

/// The scale of each element of a constant.
Tensor scales_of(const Shape& shape, const Quantization& q) {
  Tensor result{shape, std::vector<double>(static_cast<size_t>(elements(shape)), q.scales[0])};
  if (q.axis < 0) return result;
  const auto axis = static_cast<ptrdiff_t>(q.axis);
  const int64_t inner = elements({shape.begin() + axis + 1, shape.end()}), extent = shape[static_cast<size_t>(axis)];
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = q.scales[static_cast<size_t>(static_cast<int64_t>(i) / inner % extent)];
  }
  return result;
}

/// From the scale of each element.
std::optional<Quantization> quantization_with(const Tensor& scales, const Grid& grid) {
  if (scales.data.empty()) return std::nullopt;
  const std::optional<int> axis = varying_axis(scales);
  if (!axis) return std::nullopt;
  Quantization result{grid, {scales.data[0]}, *axis};
  if (*axis < 0) return result;
  const int64_t inner = elements({scales.shape.begin() + *axis + 1, scales.shape.end()});
  for (int64_t i = 1; i < scales.shape[static_cast<size_t>(*axis)]; ++i) {
    result.scales.push_back(scales.data[static_cast<size_t>(i * inner)]);
  }
  return result;
}

bool moves_elements(const Operator& op) {
  return std::holds_alternative<op::Transpose>(op) || std::holds_alternative<op::Reshape>(op) ||
         std::holds_alternative<op::Gather>(op);
}

/// The grid of a folded node's constant, where its input's grid or its own quantizer gives one. What moves elements
/// moves their scales.
std::optional<Quantization> folded_quantization(const Graph& graph, const Node& node) {
  const Value& input = graph[node.inputs[0]];
  if (const auto* quant = std::get_if<op::FakeQuant>(&node.op)) return quantization_of(quant->quantizer, input.shape);
  if (!input.quantization) return std::nullopt;
  const Quantization& q = *input.quantization;
  if (const auto* pad = std::get_if<op::Pad>(&node.op)) {
    return q.axis < 0 && code_of(pad->value, q) ? std::optional(q) : std::nullopt;
  }
  if (!moves_elements(node.op)) return std::nullopt;
  if (q.axis < 0) return q;
  const Tensor scales = scales_of(input.shape, q);
  const Tensor* const argument = &scales;
  return quantization_with(evaluate_node(graph, node, std::span(&argument, 1))[0], q.grid);
}

}  // namespace

void fold_constants(Graph& graph) {
  for (const Node& node : graph.nodes) {
    const bool constant = std::ranges::all_of(
        node.inputs, [&](ValueId input) { return input == kNoValue || graph[input].constant.has_value(); });
    if (!constant || node.inputs.empty() || node.outputs.size() != 1) continue;
    std::vector<const Tensor*> inputs;
    for (ValueId input : node.inputs) inputs.push_back(input == kNoValue ? nullptr : &*graph[input].constant);
    std::vector<Tensor> outputs = evaluate_node(graph, node, inputs);
    Value& value = graph[node.outputs[0]];
    value.quantization = folded_quantization(graph, node);
    value.constant = std::move(outputs[0]);
  }
  std::erase_if(graph.nodes, [&](const Node& node) { return graph[node.outputs[0]].constant.has_value(); });
}

}  // namespace tidbit::compiler
