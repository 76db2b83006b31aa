#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

template <op::BinaryFunction function>
ValueId binary(NodeImport& node) {
  const ValueId result = node.emit(op::Binary{function}, node.inputs());
  if (function != op::BinaryFunction::Div || !node.is_integer(0) || !node.is_integer(1)) return result;
  // Constants of a shape's arithmetic: integers are divided without a remainder.
  Tensor quotients = node.constant_of(result);
  for (double& value : quotients.data) {
    if (!std::isfinite(value)) node.fail("division by zero");
    value = std::trunc(value);
  }
  return node.constant(std::move(quotients), node.type(0));
}

template <op::UnaryFunction function>
ValueId unary(NodeImport& node) {
  return node.emit(op::Unary{function}, node.inputs());
}

ValueId leaky_relu(NodeImport& node) { return node.emit(op::LeakyRelu{node.real("alpha", 0.01F)}, node.inputs()); }

ValueId prelu(NodeImport& node) { return node.emit(op::PRelu{}, node.inputs()); }

/// Limits are attributes before opset 11, then inputs.
ValueId clip(NodeImport& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  op::Clip op = {node.real("min", -kInfinity), node.real("max", kInfinity)};
  if (node.has_input(1)) op.lowest = node.constant_scalar(1, "the lower limit");
  if (node.has_input(2)) op.highest = node.constant_scalar(2, "the upper limit");
  if (std::isnan(op.lowest) || std::isnan(op.highest)) node.fail("a limit is not a number");
  if (node.form(0)) return node.narrow(node.input(0), op.lowest, op.highest);
  return node.emit(op, {node.input(0)});
}

/// Before opset 13 all axes from `axis` on are one.
ValueId softmax(NodeImport& node) {
  const int64_t rank = node.rank(0);
  const bool flattens = node.opset() < 13;
  const int64_t axis = node.axis_in(node.integer("axis", flattens ? 1 : -1), rank);
  if (!flattens || axis == rank - 1) return node.emit(op::Softmax{static_cast<int>(axis)}, node.inputs());
  const Shape shape = node.shape(0);
  const int64_t outer = elements({shape.begin(), shape.begin() + axis});
  const ValueId flat = node.reshape(node.input(0), {outer, elements(shape) / std::max<int64_t>(outer, 1)});
  return node.reshape(node.emit(op::Softmax{1}, {flat}), shape);
}

ValueId same(NodeImport& node) { return node.input(0); }

ValueId dropout(NodeImport& node) {
  if (node.has_input(2) && node.constant_scalar(2, "training_mode") != 0) {
    node.fail("is in training mode; export the model for inference");
  }
  return node.input(0);
}

}  // namespace

std::span<const OperatorImport> elementwise_operators() {
  using op::BinaryFunction, op::UnaryFunction;
  static constexpr OperatorImport kOperators[] = {
      {"Add", 2, 2, binary<BinaryFunction::Add>},       {"Clip", 1, 3, clip, Integers::Known},
      {"Div", 2, 2, binary<BinaryFunction::Div>},       {"Dropout", 1, 3, dropout, Integers::Moved},
      {"Identity", 1, 1, same, Integers::Moved},        {"LeakyRelu", 1, 1, leaky_relu},
      {"Mul", 2, 2, binary<BinaryFunction::Mul>},       {"PRelu", 2, 2, prelu},
      {"Pow", 2, 2, binary<BinaryFunction::Pow>},       {"Relu", 1, 1, unary<UnaryFunction::Relu>},
      {"Sigmoid", 1, 1, unary<UnaryFunction::Sigmoid>}, {"Softmax", 1, 1, softmax},
      {"Sub", 2, 2, binary<BinaryFunction::Sub>},       {"Tanh", 1, 1, unary<UnaryFunction::Tanh>},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
