#include "compiler/import/node_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "compiler/evaluate.h"
#include "compiler/graph_shapes.h"
#include "compiler/import/model_file.h"

namespace tidbit::compiler {

ValueId ImportState::add_value(std::string name, Shape shape) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // also of tensors without elements
  if (std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent > kMost; })) {
    throw CompileError(fmt::format("an extent of the shape {} is out of range", to_string(shape)));
  }
  Value value;
  value.name = std::move(name);
  value.shape = std::move(shape);
  types.push_back(onnx::TensorProto::FLOAT);
  return graph.add(std::move(value));
}

ValueId ImportState::add_constant(std::string name, Tensor tensor, int type) {
  const ValueId id = add_value(std::move(name), tensor.shape);
  graph[id].constant = std::move(tensor);
  types[static_cast<size_t>(id)] = type;
  return id;
}

bool ImportState::is_integer(ValueId id) const {
  return graph[id].constant && holds_integers(types[static_cast<size_t>(id)]);
}

const IntegerForm* ImportState::form(ValueId id) const {
  const auto found = forms.find(id);
  return found == forms.end() ? nullptr : &found->second;
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

namespace {

/// The depth of the sums that a layer's outputs are; 0 for other operators.
int64_t products_of_output(const Graph& graph, const Node& node) {
  if (std::holds_alternative<op::MatMul>(node.op)) return graph[node.inputs[0]].shape.back();
  if (!std::holds_alternative<op::Convolution>(node.op)) return 0;
  const Shape& weights = graph[node.inputs[1]].shape;
  return elements({weights.begin() + 1, weights.end()});
}

}  // namespace

ValueId NodeImport::add_node(Operator op, std::vector<ValueId> inputs, Shape reshaped) {
  Graph& graph = state_.graph;
  const bool quantizer = std::holds_alternative<op::FakeQuant>(op) || std::holds_alternative<op::Trunc>(op);
  const auto is_constant = [&](ValueId id) { return id == kNoValue || graph[id].constant; };
  const bool fold = !quantizer && std::all_of(inputs.begin(), inputs.end(), is_constant);
  const bool integer =
      std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) { return id == kNoValue || state_.is_integer(id); });
  const int type = integer ? state_.types[static_cast<size_t>(inputs[0])] : onnx::TensorProto::FLOAT;

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
  constexpr int64_t kProducts = 64;  // that take about as long as an element
  spend(elements(graph[output].shape) * (1 + products_of_output(graph, node) / kProducts));
  std::vector<const Tensor*> arguments;
  for (const ValueId id : node.inputs) arguments.push_back(id == kNoValue ? nullptr : &*graph[id].constant);
  graph[output].constant = std::move(evaluate_node(graph, node, arguments)[0]);
  state_.types[static_cast<size_t>(output)] = type;
  return output;
}

namespace {

/// ONNX rounds before it adds the zero point. With the zero point in the limits, and 0 in its place, so does FakeQuant.
Quantizer quantizer_of(const IntegerForm& form) {
  const std::vector<double>& zeros = form.zero_point.data;
  const bool same = std::all_of(zeros.begin(), zeros.end(), [&](double zero) { return zero == zeros[0]; });
  if (same && !zeros.empty()) {
    return {.scale = form.scale,
            .zero_point = Tensor::scalar(0),
            .lowest = form.lowest - zeros[0],
            .highest = form.highest - zeros[0]};
  }
  // An even zero point does not change which of two integers is the even one.
  if (!std::all_of(zeros.begin(), zeros.end(), [](double zero) { return std::fmod(zero, 2) == 0; })) {
    throw CompileError("zero points that differ by channel and are odd are supported for constants only");
  }
  return {.scale = form.scale, .zero_point = form.zero_point, .lowest = form.lowest, .highest = form.highest};
}

void drop_shape_of_one(Tensor& tensor) {
  if (tensor.data.size() == 1) tensor.shape.clear();
}

/// Null for inputs and constants.
const Node* producer_of(const Graph& graph, ValueId id) {
  const auto makes = [&](const Node& node) { return node.outputs[0] == id; };
  const auto found = std::find_if(graph.nodes.rbegin(), graph.nodes.rend(), makes);
  return found == graph.nodes.rend() ? nullptr : &*found;
}

/// What a quantized value was quantized from; the value itself where it was moved since.
ValueId unquantized(const Graph& graph, ValueId id) {
  const Node* const node = producer_of(graph, id);
  return node && std::holds_alternative<op::FakeQuant>(node->op) ? node->inputs[0] : id;
}

}  // namespace

ValueId NodeImport::quantize(ValueId reals, IntegerForm form) {
  drop_shape_of_one(form.scale);
  drop_shape_of_one(form.zero_point);
  const ValueId result = emit(op::FakeQuant{quantizer_of(form)}, {reals});
  set_form(result, std::move(form));
  return result;
}

ValueId NodeImport::narrow(ValueId quantized, double lowest, double highest) {
  IntegerForm form = *state_.form(quantized);
  form.lowest = std::clamp(std::ceil(lowest), form.lowest, form.highest);
  form.highest = std::clamp(std::floor(highest), form.lowest, form.highest);
  return quantize(unquantized(state_.graph, quantized), std::move(form));
}

ValueId NodeImport::integers(ValueId quantized) {
  const auto known = state_.integers.find(quantized);
  if (known != state_.integers.end()) return known->second;
  IntegerForm form = *state_.form(quantized);
  const ValueId scale = constant(std::exchange(form.scale, Tensor::scalar(1)));
  const ValueId quotients = emit(op::Binary{op::BinaryFunction::Div}, {unquantized(state_.graph, quantized), scale});
  const ValueId centred = emit(op::FakeQuant{quantizer_of(form)}, {quotients});
  const std::vector<double>& zeros = form.zero_point.data;
  const bool zero = std::all_of(zeros.begin(), zeros.end(), [](double z) { return z == 0; });
  const ValueId result =
      zero ? centred : emit(op::Binary{op::BinaryFunction::Add}, {centred, constant(form.zero_point)});
  return state_.integers[quantized] = result;
}

ValueId NodeImport::reals(ValueId quantized) {
  const auto known = state_.reals.find(quantized);
  if (known != state_.reals.end()) return known->second;
  const op::FakeQuant quant{quantizer_of(*state_.form(quantized))};
  return state_.reals[quantized] = emit(quant, {unquantized(state_.graph, quantized)});
}

ValueId NodeImport::as(std::string_view op, std::vector<ValueId> inputs) {
  NodeImport other(state_, proto_, opset_, std::move(inputs));
  return find_onnx_operator(op)->run(other);
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
