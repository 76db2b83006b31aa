// Constants, and the operators that models work out their shapes with: they leave no node in the graph.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/import/model_file.h"
#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

Tensor list(std::vector<double> values) { return {{static_cast<int64_t>(values.size())}, std::move(values)}; }

std::vector<double> as_reals(const std::vector<int64_t>& values) { return {values.begin(), values.end()}; }

ValueId constant(NodeImport& node) {
  if (node.has_attribute("value_float")) return node.constant(Tensor::scalar(node.real("value_float", 0)));
  if (node.has_attribute("value_floats")) return node.constant(list(node.reals("value_floats")));
  if (node.has_attribute("value_int")) {
    return node.constant(Tensor::scalar(static_cast<double>(node.integer("value_int", 0))), onnx::TensorProto::INT64);
  }
  if (node.has_attribute("value_ints")) {
    return node.constant(list(as_reals(node.integers("value_ints", {}))), onnx::TensorProto::INT64);
  }
  if (!node.has_attribute("value")) node.fail("only constants of numbers are supported");
  const onnx::TensorProto& tensor = node.tensor("value");
  return node.constant(read_tensor(tensor), tensor.data_type());
}

ValueId constant_of_shape(NodeImport& node) {
  const Shape shape = node.constant_integers(0, "the shape");
  Tensor value = Tensor::scalar(0);
  int type = onnx::TensorProto::FLOAT;
  if (node.has_attribute("value")) {
    value = read_tensor(node.tensor("value"));
    type = node.tensor("value").data_type();
  }
  if (value.data.size() != 1) node.fail("attribute 'value' should be one number");
  node.spend(elements(shape));
  return node.constant({shape, std::vector<double>(static_cast<size_t>(elements(shape)), value.data[0])}, type);
}

ValueId shape(NodeImport& node) {
  const Shape shape = node.shape(0);
  const int64_t rank = node.rank(0);
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t start = bound(node.integer("start", 0)), end = bound(node.integer("end", rank));
  return node.constant(list(as_reals({shape.begin() + std::min(start, end), shape.begin() + end})),
                       onnx::TensorProto::INT64);
}

/// Reals stay what they are, whatever the width of their type.
ValueId cast(NodeImport& node) {
  const auto to = static_cast<int>(node.integer("to", onnx::TensorProto::UNDEFINED));
  if (!holds_numbers(to)) node.fail(fmt::format("a cast to {} is not supported", data_type_name(to)));
  if (!node.is_constant(0)) {
    if (holds_integers(to)) node.fail("only casts to floating point are supported");
    return node.input(0);
  }
  Tensor tensor = node.constant(0, "the data");
  for (double& value : tensor.data) {
    if (to == onnx::TensorProto::BOOL) value = value != 0;
    if (holds_integers(to)) value = std::trunc(value);
  }
  return node.constant(std::move(tensor), to);
}

}  // namespace

std::span<const OperatorImport> constant_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"Cast", 1, 1, cast},
      {"Constant", 0, 0, constant},
      {"ConstantOfShape", 1, 1, constant_of_shape},
      {"Shape", 1, 1, shape},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
