#include <algorithm>
#include <numeric>
#include <optional>

#include "compiler/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

bool moves_elements(const Node& node) {
  return std::holds_alternative<op::Transpose>(node.op) || std::holds_alternative<op::Reshape>(node.op);
}

/// Whether a chain of movements leaves the elements in their order: tried on the indices themselves.
bool keeps_order(const Graph& graph, const std::vector<const Node*>& chain) {
  Tensor indices{graph[chain.front()->inputs[0]].shape, {}};
  indices.data.resize(static_cast<size_t>(elements(indices.shape)));
  std::iota(indices.data.begin(), indices.data.end(), 0.0);
  for (const Node* node : chain) {
    const Tensor* input = &indices;
    indices = std::move(evaluate_node(graph, *node, std::span(&input, 1))[0]);
  }
  return std::ranges::is_sorted(indices.data);
}

}  // namespace

void merge_movement(Graph& graph) {
  const std::vector<int32_t> producer = producers(graph);
  for (Node& node : graph.nodes) {
    if (!moves_elements(node)) continue;
    // The longest chain that ends here and keeps the order is one reshape of its first input.
    std::vector<const Node*> chain{&node};
    std::optional<ValueId> source;
    while (true) {
      const ValueId input = chain.front()->inputs[0];
      if (keeps_order(graph, chain)) source = input;
      const int32_t before = producer[static_cast<size_t>(input)];
      if (before < 0 || !moves_elements(graph.nodes[static_cast<size_t>(before)])) break;
      chain.insert(chain.begin(), &graph.nodes[static_cast<size_t>(before)]);
    }
    if (!source) continue;
    node.op = op::Reshape{};
    node.inputs[0] = *source;
  }
  remove_dead(graph);
  // Reshapes to the shape they start from are nothing, but a graph output keeps the node that gives it its name.
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!std::holds_alternative<op::Reshape>(node.op)) continue;
    const ValueId from = node.outputs[0], to = node.inputs[0];
    if (graph[from].shape == graph[to].shape && !std::ranges::count(graph.outputs, from)) {
      replace_readers(graph, from, to);
    }
  }
  remove_dead(graph);
}

}  // namespace tidbit::compiler
