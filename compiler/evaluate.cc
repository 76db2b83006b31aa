#include "compiler/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/elementwise.h"
#include "compiler/evaluate/operators.h"

namespace tidbit::compiler {
namespace {

struct Apply {
  size_t channel;
  double sum, residual;

  double operator()(const op::Thresholds& thresholds) const {
    const size_t row = thresholds.channels == 1 ? 0 : channel;
    const auto steps = static_cast<size_t>(thresholds.steps);
    const double s = !thresholds.falling.empty() && thresholds.falling[row] ? -sum : sum;
    const double* const values = thresholds.values.data() + row * steps;
    return static_cast<double>(thresholds.lowest +
                               std::count_if(values, values + steps, [&](double value) { return s >= value; }));
  }

  double operator()(const op::Affine& affine) const {
    return affine.float32 ? rounded<float>(affine) : rounded<double>(affine);
  }

  double operator()(const op::FixedPoint& fixed) const {
    const auto s = static_cast<int64_t>(sum);
    const bool below = !fixed.knee.empty() && s < of_channel<int32_t>(fixed.knee);
    return static_cast<double>(
        std::clamp<int64_t>(on(below ? fixed.below : fixed.line, s), fixed.lowest, fixed.highest));
  }

  int64_t on(const op::FixedPointLine& line, int64_t s) const {
    const auto moved = s * of_channel<int64_t>(line.multiplier) + of_channel<int64_t>(line.offset);
    return moved >> of_channel<int32_t>(line.shift);
  }

  double operator()(const op::RealAffine& affine) const {
    return static_cast<float>(clip(sum_in<double>(affine), affine.lowest, affine.highest));
  }

  template <class Real>
  double rounded(const op::Affine& affine) const {
    Real y = sum_in<Real>(affine);
    if (!affine.knee.empty() && y < of_channel<Real>(affine.knee)) {
      y = y * of_channel<Real>(affine.slope_below);
      y = y + of_channel<Real>(affine.offset_below);
    }
    return clip(std::nearbyint(y), affine.lowest, affine.highest);
  }

  template <class T, class Element>
  T of_channel(const std::vector<Element>& array) const {
    return static_cast<T>(array[array.size() == 1 ? 0 : channel]);
  }

  /// Each operation is rounded, in the order of the file format; no operation is fused (see cmake/targets.cmake).
  template <class Real>
  Real sum_in(const auto& affine) const {
    const Real product = static_cast<Real>(sum) * of_channel<Real>(affine.multiplier);
    const Real moved = product + of_channel<Real>(affine.offset);
    if (affine.residual_multiplier == 0) return moved;
    const Real added = static_cast<Real>(residual) * static_cast<Real>(affine.residual_multiplier);
    return moved + added;
  }
};

[[noreturn]] void fail(const Node& node, const std::string& what) {
  throw CompileError(fmt::format("{} ({}): {}", node.name, name(node.op), what));
}

}  // namespace

double apply(const op::Epilogue& epilogue, size_t channel, double sum, double residual) {
  return std::visit(Apply{channel, sum, residual}, epilogue);
}

Tensor values_of(const Call& call, size_t input) {
  Tensor values = call.input(input);
  if (call.codes(input)) {
    const Grid& grid = call.grid(input);
    for (double& value : values.data) value = grid.step * value + grid.base;
  }
  return values;
}

std::vector<Tensor> evaluate_node(const Graph& graph, const Node& node, std::span<const Tensor* const> inputs) {
  if (inputs.size() != node.inputs.size()) fail(node, "evaluated with a wrong number of inputs");
  for (size_t i = 0; i < inputs.size(); ++i) {
    if ((inputs[i] == nullptr) != (node.inputs[i] == kNoValue)) fail(node, fmt::format("input {} is missing", i));
    if (inputs[i] && inputs[i]->shape != graph[node.inputs[i]].shape) {
      fail(node, fmt::format("input {} is {}, should be {}", i, to_string(inputs[i]->shape),
                             to_string(graph[node.inputs[i]].shape)));
    }
  }
  const Call call = {graph, node, inputs, output_shapes(graph, node)};
  return std::visit(
      [&](const auto& op) -> std::vector<Tensor> {
        if constexpr (std::is_same_v<std::decay_t<decltype(op)>, op::Linear>) {
          return evaluate(op, call);
        } else {
          return {evaluate(op, call)};
        }
      },
      node.op);
}

std::vector<Tensor> evaluate(const Graph& graph, std::vector<Tensor> inputs, const Observer& observer) {
  if (inputs.size() != graph.inputs.size())
    throw CompileError(fmt::format("the graph has {} inputs", graph.inputs.size()));
  std::vector<Tensor> values(graph.values.size());
  const auto value_of = [&](ValueId id) -> const Tensor* {
    if (id == kNoValue) return nullptr;
    return graph[id].constant ? &*graph[id].constant : &values[static_cast<size_t>(id)];
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph[graph.inputs[i]];
    if (inputs[i].shape != value.shape || static_cast<int64_t>(inputs[i].data.size()) != elements(value.shape)) {
      throw CompileError(fmt::format("input '{}' is {}, should be {}", value.name, to_string(inputs[i].shape),
                                     to_string(value.shape)));
    }
    values[static_cast<size_t>(graph.inputs[i])] = std::move(inputs[i]);
  }

  std::vector<int32_t> readers = reader_counts(graph);
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> arguments;
    for (const ValueId id : node.inputs) arguments.push_back(value_of(id));
    std::vector<Tensor> outputs = evaluate_node(graph, node, arguments);
    if (observer) observer(node, outputs);
    for (size_t i = 0; i < outputs.size(); ++i) values[static_cast<size_t>(node.outputs[i])] = std::move(outputs[i]);
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && --readers[static_cast<size_t>(id)] == 0) values[static_cast<size_t>(id)] = {};
    }
    for (const ValueId id : node.outputs) {
      if (readers[static_cast<size_t>(id)] == 0) values[static_cast<size_t>(id)] = {};
    }
  }
  std::vector<Tensor> results;
  for (const ValueId id : graph.outputs) results.push_back(*value_of(id));
  return results;
}

}  // namespace tidbit::compiler
