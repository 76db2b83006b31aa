// Operators from quantized integers to quantized integers: they dequantize, work on reals, and quantize again; lowering
// makes integers of them. ConvInteger and MatMulInteger give the sums themselves.
// Those of com.microsoft: github.com/microsoft/onnxruntime, docs/ContribOperators.md.
#include <fmt/format.h>

#include "compiler/import/linear_quantizers.h"
#include "compiler/import/model_file.h"

namespace tidbit::compiler {
namespace {

/// Inputs `input`, `input` + 1, `input` + 2: a tensor, its scale and zero point; those may be one a index of `axis`.
ValueId reals_of(NodeImport& node, size_t input, int64_t axis = 0) {
  return dequantized(node, input, read_linear_scale(node, input + 1, node.shape(input), axis));
}

/// Quantizes to the scale at input `scale` and the zero point behind it.
ValueId requantized(NodeImport& node, ValueId reals, size_t scale) {
  const LinearScale to = read_linear_scale(node, scale, node.shape_of(reals), 0);
  const int type = node.has_input(scale + 1) ? node.type(scale + 1) : static_cast<int>(onnx::TensorProto::UINT8);
  if (!holds_integers(type)) node.fail("the zero point of the output must be an integer");
  const IntegerLimits limits = limits_of(type);
  return node.quantize(reals, {to.scale, to.zero_point, limits.lowest, limits.highest});
}

/// A bias of integers in units of x scale * w scale, one a output.
ValueId bias_of(NodeImport& node, size_t input, size_t x_scale, size_t w_scale) {
  Tensor bias = node.constant(input, "the bias");
  const Tensor x = node.constant(x_scale, "the scale"), w = node.constant(w_scale, "the scale");
  if (x.data.size() != 1) node.fail("the input's scale must be one number");
  if (w.data.size() != 1 && w.data.size() != bias.data.size()) node.fail("the bias does not fit the weights' scales");
  for (size_t i = 0; i < bias.data.size(); ++i) bias.data[i] *= x.data[0] * w.data[w.data.size() == 1 ? 0 : i];
  return node.constant(std::move(bias));
}

/// x, scale, zero, w, scale, zero, y scale, zero, [bias]
ValueId qlinear_conv(NodeImport& node) {
  std::vector<ValueId> inputs = {reals_of(node, 0), reals_of(node, 3)};
  if (node.has_input(8)) inputs.push_back(bias_of(node, 8, 1, 4));
  return requantized(node, node.as("Conv", inputs), 6);
}

/// a, scale, zero, b, scale, zero, y scale, zero. Scales of a may be one a row, of b one a column.
ValueId qlinear_matmul(NodeImport& node) {
  const ValueId a = reals_of(node, 0, node.rank(0) < 2 ? 0 : node.rank(0) - 2);
  const ValueId b = reals_of(node, 3, node.rank(3) < 1 ? 0 : node.rank(3) - 1);
  return requantized(node, node.as("MatMul", {a, b}), 6);
}

/// a, scale, zero, b, scale, zero, [bias, y scale, zero]: alpha scales the product. Without y scale the result is real.
ValueId qgemm(NodeImport& node) {
  const bool transposed = node.integer("transB", 0) != 0;
  std::vector<ValueId> inputs = {reals_of(node, 0), reals_of(node, 3, transposed ? 0 : 1)};
  if (node.has_input(6)) {
    if (node.real("alpha", 1) != 1) node.fail("a bias with an alpha that is not 1 is not supported");
    inputs.push_back(bias_of(node, 6, 1, 4));
  }
  const ValueId product = node.as("Gemm", inputs);
  return node.has_input(7) ? requantized(node, product, 7) : product;
}

/// a, scale, zero, b, scale, zero, y scale, zero
template <op::BinaryFunction function>
ValueId qlinear_binary(NodeImport& node) {
  return requantized(node, node.emit(op::Binary{function}, {reals_of(node, 0), reals_of(node, 3)}), 6);
}

/// x, scale, zero, y scale, zero
ValueId qlinear_unary(NodeImport& node, std::string_view op) {
  return requantized(node, node.as(op, {reals_of(node, 0)}), 3);
}
ValueId qlinear_sigmoid(NodeImport& node) { return qlinear_unary(node, "Sigmoid"); }
ValueId qlinear_leaky_relu(NodeImport& node) { return qlinear_unary(node, "LeakyRelu"); }

/// x, scale, zero, y scale, zero; channels_last is an attribute.
ValueId qlinear_pool(NodeImport& node, std::string_view op) {
  const ValueId x = reals_of(node, 0);
  if (node.integer("channels_last", 0) == 0) return requantized(node, node.as(op, {x}), 3);
  const auto rank = static_cast<int>(node.rank(0));
  if (rank < 3) node.fail(fmt::format("needs an image, not {}", to_string(node.shape(0))));
  op::Transpose to_first{{0, rank - 1}}, to_last{{0}};
  for (int axis = 1; axis + 1 < rank; ++axis) to_first.permutation.push_back(axis);
  for (int axis = 2; axis < rank; ++axis) to_last.permutation.push_back(axis);
  to_last.permutation.push_back(1);
  return requantized(node, node.emit(to_last, {node.as(op, {node.emit(to_first, {x})})}), 3);
}
ValueId qlinear_average_pool(NodeImport& node) { return qlinear_pool(node, "AveragePool"); }
ValueId qlinear_global_average_pool(NodeImport& node) { return qlinear_pool(node, "GlobalAveragePool"); }

/// y scale, zero, then x, scale, zero for each tensor
ValueId qlinear_concat(NodeImport& node) {
  if (node.input_count() < 5 || node.input_count() % 3 != 2) node.fail("needs three inputs for each tensor");
  std::vector<ValueId> inputs;
  for (size_t i = 2; i < node.input_count(); i += 3) inputs.push_back(requantized(node, reals_of(node, i), 0));
  return node.as("Concat", inputs);
}

/// x, w, [x zero, w zero]; that of w may be one an output channel.
ValueId conv_integer(NodeImport& node) {
  const ValueId x = shifted_integers(node, 0, read_zero_point(node, 2, node.shape(0), 0));
  return node.as("Conv", {x, shifted_integers(node, 1, read_zero_point(node, 3, node.shape(1), 0))});
}

/// a, b, [a zero, b zero]; that of a may be one a row, of b one a column.
ValueId matmul_integer(NodeImport& node) {
  const int64_t row = node.rank(0) < 2 ? 0 : node.rank(0) - 2, column = node.rank(1) < 1 ? 0 : node.rank(1) - 1;
  const ValueId a = shifted_integers(node, 0, read_zero_point(node, 2, node.shape(0), row));
  return node.as("MatMul", {a, shifted_integers(node, 1, read_zero_point(node, 3, node.shape(1), column))});
}

}  // namespace

std::span<const OperatorImport> qlinear_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"ConvInteger", 2, 4, conv_integer, Integers::Known},
      {"MatMulInteger", 2, 4, matmul_integer, Integers::Known},
      {"QLinearConv", 8, 9, qlinear_conv, Integers::Known},
      {"QLinearMatMul", 8, 8, qlinear_matmul, Integers::Known},
  };
  return kOperators;
}

std::span<const OperatorImport> contributed_operators() {
  constexpr size_t kAny = SIZE_MAX;
  static constexpr OperatorImport kOperators[] = {
      {"QGemm", 6, 9, qgemm, Integers::Known},
      {"QLinearAdd", 7, 8, qlinear_binary<op::BinaryFunction::Add>, Integers::Known},
      {"QLinearAveragePool", 4, 5, qlinear_average_pool, Integers::Known},
      {"QLinearConcat", 5, kAny, qlinear_concat, Integers::Known},
      {"QLinearGlobalAveragePool", 4, 5, qlinear_global_average_pool, Integers::Known},
      {"QLinearLeakyRelu", 4, 5, qlinear_leaky_relu, Integers::Known},
      {"QLinearMul", 7, 8, qlinear_binary<op::BinaryFunction::Mul>, Integers::Known},
      {"QLinearSigmoid", 4, 5, qlinear_sigmoid, Integers::Known},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
