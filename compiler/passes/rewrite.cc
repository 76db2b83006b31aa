#include "compiler/passes/rewrite.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

namespace tidbit::compiler {

void sort_topologically(Graph& graph) {
  const std::vector<int32_t> producer = producers(graph);
  std::vector<Node> sorted;
  sorted.reserve(graph.nodes.size());
  enum class Mark : uint8_t { New, Open, Done };
  std::vector<Mark> marks(graph.nodes.size(), Mark::New);
  std::vector<int32_t> stack;  // depth first without recursion: an untrusted graph may be very deep
  for (size_t root = 0; root < graph.nodes.size(); ++root) {
    stack.push_back(static_cast<int32_t>(root));
    while (!stack.empty()) {
      const size_t index = static_cast<size_t>(stack.back());
      Node& node = graph.nodes[index];
      if (marks[index] == Mark::Done) {
        stack.pop_back();
        continue;
      }
      const bool first_visit = marks[index] == Mark::New;
      marks[index] = Mark::Open;
      bool ready = true;
      for (ValueId input : node.inputs) {
        const int32_t before = input == kNoValue ? -1 : producer[static_cast<size_t>(input)];
        if (before < 0 || marks[static_cast<size_t>(before)] == Mark::Done) continue;
        if (!first_visit) throw CompileError(node.name + ": the graph has a cycle through this node");
        stack.push_back(before);
        ready = false;
      }
      if (!ready) continue;
      marks[index] = Mark::Done;
      sorted.push_back(std::move(node));
      stack.pop_back();
    }
  }
  graph.nodes = std::move(sorted);
}

void remove_dead(Graph& graph) {
  std::vector<bool> live(graph.values.size(), false);
  for (ValueId output : graph.outputs) live[static_cast<size_t>(output)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool needed = std::ranges::any_of(node->outputs, [&](ValueId v) { return live[static_cast<size_t>(v)]; });
    for (ValueId output : node->outputs) live[static_cast<size_t>(output)] = needed;
    if (!needed) continue;
    for (ValueId input : node->inputs) {
      if (input != kNoValue) live[static_cast<size_t>(input)] = true;
    }
  }
  std::erase_if(graph.nodes, [&](const Node& node) { return !live[static_cast<size_t>(node.outputs[0])]; });
  for (ValueId input : graph.inputs) live[static_cast<size_t>(input)] = true;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (!live[i]) graph.values[i] = Value{};
  }
}

void replace_readers(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) std::ranges::replace(node.inputs, from, to);
  std::ranges::replace(graph.outputs, from, to);
}

std::vector<int> channels_last_permutation(size_t rank) {
  std::vector<int> permutation(rank);
  std::iota(permutation.begin(), permutation.end(), 0);
  if (rank > 1) std::rotate(permutation.begin() + 1, permutation.begin() + 2, permutation.end());
  return permutation;
}

bool is_identity(const std::vector<int>& permutation) { return std::ranges::is_sorted(permutation); }

std::vector<int> inverse(const std::vector<int>& permutation) {
  std::vector<int> result(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) result[static_cast<size_t>(permutation[i])] = static_cast<int>(i);
  return result;
}

Shape permuted(const Shape& shape, const std::vector<int>& permutation) {
  Shape result(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) result[i] = shape[static_cast<size_t>(permutation[i])];
  return result;
}

Tensor permuted_operand(const Tensor& tensor, const std::vector<int>& permutation) {
  const size_t rank = permutation.size();
  Shape full(rank - tensor.shape.size(), 1);
  full.insert(full.end(), tensor.shape.begin(), tensor.shape.end());
  Tensor result{permuted(full, permutation), std::vector<double>(tensor.data.size())};
  std::vector<int64_t> strides(rank, 1);  // of `full`
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * full[i];
  for (size_t flat = 0; flat < result.data.size(); ++flat) {
    int64_t rest = static_cast<int64_t>(flat), source = 0;
    for (size_t i = rank; i-- > 0;) {
      source += rest % result.shape[i] * strides[static_cast<size_t>(permutation[i])];
      rest /= result.shape[i];
    }
    result.data[flat] = tensor.data[static_cast<size_t>(source)];
  }
  return result;
}

void name_permuted(Value& permuted, const Value& original, const std::vector<int>& permutation) {
  const std::vector<int> to_last = channels_last_permutation(permutation.size());
  if (!original.channels_last && permutation == to_last) {
    permuted.name = original.name;
    permuted.channels_last = true;
  } else if (original.channels_last && permutation == inverse(to_last)) {
    permuted.name = original.name;
  }
}

std::optional<ElementwiseInputs> elementwise_inputs(const Graph& graph, const Node& node) {
  const bool elementwise = std::visit(
      [](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        return std::is_same_v<Op, op::Binary> || std::is_same_v<Op, op::Unary> || std::is_same_v<Op, op::LeakyRelu> ||
               std::is_same_v<Op, op::PRelu> || std::is_same_v<Op, op::Clip> || std::is_same_v<Op, op::FakeQuant> ||
               std::is_same_v<Op, op::Trunc>;
      },
      node.op);
  if (!elementwise) return std::nullopt;
  ElementwiseInputs inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    (graph[node.inputs[i]].constant ? inputs.constant : inputs.varying).push_back(i);
  }
  return inputs;
}

}  // namespace tidbit::compiler
