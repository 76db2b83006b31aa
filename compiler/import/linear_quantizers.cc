// QuantizeLinear and DequantizeLinear, with or without a Clip of integers between them.
#include "compiler/import/linear_quantizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/import/model_file.h"
#include "compiler/lowering/quantization.h"

namespace tidbit::compiler {
namespace {

/// A scale or zero point of one number, or of one a index of `axis`, so that it broadcasts against `shape`.
Tensor along_axis(const NodeImport& node, Tensor tensor, const Shape& shape, int64_t axis) {
  if (tensor.data.size() == 1) return Tensor::scalar(tensor.data[0]);
  const auto rank = static_cast<int64_t>(shape.size());
  if (tensor.shape.size() != 1) {
    node.fail(fmt::format("a scale or zero point of shape {} is not supported: one number, or one a channel",
                          to_string(tensor.shape)));
  }
  axis = node.axis_in(axis, rank);
  if (shape[static_cast<size_t>(axis)] != tensor.shape[0]) {
    node.fail(
        fmt::format("{} scales or zero points do not fit axis {} of {}", tensor.shape[0], axis, to_string(shape)));
  }
  Shape broadcast(static_cast<size_t>(rank - axis), 1);
  broadcast[0] = tensor.shape[0];
  return {std::move(broadcast), std::move(tensor.data)};
}

Quantizer quantizer_to(const Grid& grid, Tensor scale) {
  return {.scale = std::move(scale),
          .zero_point = Tensor::scalar(0),
          .lowest = static_cast<double>(grid.lowest()),
          .highest = static_cast<double>(grid.highest()),
          .bipolar = grid.step == 2};
}

/// integers - zero, element by element.
Tensor shifted(const NodeImport& node, Tensor integers, const Tensor& zero) {
  const std::vector<size_t> at = broadcast_offsets(integers.shape, zero.shape);
  if (at.size() != integers.data.size()) node.fail("zero points do not fit the data");
  for (size_t i = 0; i < at.size(); ++i) integers.data[i] -= zero.data[at[i]];
  return integers;
}

ValueId minus(NodeImport& node, ValueId value, const Tensor& zero) {
  const bool none = std::all_of(zero.data.begin(), zero.data.end(), [](double z) { return z == 0; });
  return none ? value : node.emit(op::Binary{op::BinaryFunction::Sub}, {value, node.constant(zero)});
}

bool same(const Tensor& a, const Tensor& b) { return a.shape == b.shape && a.data == b.data; }

int64_t read_axis(const NodeImport& node) {
  if (node.integer("block_size", 0) != 0) node.fail("scales a block are not supported; only one, or one a channel");
  return node.integer("axis", 1);
}

/// Without a zero point the type is an attribute, or uint8.
int quantized_type(const NodeImport& node) {
  if (node.has_input(2)) return node.type(2);
  const auto type = static_cast<int>(node.integer("output_dtype", onnx::TensorProto::UNDEFINED));
  return type == onnx::TensorProto::UNDEFINED ? static_cast<int>(onnx::TensorProto::UINT8) : type;
}

/// x, scale, [zero point]
ValueId quantize_linear(NodeImport& node) {
  const ValueId x = node.form(0) ? node.integers(node.input(0)) : node.input(0);
  const int type = quantized_type(node);
  if (!holds_numbers(type) || !holds_integers(type)) {
    node.fail(fmt::format("quantizes to {}; only integers are supported", data_type_name(type)));
  }
  const LinearScale scale = read_linear_scale(node, 1, node.shape(0), read_axis(node));
  const IntegerLimits limits = limits_of(type);
  return node.quantize(x, {scale.scale, scale.zero_point, limits.lowest, limits.highest});
}

/// x, scale, [zero point]
ValueId dequantize_linear(NodeImport& node) {
  return dequantized(node, 0, read_linear_scale(node, 1, node.shape(0), read_axis(node)));
}

}  // namespace

LinearScale read_linear_scale(const NodeImport& node, size_t first, const Shape& shape, int64_t axis) {
  LinearScale result = {node.constant(first, "the scale"), Tensor::scalar(0)};
  if (result.scale.data.empty()) node.fail("the scale is empty");
  for (const double scale : result.scale.data) {
    if (!(scale > 0) || !std::isfinite(scale)) node.fail("the scale must be positive and finite");
  }
  result.scale = along_axis(node, std::move(result.scale), shape, axis);
  result.zero_point = read_zero_point(node, first + 1, shape, axis);
  return result;
}

Tensor read_zero_point(const NodeImport& node, size_t input, const Shape& shape, int64_t axis) {
  if (!node.has_input(input)) return Tensor::scalar(0);
  Tensor zero = node.constant(input, "the zero point");
  if (zero.data.empty()) node.fail("the zero point is empty");
  for (const double z : zero.data) {
    if (z != std::floor(z)) node.fail("the zero point must be an integer");
  }
  const bool one = std::all_of(zero.data.begin(), zero.data.end(), [&](double z) { return z == zero.data[0]; });
  if (one) zero = Tensor::scalar(zero.data[0]);
  return along_axis(node, std::move(zero), shape, axis);
}

ValueId shifted_integers(NodeImport& node, size_t input, const Tensor& zero_point) {
  const ValueId id = node.input(input);
  if (node.is_constant(input)) {
    const Tensor integers = node.constant(input, "the data");
    return on_grid(node, shifted(node, integers, zero_point), Tensor::scalar(1));
  }
  if (!node.form(input)) return minus(node, id, zero_point);
  const IntegerForm form = *node.form(input);
  const ValueId difference = minus(node, node.integers(id), zero_point);
  // Says which integers there are, where the zero point is not that of the quantizer.
  if (zero_point.data.size() != 1) return difference;
  const double zero = zero_point.data[0];
  const Quantizer limits = {.scale = Tensor::scalar(1),
                            .zero_point = Tensor::scalar(0),
                            .lowest = form.lowest - zero,
                            .highest = form.highest - zero};
  return node.emit(op::FakeQuant{limits}, {difference});
}

ValueId on_grid(NodeImport& node, Tensor integers, const Tensor& scale) {
  const std::optional<Grid> grid = narrowest_grid(integers.data);
  const std::vector<size_t> at = broadcast_offsets(integers.shape, scale.shape);
  if (at.size() != integers.data.size()) node.fail("scales do not fit the data");
  node.spend(static_cast<int64_t>(at.size()));
  for (size_t i = 0; i < at.size(); ++i) integers.data[i] *= scale.data[at[i]];
  const ValueId reals = node.constant(std::move(integers));
  return grid ? node.emit(op::FakeQuant{quantizer_to(*grid, scale)}, {reals}) : reals;
}

ValueId dequantized(NodeImport& node, size_t input, const LinearScale& scale) {
  const ValueId id = node.input(input);
  if (node.is_constant(input)) {
    return on_grid(node, shifted(node, node.constant(input, "the data"), scale.zero_point), scale.scale);
  }
  const IntegerForm* const found = node.form(input);
  if (found && same(found->scale, scale.scale) && same(found->zero_point, scale.zero_point)) return node.reals(id);
  std::optional<IntegerForm> form;
  if (found) form = *found;
  const ValueId difference = minus(node, form ? node.integers(id) : id, scale.zero_point);
  const ValueId reals = node.emit(op::Binary{op::BinaryFunction::Mul}, {difference, node.constant(scale.scale)});
  if (!form) return reals;
  form->scale = scale.scale;
  form->zero_point = scale.zero_point;
  return node.reals(node.quantize(reals, std::move(*form)));
}

std::span<const OperatorImport> linear_quantizers() {
  static constexpr OperatorImport kOperators[] = {
      {"DequantizeLinear", 2, 3, dequantize_linear, Integers::Known},
      {"QuantizeLinear", 2, 3, quantize_linear, Integers::Known},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
