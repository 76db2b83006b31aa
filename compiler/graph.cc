#include "compiler/graph.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

namespace tidbit::compiler {

int64_t elements(const Shape& shape) {
  constexpr int64_t kMost = PTRDIFF_MAX / sizeof(double);  // of a constant's data, on this machine
  int64_t count = 1;
  bool empty = false, overflows = false;
  for (const int64_t extent : shape) {
    if (extent < 0) throw CompileError("negative extent in the shape " + to_string(shape));
    empty = empty || extent == 0;
    overflows = overflows || (extent > 0 && count > kMost / extent);
    if (!overflows && extent > 0) count *= extent;
  }
  if (empty) return 0;
  if (overflows) throw CompileError("too many elements in the shape " + to_string(shape));
  return count;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

double round_to_integer(double x, Rounding rounding) {
  switch (rounding) {
    case Rounding::HalfEven:
      return std::nearbyint(x);
    case Rounding::Floor:
      return std::floor(x);
    case Rounding::Ceil:
      return std::ceil(x);
    case Rounding::TowardZero:
      return std::trunc(x);
    case Rounding::AwayFromZero:
      return x < 0 ? std::floor(x) : std::ceil(x);
    case Rounding::HalfUp:
      return std::round(x);
    case Rounding::HalfDown: {
      const double whole = std::trunc(x);
      return std::abs(x - whole) > 0.5 ? whole + std::copysign(1.0, x) : whole;
    }
  }
  return x;
}

namespace {

std::string_view function_name(op::BinaryFunction function) {
  constexpr std::string_view kNames[] = {"Add", "Sub", "Mul", "Div", "Pow"};
  return kNames[static_cast<size_t>(function)];
}

std::string_view function_name(op::UnaryFunction function) {
  constexpr std::string_view kNames[] = {"Relu", "Sigmoid", "Tanh",      "Exp",  "Log",     "Sqrt",
                                         "Abs",  "Erf",     "HardSwish", "Gelu", "GeluTanh"};
  return kNames[static_cast<size_t>(function)];
}

struct Name {
  std::string_view operator()(const op::Convolution&) const { return "Convolution"; }
  std::string_view operator()(const op::MatMul&) const { return "MatMul"; }
  std::string_view operator()(const op::BatchNormalization&) const { return "BatchNormalization"; }
  std::string_view operator()(const op::Binary& binary) const { return function_name(binary.function); }
  std::string_view operator()(const op::Unary& unary) const { return function_name(unary.function); }
  std::string_view operator()(const op::LeakyRelu&) const { return "LeakyRelu"; }
  std::string_view operator()(const op::PRelu&) const { return "PRelu"; }
  std::string_view operator()(const op::Clip&) const { return "Clip"; }
  std::string_view operator()(const op::Softmax&) const { return "Softmax"; }
  std::string_view operator()(const op::FakeQuant&) const { return "FakeQuant"; }
  std::string_view operator()(const op::Trunc&) const { return "Trunc"; }
  std::string_view operator()(const op::MultiThreshold&) const { return "MultiThreshold"; }
  std::string_view operator()(const op::MaxPool&) const { return "MaxPool"; }
  std::string_view operator()(const op::AveragePool&) const { return "AveragePool"; }
  std::string_view operator()(const op::Reshape&) const { return "Reshape"; }
  std::string_view operator()(const op::Transpose&) const { return "Transpose"; }
  std::string_view operator()(const op::Concat&) const { return "Concat"; }
  std::string_view operator()(const op::Pad&) const { return "Pad"; }
  std::string_view operator()(const op::Resize&) const { return "Resize"; }
  std::string_view operator()(const op::Gather&) const { return "Gather"; }
  std::string_view operator()(const op::Interpolate&) const { return "Interpolate"; }
  std::string_view operator()(const op::TopK&) const { return "TopK"; }
  std::string_view operator()(const op::NonMaxSuppression&) const { return "NonMaxSuppression"; }
  std::string_view operator()(const op::Linear&) const { return "Linear"; }
  std::string_view operator()(const op::Quantize&) const { return "Quantize"; }
  std::string_view operator()(const op::Dequantize&) const { return "Dequantize"; }
  std::string_view operator()(const op::Lookup&) const { return "Lookup"; }
  std::string_view operator()(const op::Combine&) const { return "Combine"; }
  std::string_view operator()(const op::ResidualAdd&) const { return "ResidualAdd"; }
  std::string_view operator()(const op::CodePool&) const { return "CodePool"; }
  std::string_view operator()(const op::CodeInterpolate&) const { return "CodeInterpolate"; }
  std::string_view operator()(const op::Map&) const { return "Map"; }
};

void require(bool holds, const std::string& where, const std::string& what) {
  if (!holds) throw CompileError(where + ": " + what);
}

void verify_value(const Graph& graph, ValueId id) {
  const Value& value = graph[id];
  const std::string where = fmt::format("value {} '{}'", id, value.name);
  const int64_t count = elements(value.shape);
  if (value.constant) {
    require(value.constant->shape == value.shape, where, "its constant has another shape");
    require(static_cast<int64_t>(value.constant->data.size()) == count, where, "its constant has another size");
  }
  require(!value.codes || value.quantization, where, "codes without a quantization");
  if (!value.quantization) return;
  const Quantization& quantization = *value.quantization;
  require(quantization.grid.bits >= 1 && quantization.grid.bits <= 32 && quantization.grid.step > 0, where, "bad grid");
  const auto rank = static_cast<int>(value.shape.size());
  require(quantization.axis >= -1 && quantization.axis < rank, where, "the axis of its scales is out of range");
  const int64_t scales = quantization.axis < 0 ? 1 : value.shape[static_cast<size_t>(quantization.axis)];
  require(static_cast<int64_t>(quantization.scales.size()) == scales, where, "wrong number of scales");
}

}  // namespace

std::string_view name(const Operator& op) { return std::visit(Name{}, op); }

std::vector<int32_t> producers(const Graph& graph) {
  std::vector<int32_t> made_by(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId output : graph.nodes[i].outputs) made_by[static_cast<size_t>(output)] = static_cast<int32_t>(i);
  }
  return made_by;
}

std::vector<int32_t> reader_counts(const Graph& graph) {
  std::vector<int32_t> counts(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) ++counts[static_cast<size_t>(input)];
    }
  }
  for (const ValueId output : graph.outputs) ++counts[static_cast<size_t>(output)];
  return counts;
}

