#include "compiler/compile.h"

#include <algorithm>

#include "compiler/emit.h"
#include "compiler/passes/passes.h"

namespace tidbit::compiler {
namespace {

int64_t macs(const Graph& graph, const Node& node, const op::Linear& linear) {
  const bool depthwise = linear.kind == op::LinearKind::Depthwise;
  const int64_t per_output = depthwise ? linear.weights.rows : linear.weights.taps * linear.weights.channels;
  return elements(graph[node.outputs[0]].shape) * per_output;
}

/// Why an operator of the lowered graph that is no layer computes on reals; empty for one that does not.
std::string_view real_reason(const Operator& op) {
  if (std::holds_alternative<op::Map>(op)) return "functions of a real input";
  if (std::holds_alternative<op::Binary>(op)) return "of real operands, or no exact integer form was found";
  if (std::holds_alternative<op::MatMul>(op)) return "of two varying matrices";
  if (std::holds_alternative<op::Softmax>(op)) return "has no integer form";
  if (std::holds_alternative<op::Interpolate>(op)) return "of a real input, or not quantized behind it";
  if (std::holds_alternative<op::TopK>(op)) return "ranks reals";
  if (std::holds_alternative<op::NonMaxSuppression>(op)) return "ranks reals";
  if (std::holds_alternative<op::AveragePool>(op)) return "of a real input, or by a divisor that varies at the border";
  return {};
}

/// Layers, and what else computes on reals. Movers, tables and quantizers are no layers and cost no accuracy.
std::vector<LayerReport> report_of(const Graph& graph) {
  std::vector<LayerReport> report;
  for (const Node& node : graph.nodes) {
    LayerReport layer{node.name, std::string(name(node.op)), 0, 0, 0, node.note, false};
    if (const auto* linear = std::get_if<op::Linear>(&node.op)) {
      layer.lowered = linear->kind != op::LinearKind::RealInput;
      layer.weight_bits = linear->weights.grid ? linear->weights.grid->bits : 0;
      const Value& input = graph[node.inputs[0]];
      layer.activation_bits = input.codes ? input.quantization->grid.bits : 0;
      layer.macs = macs(graph, node, *linear);
    } else if (const std::string_view reason = real_reason(node.op); !reason.empty()) {
      layer.outcome = reason;
    } else {
      continue;
    }
    report.push_back(std::move(layer));
  }
  return report;
}

}  // namespace

Compiled compile(const std::string& onnx_path, const CompileOptions& options) {
  Graph graph = import_onnx(onnx_path, options.import);
  run_passes(graph);
  Compiled result = emit(graph, options);
  result.report = report_of(graph);
  return result;
}

}  // namespace tidbit::compiler
