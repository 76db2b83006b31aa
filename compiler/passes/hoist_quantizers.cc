#include <algorithm>
#include <optional>

#include "compiler/elementwise.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

enum class Reach : uint8_t {
  None,      // nothing passes
  Scalars,   // functions that are the same for every element
  Channels,  // and those that differ by channel, the last axis
};

/// Which functions may be applied before the operator instead of after it.
Reach reach(const Graph& graph, const Node& mover) {
  const Shape &in = graph[mover.inputs[0]].shape, &out = graph[mover.outputs[0]].shape;
  if (std::holds_alternative<op::MaxPool>(mover.op) || std::holds_alternative<op::Resize>(mover.op)) {
    return Reach::Channels;
  }
  if (const auto* gather = std::get_if<op::Gather>(&mover.op)) {
    return gather->axis + 1 < static_cast<int>(in.size()) ? Reach::Channels : Reach::Scalars;
  }
  if (std::holds_alternative<op::Reshape>(mover.op)) {
    return !in.empty() && !out.empty() && in.back() == out.back() ? Reach::Channels : Reach::Scalars;
  }
  if (const auto* transpose = std::get_if<op::Transpose>(&mover.op)) {
    const bool last_stays = transpose->permutation.back() + 1 == static_cast<int>(in.size());
    return last_stays ? Reach::Channels : Reach::Scalars;
  }
  return Reach::None;
}

bool all_of(const Tensor& tensor, bool (*predicate)(double)) { return std::ranges::all_of(tensor.data, predicate); }
bool positive(double x) { return x > 0; }
bool not_negative(double x) { return x >= 0; }

/// Whether the function never falls, so that it may pass a maximum.
bool rises(const Graph& graph, const Node& node, const ElementwiseInputs& inputs) {
  if (const auto* leaky = std::get_if<op::LeakyRelu>(&node.op)) return leaky->slope >= 0;
  if (std::holds_alternative<op::PRelu>(node.op)) return all_of(*graph[node.inputs[1]].constant, not_negative);
  if (const auto* unary = std::get_if<op::Unary>(&node.op)) return never_falls(unary->function);
  const auto* binary = std::get_if<op::Binary>(&node.op);
  if (!binary) return true;
  const bool constant_is_second = inputs.constant == std::vector<size_t>{1};
  switch (binary->function) {
    case op::BinaryFunction::Add:
      return true;
    case op::BinaryFunction::Sub:
      return constant_is_second;
    case op::BinaryFunction::Mul:
      return all_of(*graph[node.inputs[inputs.constant[0]]].constant, positive);
    case op::BinaryFunction::Div:
      return constant_is_second && all_of(*graph[node.inputs[1]].constant, positive);
    case op::BinaryFunction::Pow:
      return false;
  }
  return false;
}

/// Whether a tensor that broadcasts varies along the last axis at most.
bool varies_by_last_axis_only(const Tensor& tensor) {
  return tensor.data.size() == 1 || static_cast<int64_t>(tensor.data.size()) == tensor.shape.back();
}

bool may_pass(const Graph& graph, const Node& node, const Node& mover) {
  const auto inputs = elementwise_inputs(graph, node);
  if (!inputs || inputs->varying.size() != 1) return false;
  if (std::holds_alternative<op::MaxPool>(mover.op) && !rises(graph, node, *inputs)) return false;
  const Reach reached = reach(graph, mover);
  const auto passes = [&](const Tensor& operand) {
    if (reached == Reach::Channels) return varies_by_last_axis_only(operand);
    return reached == Reach::Scalars && operand.data.size() == 1;
  };
  for (size_t i : inputs->constant) {
    if (!passes(*graph[node.inputs[i]].constant)) return false;
  }
  const auto* quant = std::get_if<op::FakeQuant>(&node.op);
  if (quant) return passes(quant->quantizer.scale) && passes(quant->quantizer.zero_point);
  return reached != Reach::None;
}

