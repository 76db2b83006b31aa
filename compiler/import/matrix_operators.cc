#include <fmt/format.h>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

ValueId matmul(NodeImport& node) { return node.emit(op::MatMul{}, node.inputs()); }

ValueId transposed(NodeImport& node, size_t input, std::string_view attribute) {
  if (node.rank(input) != 2) node.fail(fmt::format("needs matrices, not {}", to_string(node.shape(input))));
  if (node.integer(attribute, 0) == 0) return node.input(input);
  return node.emit(op::Transpose{{1, 0}}, {node.input(input)});
}

ValueId scaled(NodeImport& node, ValueId value, double factor) {
  if (factor == 1) return value;
  return node.emit(op::Binary{op::BinaryFunction::Mul}, {value, node.constant(Tensor::scalar(factor))});
}

/// alpha*A*B + beta*C
ValueId gemm(NodeImport& node) {
  const ValueId a = transposed(node, 0, "transA"), b = transposed(node, 1, "transB");
  const ValueId product = scaled(node, node.emit(op::MatMul{}, {a, b}), node.real("alpha", 1));
  const double beta = node.real("beta", 1);
  if (!node.has_input(2) || beta == 0) return product;
  const ValueId bias = scaled(node, node.input(2), beta);
  const ValueId sum = node.emit(op::Binary{op::BinaryFunction::Add}, {product, bias});
  if (node.shape_of(sum) != node.shape_of(product)) {
    node.fail(fmt::format("bias {} does not fit {}", to_string(node.shape(2)), to_string(node.shape_of(product))));
  }
  return sum;
}

}  // namespace

std::span<const OperatorImport> matrix_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"Gemm", 2, 3, gemm},
      {"MatMul", 2, 2, matmul},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
