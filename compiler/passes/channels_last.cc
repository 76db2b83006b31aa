#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// Makes the operator work on channels last; false where it already does, or has no channels.
bool set_channels_last(Operator& op, size_t rank) {
  const auto flip = [](Layout& layout) {
    const bool first = layout == Layout::ChannelsFirst;
    layout = Layout::ChannelsLast;
    return first;
  };
  if (auto* convolution = std::get_if<op::Convolution>(&op)) return flip(convolution->layout);
  if (auto* pool = std::get_if<op::MaxPool>(&op)) return flip(pool->layout);
  if (auto* pool = std::get_if<op::AveragePool>(&op)) return flip(pool->layout);
  if (auto* resize = std::get_if<op::Resize>(&op)) return flip(resize->layout);
  if (auto* norm = std::get_if<op::BatchNormalization>(&op)) {
    if (norm->axis != 1 || rank < 3) return false;
    norm->axis = static_cast<int>(rank) - 1;
    return true;
  }
  if (auto* multi = std::get_if<op::MultiThreshold>(&op)) {
    if (multi->axis != 1 || rank < 3) return false;
    multi->axis = static_cast<int>(rank) - 1;
    return true;
  }
  return false;
}

/// Whether a tensor that broadcasts against this rank varies along axis 1 (and that is not the last axis).
bool varies_by_channel(const Tensor& tensor, size_t rank) {
  const size_t axis = tensor.shape.size() + 1 - rank;  // of the tensor; wraps where it has no such axis
  return rank >= 3 && axis < tensor.shape.size() && tensor.shape[axis] != 1;
}

/// Permutes the channelwise constants of an elementwise node; false where it has none.
bool permute_channel_constants(Graph& graph, Node& node, size_t rank, const std::vector<int>& permutation) {
  const auto inputs = elementwise_inputs(graph, node);
  if (!inputs || inputs->varying.size() != 1 || graph[node.inputs[inputs->varying[0]]].shape.size() != rank) {
    return false;
  }
  bool channelwise = false;
  for (size_t i : inputs->constant) channelwise |= varies_by_channel(*graph[node.inputs[i]].constant, rank);
  auto* quant = std::get_if<op::FakeQuant>(&node.op);
  if (quant) channelwise |= varies_by_channel(quant->quantizer.scale, rank);
  if (!channelwise) return false;
  for (size_t i : inputs->constant) {
    Value constant;
    constant.constant = permuted_operand(*graph[node.inputs[i]].constant, permutation);
    constant.shape = constant.constant->shape;
    node.inputs[i] = graph.add(std::move(constant));
  }
  if (quant) {
    quant->quantizer.scale = permuted_operand(quant->quantizer.scale, permutation);
    quant->quantizer.zero_point = permuted_operand(quant->quantizer.zero_point, permutation);
  }
  return true;
}

}  // namespace

void make_channels_last(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const ValueId output = node.outputs[0];
    const size_t rank = graph[output].shape.size();
    const std::vector<int> permutation = channels_last_permutation(rank);
    if (!set_channels_last(node.op, rank) && !permute_channel_constants(graph, node, rank, permutation)) {
      nodes.push_back(std::move(node));
      continue;
    }
    ValueId& input = node.inputs[graph[node.inputs[0]].constant ? 1 : 0];  // the one that varies
    const ValueId original_input = input;
    const auto moved = [&](ValueId id) {
      Value value;
      value.name = graph[id].name;
      value.shape = permuted(graph[id].shape, permutation);
      value.channels_last = true;
      return graph.add(std::move(value));
    };
    if (std::holds_alternative<op::Convolution>(node.op)) {
      const ValueId weights = node.inputs[1];
      node.inputs[1] = moved(weights);
      nodes.push_back({node.name + "/weights", op::Transpose{permutation}, {weights}, {node.inputs[1]}});
    }
    input = moved(original_input);
    node.outputs[0] = moved(output);
    nodes.push_back({node.name + "/input", op::Transpose{permutation}, {original_input}, {input}});
    nodes.push_back(node);
    nodes.push_back({node.name + "/output", op::Transpose{inverse(permutation)}, {node.outputs[0]}, {output}});
  }
  graph.nodes = std::move(nodes);
}

}  // namespace tidbit::compiler