void verify(const Graph& graph) {
  const auto value_count = static_cast<ValueId>(graph.values.size());
  const auto in_range = [&](ValueId id) { return id >= 0 && id < value_count; };
  std::vector<bool> known(graph.values.size(), false);
  for (ValueId id = 0; id < value_count; ++id) {
    verify_value(graph, id);
    known[static_cast<size_t>(id)] = graph[id].constant.has_value();
  }
  for (const ValueId id : graph.inputs) {
    require(in_range(id), "graph inputs", "index out of range");
    require(!known[static_cast<size_t>(id)], "graph inputs", "a constant, or an input twice");
    known[static_cast<size_t>(id)] = true;
  }
  std::set<std::string_view> names;
  for (const Node& node : graph.nodes) {
    const std::string where = fmt::format("{} ({})", node.name, name(node.op));
    require(names.insert(node.name).second, where, "two nodes of one name");
    for (const ValueId id : node.inputs) {
      require(id == kNoValue || in_range(id), where, "input index out of range");
      require(id == kNoValue || known[static_cast<size_t>(id)], where, "reads a value before it is made");
    }
    for (const ValueId id : node.outputs) require(in_range(id), where, "output index out of range");
    const std::vector<Shape> shapes = output_shapes(graph, node);
    require(shapes.size() == node.outputs.size(), where, fmt::format("must have {} outputs", shapes.size()));
    for (size_t i = 0; i < shapes.size(); ++i) {
      const ValueId id = node.outputs[i];
      require(!known[static_cast<size_t>(id)], where, "makes a value that exists");
      known[static_cast<size_t>(id)] = true;
      require(graph[id].shape == shapes[i], where,
              fmt::format("output shape is {}, should be {}", to_string(graph[id].shape), to_string(shapes[i])));
    }
  }
  for (const ValueId id : graph.outputs) {
    require(in_range(id) && known[static_cast<size_t>(id)], "graph outputs", "a value that nothing makes");
  }
}

}  // namespace tidbit::compiler
