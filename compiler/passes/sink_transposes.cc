#include <algorithm>
#include <map>
#include <optional>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// Rewrites the graph node by node, into `nodes`.
class Sinker {
 public:
  explicit Sinker(Graph& graph) : graph_(graph) {}

  void run() {
    std::vector<Node> old = std::move(graph_.nodes);
    for (size_t i = 0; i < old.size(); ++i) visit(std::move(old[i]), old, i);
    graph_.nodes = std::move(nodes_);
    remove_dead(graph_);
  }

 private:
  const op::Transpose* transpose_of(ValueId value) const {
    const auto producer = producer_.find(value);
    return producer == producer_.end() ? nullptr : std::get_if<op::Transpose>(&nodes_[producer->second].op);
  }
  ValueId source_of(ValueId value) const { return nodes_[producer_.at(value)].inputs[0]; }

  void emit(Node node) {
    for (ValueId output : node.outputs) producer_[output] = nodes_.size();
    nodes_.push_back(std::move(node));
  }

  void visit(Node node, std::vector<Node>& old, size_t index) {
    if (auto* transpose = std::get_if<op::Transpose>(&node.op)) {
      merge_with_producer(node, *transpose);
      if (is_identity(transpose->permutation) && skip(node, node.inputs[0], old, index)) return;
      const auto [same, is_new] =
          transposes_.emplace(std::pair(node.inputs[0], transpose->permutation), node.outputs[0]);
      if (!is_new && skip(node, same->second, old, index)) return;
      return emit(std::move(node));
    }
    const std::optional<std::vector<int>> permutation = shared_permutation(node);
    if (!permutation || !permute_attributes(node, *permutation)) return emit(std::move(node));
    permute_inputs(node, *permutation);
    const ValueId output = node.outputs[0];
    Value moved;
    moved.shape = permuted(graph_[output].shape, inverse(*permutation));
    name_permuted(moved, graph_[output], inverse(*permutation));
    node.outputs[0] = graph_.add(std::move(moved));
    Node after{node.name + "/transposed", op::Transpose{*permutation}, {node.outputs[0]}, {output}};
    emit(std::move(node));
    emit(std::move(after));
  }

  void merge_with_producer(Node& node, op::Transpose& transpose) {
    const op::Transpose* before = transpose_of(node.inputs[0]);
    if (!before) return;
    for (int& axis : transpose.permutation) axis = before->permutation[static_cast<size_t>(axis)];
    node.inputs[0] = source_of(node.inputs[0]);
  }

  /// Readers of the node's output read `to`, which is equal, instead; unless a graph output would lose its name.
  bool skip(const Node& node, ValueId to, std::vector<Node>& old, size_t index) {
    const ValueId from = node.outputs[0];
    if (std::ranges::count(graph_.outputs, from) && graph_[to].name != graph_[from].name) {
      if (!graph_[to].name.empty() || graph_[from].name.empty()) return false;
      graph_[to].name = graph_[from].name;
    }
    for (size_t i = index + 1; i < old.size(); ++i) std::ranges::replace(old[i].inputs, from, to);
    std::ranges::replace(graph_.outputs, from, to);
    return true;
  }

  /// The permutation that transposes all varying inputs of a node through which transposes may sink.
  std::optional<std::vector<int>> shared_permutation(const Node& node) const {
    std::vector<size_t> varying;
    if (const auto inputs = elementwise_inputs(graph_, node)) {
      varying = inputs->varying;
    } else if (std::holds_alternative<op::Concat>(node.op)) {
      for (size_t i = 0; i < node.inputs.size(); ++i) varying.push_back(i);
    } else {
      varying = {0};
    }
    std::optional<std::vector<int>> shared;
    for (size_t i : varying) {
      const op::Transpose* transpose = transpose_of(node.inputs[i]);
      if (!transpose && std::holds_alternative<op::Binary>(node.op) && has_output_shape(node, i)) continue;
      if (!transpose || (shared && *shared != transpose->permutation)) return std::nullopt;
      shared = transpose->permutation;
    }
    // One that makes channels last stays above: per-channel functions want their channels there.
    if (shared && *shared == channels_last_permutation(shared->size())) return std::nullopt;
    if (shared && shared->size() != graph_[node.outputs[0]].shape.size()) return std::nullopt;
    return shared;
  }

