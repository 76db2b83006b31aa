#include <algorithm>

#include "compiler/evaluate.h"
#include "compiler/lowering/quantization.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// Where a reshape puts an axis; -1 where it splits or joins it.
int reshaped_axis(const Shape& from, int axis, const Shape& to) {
  int64_t outer = 1;
  for (int i = 0; i < axis; ++i) outer *= from[static_cast<size_t>(i)];
  int64_t before = 1;
  for (size_t i = 0; i < to.size(); before *= to[i], ++i) {
    if (before == outer && to[i] == from[static_cast<size_t>(axis)]) return static_cast<int>(i);
  }
  return -1;
}

/// The grid of a folded node's constant, where its input's grid or its own quantizer gives one.
std::optional<Quantization> folded_quantization(const Graph& graph, const Node& node) {
  const Value& input = graph[node.inputs[0]];
  if (const auto* quant = std::get_if<op::FakeQuant>(&node.op)) return quantization_of(quant->quantizer, input.shape);
  if (!input.quantization) return std::nullopt;
  Quantization q = *input.quantization;
  if (q.axis < 0) {
    const bool moves = std::holds_alternative<op::Transpose>(node.op) || std::holds_alternative<op::Reshape>(node.op);
    return moves ? std::optional(q) : std::nullopt;
  }
  if (const auto* transpose = std::get_if<op::Transpose>(&node.op)) {
    q.axis = inverse(transpose->permutation)[static_cast<size_t>(q.axis)];
    return q;
  }
  if (std::holds_alternative<op::Reshape>(node.op)) {
    q.axis = reshaped_axis(input.shape, q.axis, graph[node.outputs[0]].shape);
    return q.axis < 0 ? std::nullopt : std::optional(q);
  }
  return std::nullopt;
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
