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

ValueId gather(NodeImport& node) {
  const Tensor data = node.constant(0, "the data"), indices = node.constant(1, "the indices");
  const int64_t axis = node.axis_in(node.integer("axis", 0), node.rank(0));
  const int64_t extent = data.shape[static_cast<size_t>(axis)];
  const int64_t outer = elements({data.shape.begin(), data.shape.begin() + axis});
  const int64_t inner = elements({data.shape.begin() + axis + 1, data.shape.end()});
  Tensor result;
  result.shape.assign(data.shape.begin(), data.shape.begin() + axis);
  result.shape.insert(result.shape.end(), indices.shape.begin(), indices.shape.end());
  result.shape.insert(result.shape.end(), data.shape.begin() + axis + 1, data.shape.end());
  node.spend(elements(result.shape));
  for (int64_t i = 0; i < outer; ++i) {
    for (const double index : indices.data) {
      const int64_t row = i * extent + node.axis_in(to_int64(index), extent);
      result.data.insert(result.data.end(), data.data.begin() + row * inner, data.data.begin() + (row + 1) * inner);
    }
  }
  return node.constant(std::move(result), node.type(0));
}

struct Range {
  int64_t axis, start, end, step;
};

/// data, starts, ends, [axes, steps]; attributes before opset 10.
std::vector<Range> read_ranges(const NodeImport& node) {
  const auto numbers = [&](std::string_view name, size_t input) {
    return node.has_input(input) ? node.constant_integers(input, name) : node.integers(name, {});
  };
  const std::vector<int64_t> starts = numbers("starts", 1), ends = numbers("ends", 2);
  const std::vector<int64_t> axes = numbers("axes", 3), steps = numbers("steps", 4);
  const auto fits = [&](const std::vector<int64_t>& optional) {
    return optional.empty() || optional.size() == starts.size();
  };
  if (ends.size() != starts.size() || !fits(axes) || !fits(steps)) node.fail("starts, ends, axes and steps do not fit");
  std::vector<Range> ranges;
  for (size_t i = 0; i < starts.size(); ++i) {
    ranges.push_back({node.axis_in(axes.empty() ? static_cast<int64_t>(i) : axes[i], node.rank(0)), starts[i], ends[i],
                      steps.empty() ? 1 : steps[i]});
    if (ranges.back().step < 1) node.fail("only positive steps are supported");
  }
  return ranges;
}

/// The elements start, start + step, .. of one axis.
Tensor slice(const Tensor& data, const Range& range) {
  const auto axis = static_cast<ptrdiff_t>(range.axis);
  const int64_t extent = data.shape[static_cast<size_t>(axis)];
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + extent : at, 0, extent); };
  const int64_t outer = elements({data.shape.begin(), data.shape.begin() + axis});
  const int64_t inner = elements({data.shape.begin() + axis + 1, data.shape.end()});
  const int64_t start = bound(range.start), end = bound(range.end), step = std::min(range.step, extent + 1);
  Tensor result = {data.shape, {}};
  result.shape[static_cast<size_t>(axis)] = end > start ? (end - start + step - 1) / step : 0;
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t at = start; at < end; at += step) {
      const auto from = data.data.begin() + (i * extent + at) * inner;
      result.data.insert(result.data.end(), from, from + inner);
    }
  }
  return result;
}

ValueId slice(NodeImport& node) {
  Tensor result = node.constant(0, "the data");
  for (const Range& range : read_ranges(node)) result = slice(result, range);
  return node.constant(std::move(result), node.type(0));
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
      {"Cast", 1, 1, cast},     {"Constant", 0, 0, constant}, {"ConstantOfShape", 1, 1, constant_of_shape},
      {"Gather", 2, 2, gather}, {"Shape", 1, 1, shape},       {"Slice", 1, 5, slice},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
