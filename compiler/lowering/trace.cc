#include "compiler/lowering/trace.h"

#include <algorithm>
#include <cmath>

#include "compiler/lowering/quantization.h"

namespace tidbit::compiler {

std::optional<int64_t> constant_divisor(const op::AveragePool& pool) {
  const Window& w = pool.window;
  const bool padded = w.pad_begin[0] || w.pad_begin[1] || w.pad_end[0] || w.pad_end[1];
  if (padded && !pool.count_padding) return std::nullopt;
  return w.kernel[0] * w.kernel[1];
}

Analysis::Analysis(const Graph& graph)
    : graph_(graph), producer_(producers(graph)), grids_(graph.values.size()), ranges_(graph.values.size()) {
  for (const Node& node : graph.nodes) {
    const ValueId output = node.outputs[0];
    grids_[static_cast<size_t>(output)] = grid_of(node);
    ranges_[static_cast<size_t>(output)] = range_of(node);
    if (auto layer = layer_of(graph, node, grid(node.inputs[0]))) layers_.emplace(output, std::move(*layer));
  }
}

const Node* Analysis::producer(ValueId value) const {
  const int32_t index = producer_[static_cast<size_t>(value)];
  return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
}

const Layer* Analysis::layer(ValueId value) const {
  const auto found = layers_.find(value);
  return found == layers_.end() ? nullptr : &found->second;
}

std::optional<Quantization> Analysis::grid_of(const Node& node) const {
  if (std::holds_alternative<op::Trunc>(node.op)) return trunc_grid(node);
  const auto* quant = std::get_if<op::FakeQuant>(&node.op);
  if (!quant) return moved_grid(node);
  std::optional<Quantization> result = quantization_of(quant->quantizer, graph_[node.outputs[0]].shape);
  if (!result || result->scales.size() > 1) return std::nullopt;  // activations have one scale
  return result;
}

/// Operators that move or select elements keep their grid.
std::optional<Quantization> Analysis::moved_grid(const Node& node) const {
  const std::optional<Quantization>& input = grid(node.inputs[0]);
  if (!input) return std::nullopt;
  if (std::holds_alternative<op::MaxPool>(node.op) || std::holds_alternative<op::Transpose>(node.op) ||
      std::holds_alternative<op::Reshape>(node.op) || std::holds_alternative<op::Resize>(node.op)) {
    return input;
  }
  if (const auto* pad = std::get_if<op::Pad>(&node.op)) {
    return code_of(pad->value, *input) ? input : std::nullopt;
  }
  if (std::holds_alternative<op::Concat>(node.op)) {
    const bool equal = std::ranges::all_of(node.inputs, [&](ValueId other) {
      return grid(other) && grid(other)->grid == input->grid && grid(other)->scales == input->scales;
    });
    return equal ? input : std::nullopt;
  }
  return std::nullopt;
}

/// A Trunc names its limits or takes them from what can reach it.
std::optional<Quantization> Analysis::trunc_grid(const Node& node) const {
  const auto& trunc = std::get<op::Trunc>(node.op);
  const std::optional<Range>& reach = ranges_[static_cast<size_t>(node.inputs[0])];
  const Chain function = [&] {
    Chain chain;
    chain.append({trunc});
    return chain;
  }();
  double lowest = trunc.lowest, highest = trunc.highest;
  if (!std::isfinite(lowest) || !std::isfinite(highest)) {
    if (!reach) return std::nullopt;
    lowest = std::round(function(reach->lowest, 0) / trunc.output_scale + trunc.output_zero_point);
    highest = std::round(function(reach->highest, 0) / trunc.output_scale + trunc.output_zero_point);
  }
  const auto grid = integer_grid(lowest, highest, trunc.output_zero_point);
  if (!grid || !(trunc.output_scale > 0)) return std::nullopt;
  return Quantization{*grid, {trunc.output_scale}, -1};
}

std::optional<Analysis::Range> Analysis::range_of(const Node& node) const {
  if (const auto& q = grid(node.outputs[0]))
    return Range{q->scales[0] * q->grid.lowest(), q->scales[0] * q->grid.highest()};
  if (const auto* pool = std::get_if<op::AveragePool>(&node.op)) {
    const auto& input = ranges_[static_cast<size_t>(node.inputs[0])];
    if (!input || !pool->count_padding) return input;
    return Range{std::min(input->lowest, 0.0), std::max(input->highest, 0.0)};
  }
  const auto function = scalar_function(graph_, node);
  if (!function || !function->uniform()) return std::nullopt;
  Chain chain;
  chain.append(*function);
  const auto& input = ranges_[static_cast<size_t>(varying_input(graph_, node))];
  if (!input || chain.direction(0) == Direction::None) return std::nullopt;
  const double a = chain(input->lowest, 0), b = chain(input->highest, 0);
  return Range{std::min(a, b), std::max(a, b)};
}

Source Analysis::trace(ValueId value) const {
  Source source{Source::Root::Real, value, {}, {value}};
  while (true) {
    source.value = value;
    const Node* node = producer(value);
    if (grid(value)) {
      source.root = Source::Root::Codes;
      return source;
    }
    if (!node) return source;
    if (auto function = scalar_function(graph_, *node)) {
      value = varying_input(graph_, *node);
      source.chain.prepend(std::move(*function));
      source.stages.insert(source.stages.begin(), value);
      continue;
    }
    const auto* pool = std::get_if<op::AveragePool>(&node->op);
    if (layer(value)) {
      source.root = Source::Root::Layer;
    } else if (pool && grid(node->inputs[0]) && constant_divisor(*pool)) {
      source.root = Source::Root::Pool;
    } else if (std::holds_alternative<op::Binary>(node->op) && !graph_[node->inputs[0]].constant &&
               !graph_[node->inputs[1]].constant) {
      source.root = Source::Root::Binary;
    }
    return source;
  }
}

bool Analysis::depends_on(ValueId value, ValueId before) const {
  std::vector<ValueId> open{value};
  std::vector<bool> seen(graph_.values.size(), false);
  while (!open.empty()) {
    const ValueId next = open.back();
    open.pop_back();
    if (next == before) return true;
    const auto push = [&](ValueId input) {
      if (input == kNoValue || seen[static_cast<size_t>(input)]) return;
      seen[static_cast<size_t>(input)] = true;
      open.push_back(input);
    };
    if (const Node* node = producer(next)) std::ranges::for_each(node->inputs, push);
    const auto [first, last] = added_dependencies_.equal_range(next);
    for (auto added = first; added != last; ++added) push(added->second);
  }
  return false;
}

}  // namespace tidbit::compiler