  /// An operand that does not broadcast can be transposed as well as its partner.
  bool has_output_shape(const Node& node, size_t input) const {
    return graph_[node.inputs[input]].shape == graph_[node.outputs[0]].shape;
  }

  /// Makes the operator work on the untransposed axes; false where no transpose may pass it.
  static bool permute_attributes(Node& node, const std::vector<int>& permutation) {
    const auto source_axis = [&](int axis) { return permutation[static_cast<size_t>(axis)]; };
    if (auto* quant = std::get_if<op::FakeQuant>(&node.op)) {
      quant->quantizer.scale = permuted_operand(quant->quantizer.scale, inverse(permutation));
      quant->quantizer.zero_point = permuted_operand(quant->quantizer.zero_point, inverse(permutation));
    } else if (auto* norm = std::get_if<op::BatchNormalization>(&node.op)) {
      norm->axis = source_axis(norm->axis);
    } else if (auto* multi = std::get_if<op::MultiThreshold>(&node.op)) {
      multi->axis = source_axis(multi->axis);
    } else if (auto* softmax = std::get_if<op::Softmax>(&node.op)) {
      softmax->axis = source_axis(softmax->axis);
    } else if (auto* concat = std::get_if<op::Concat>(&node.op)) {
      concat->axis = source_axis(concat->axis);
    } else if (auto* pad = std::get_if<op::Pad>(&node.op)) {
      const op::Pad old = *pad;
      for (size_t i = 0; i < permutation.size(); ++i) {
        pad->before[static_cast<size_t>(permutation[i])] = old.before[i];
        pad->after[static_cast<size_t>(permutation[i])] = old.after[i];
      }
    } else {
      return std::holds_alternative<op::Binary>(node.op) || std::holds_alternative<op::Unary>(node.op) ||
             std::holds_alternative<op::LeakyRelu>(node.op) || std::holds_alternative<op::PRelu>(node.op) ||
             std::holds_alternative<op::Clip>(node.op) || std::holds_alternative<op::Trunc>(node.op);
    }
    return true;
  }

  void permute_inputs(Node& node, const std::vector<int>& permutation) {
    const bool has_operands = elementwise_inputs(graph_, node).has_value();
    for (ValueId& input : node.inputs) {
      if (transpose_of(input)) {
        input = source_of(input);
      } else if (has_operands && graph_[input].constant) {
        Value constant;
        constant.constant = permuted_operand(*graph_[input].constant, inverse(permutation));
        constant.shape = constant.constant->shape;
        input = graph_.add(std::move(constant));
      } else if (has_operands) {
        input = transposed(input, inverse(permutation));
      }
    }
  }

  ValueId transposed(ValueId value, const std::vector<int>& permutation) {
    const auto [found, is_new] = transposes_.emplace(std::pair(value, permutation), kNoValue);
    if (!is_new) return found->second;
    Value result;
    result.shape = permuted(graph_[value].shape, permutation);
    name_permuted(result, graph_[value], permutation);
    found->second = graph_.add(std::move(result));
    emit({"transposed/" + std::to_string(found->second), op::Transpose{permutation}, {value}, {found->second}});
    return found->second;
  }

  Graph& graph_;
  std::vector<Node> nodes_;
  std::map<ValueId, size_t> producer_;                                  // index in nodes_
  std::map<std::pair<ValueId, std::vector<int>>, ValueId> transposes_;  // made already, by source
};

}  // namespace

void sink_transposes(Graph& graph) { Sinker(graph).run(); }

}  // namespace tidbit::compiler
