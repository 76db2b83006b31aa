#include "compiler/import/node_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/evaluate.h"
#include "compiler/graph_shapes.h"
#include "compiler/import/model_file.h"

namespace tidbit::compiler {

ValueId ImportState::add_value(std::string name, Shape shape) {
  Value value;
  value.name = std::move(name);
  value.shape = std::move(shape);
  integers.push_back(false);
  return graph.add(std::move(value));
}

ValueId ImportState::add_constant(std::string name, Tensor tensor, bool integer) {
  const ValueId id = add_value(std::move(name), tensor.shape);
  graph[id].constant = std::move(tensor);
  integers[static_cast<size_t>(id)] = integer;
  return id;
}

NodeImport::NodeImport(ImportState& state, const onnx::NodeProto& proto, int64_t opset, std::vector<ValueId> inputs)
    : state_(state), proto_(proto), opset_(opset), inputs_(std::move(inputs)) {}

void NodeImport::fail(const std::string& what) const { throw CompileError(what); }

ValueId NodeImport::input(size_t i) const {
  if (!has_input(i)) fail(fmt::format("input {} is missing", i));
  return inputs_[i];
}

Tensor NodeImport::constant(size_t input, std::string_view what) const {
  const std::optional<Tensor>& tensor = state_.graph[this->input(input)].constant;
  if (!tensor) fail(fmt::format("{} must be constant", what));
  return *tensor;
}

double NodeImport::constant_scalar(size_t input, std::string_view what) const {
  const Tensor tensor = constant(input, what);
  if (tensor.data.size() != 1) fail(fmt::format("{} must be one number, not {}", what, to_string(tensor.shape)));
  return tensor.data[0];
}

std::vector<int64_t> NodeImport::constant_integers(size_t input, std::string_view what) const {
  const Tensor tensor = constant(input, what);
  if (tensor.shape.size() > 1) fail(fmt::format("{} must be a list, not {}", what, to_string(tensor.shape)));
  std::vector<int64_t> result;
  std::transform(tensor.data.begin(), tensor.data.end(), std::back_inserter(result), to_int64);
  return result;
}

const onnx::AttributeProto* NodeImport::find(std::string_view name) const {
  for (const onnx::AttributeProto& attribute : proto_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

const onnx::AttributeProto* NodeImport::find(std::string_view name, onnx::AttributeProto::AttributeType type) const {
  const onnx::AttributeProto* attribute = find(name);
  if (attribute && attribute->type() != type) {
    fail(fmt::format("attribute '{}' should be of type {}", name, onnx::AttributeProto::AttributeType_Name(type)));
  }
  return attribute;
}

int64_t NodeImport::integer(std::string_view name, int64_t otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INT);
  return attribute ? attribute->i() : otherwise;
}

double NodeImport::real(std::string_view name, double otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOAT);
  return attribute ? attribute->f() : otherwise;
}

std::string NodeImport::text(std::string_view name, std::string_view otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::STRING);
  return attribute ? attribute->s() : std::string(otherwise);
}

std::vector<int64_t> NodeImport::integers(std::string_view name, std::vector<int64_t> otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INTS);
  if (!attribute) return otherwise;
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<double> NodeImport::reals(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOATS);
  if (!attribute) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

const onnx::TensorProto& NodeImport::tensor(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::TENSOR);
  if (!attribute) fail(fmt::format("attribute '{}' is missing", name));
  return attribute->t();
}

int64_t NodeImport::axis_in(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) fail(fmt::format("axis {} is out of range for rank {}", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

ValueId NodeImport::emit(Operator op, std::vector<ValueId> inputs) {
  return add_node(std::move(op), std::move(inputs), {});
}

ValueId NodeImport::reshape(ValueId id, Shape shape) {
  if (shape == shape_of(id)) return id;
  return add_node(op::Reshape{}, {id}, std::move(shape));
}

void NodeImport::spend(int64_t count) {
  state_.constant_budget -= count;
  if (state_.constant_budget < 0) fail("the model's constants grow too large");
}

ValueId NodeImport::add_node(Operator op, std::vector<ValueId> inputs, Shape reshaped) {
  Graph& graph = state_.graph;
  const bool quantizer = std::holds_alternative<op::FakeQuant>(op) || std::holds_alternative<op::Trunc>(op);
  const auto is_constant = [&](ValueId id) { return id == kNoValue || graph[id].constant; };
  const bool fold = !quantizer && std::all_of(inputs.begin(), inputs.end(), is_constant);
  const bool integer =
      std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) { return id == kNoValue || state_.is_integer(id); });

  const ValueId output = state_.add_value("", std::move(reshaped));
  Node node = {"", std::move(op), std::move(inputs), {output}};
  graph[output].shape = infer_shapes(graph, node)[0];
  if (too_large(graph[output].shape)) {
    fail(fmt::format("its output {} is too large", to_string(graph[output].shape)));
  }
  if (!fold) {
    const std::string& own = proto_.name().empty() && !proto_.output().empty() ? proto_.output(0) : proto_.name();
    node.name = unique_node_name(state_, fmt::format("{}/{}", own, name(node.op)));
    graph.nodes.push_back(std::move(node));
    return output;
  }
  spend(elements(graph[output].shape));
  std::vector<const Tensor*> arguments;
  for (const ValueId id : node.inputs) arguments.push_back(id == kNoValue ? nullptr : &*graph[id].constant);
  graph[output].constant = std::move(evaluate_node(graph, node, arguments)[0]);
  state_.integers[static_cast<size_t>(output)] = integer;
  return output;
}

std::string unique_node_name(ImportState& state, const std::string& wanted) {
  std::string name = wanted;
  for (int i = 1; !state.node_names.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

std::string describe(const onnx::NodeProto& proto) {
  const std::string op = proto.op_type().empty() ? "no operator" : proto.op_type();
  if (!proto.name().empty()) return fmt::format("{} ({})", proto.name(), op);
  return fmt::format("{} ({})", proto.output().empty() ? "a node without name and outputs" : proto.output(0), op);
}

bool too_large(const Shape& shape) {
  constexpr int64_t kMost = int64_t{1} << 28;
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent >= kMost) return true;
    count *= extent;
    if (count >= kMost) return true;
  }
  return false;
}

int64_t to_int64(double value) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (!(value > -kLimit)) return std::numeric_limits<int64_t>::min();
  return value >= kLimit ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(value);
}

}  // namespace tidbit::compiler