/// Drops the leading axes of an operand, all 1, so that it broadcasts against any rank.
void drop_leading_axes(Tensor& operand) {
  operand.shape = operand.data.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(operand.data.size())};
}

class Hoister {
 public:
  explicit Hoister(Graph& graph) : graph_(graph), producer_(producers(graph)), readers_(reader_counts(graph)) {}

  /// Moves the quantizer and the functions before it above one mover; false where there is none to pass.
  bool hoist(size_t quantizer) {
    std::vector<size_t> chain{quantizer};  // from the quantizer upwards
    while (true) {
      const ValueId input = varying_input(graph_.nodes[chain.back()]);
      const int32_t before = producer_[static_cast<size_t>(input)];
      if (before < 0 || readers_[static_cast<size_t>(input)] != 1) return false;
      const Node& node = graph_.nodes[static_cast<size_t>(before)];
      const auto inputs = elementwise_inputs(graph_, node);
      if (!inputs) {
        const bool passes =
            std::ranges::all_of(chain, [&](size_t i) { return may_pass(graph_, graph_.nodes[i], node); });
        if (!passes || comes_from_quantizer(node.inputs[0])) return false;
        swap(chain, static_cast<size_t>(before));
        return true;
      }
      if (inputs->varying.size() != 1 || is_quantizer(node)) return false;
      chain.push_back(static_cast<size_t>(before));
    }
  }

  static bool is_quantizer(const Node& node) {
    return std::holds_alternative<op::FakeQuant>(node.op) || std::holds_alternative<op::Trunc>(node.op);
  }

 private:
  ValueId& varying_input(Node& node) { return node.inputs[elementwise_inputs(graph_, node)->varying[0]]; }

  /// Values that movers pass on from a quantizer are codes already.
  bool comes_from_quantizer(ValueId value) const {
    while (true) {
      const int32_t before = producer_[static_cast<size_t>(value)];
      if (before < 0) return false;
      const Node& node = graph_.nodes[static_cast<size_t>(before)];
      if (is_quantizer(node)) return true;
      if (reach(graph_, node) == Reach::None) return false;
      value = node.inputs[0];
    }
  }

  /// source -> mover -> chain  becomes  source -> chain -> mover.
  void swap(const std::vector<size_t>& chain, size_t mover_index) {
    Node& mover = graph_.nodes[mover_index];
    const ValueId source = mover.inputs[0];
    const ValueId result = graph_.nodes[chain.front()].outputs[0];
    varying_input(graph_.nodes[chain.back()]) = source;
    for (size_t i : chain) {
      Node& node = graph_.nodes[i];
      Value moved;
      moved.shape = graph_[source].shape;
      const ValueId old = node.outputs[0];
      node.outputs[0] = graph_.add(std::move(moved));
      if (i != chain.front()) replace_readers(graph_, old, node.outputs[0]);
      for (ValueId& input : node.inputs) {
        if (!graph_[input].constant) continue;
        Value operand = graph_[input];
        drop_leading_axes(*operand.constant);
        operand.shape = operand.constant->shape;
        input = graph_.add(std::move(operand));
      }
      if (auto* quant = std::get_if<op::FakeQuant>(&node.op)) {
        drop_leading_axes(quant->quantizer.scale);
        drop_leading_axes(quant->quantizer.zero_point);
      }
    }
    mover.inputs[0] = graph_.nodes[chain.front()].outputs[0];
    mover.outputs[0] = result;
  }

  Graph& graph_;
  std::vector<int32_t> producer_, readers_;
};

}  // namespace

void hoist_quantizers(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < graph.nodes.size() && !changed; ++i) {
      if (!Hoister::is_quantizer(graph.nodes[i])) continue;
      const auto inputs = elementwise_inputs(graph, graph.nodes[i]);
      changed = inputs->varying.size() == 1 && Hoister(graph).hoist(i);
    }
    if (changed) sort_topologically(graph);
  }
  remove_dead(graph);
}

}  // namespace tidbit::compiler
