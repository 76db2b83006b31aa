#include "compiler/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "compiler/import/model_file.h"
#include "compiler/import/node_import.h"
#include "compiler/import/operator_table.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

/// Indices of the nodes that the outputs need, each after those whose outputs it reads; else in the file's order.
std::vector<int> sorted_nodes(const onnx::GraphProto& proto) {
  std::unordered_map<std::string, int> maker;
  for (int i = 0; i < proto.node_size(); ++i) {
    for (const std::string& output : proto.node(i).output()) {
      if (!output.empty() && !maker.emplace(output, i).second) {
        throw CompileError(fmt::format("{}: its output '{}' is made twice", describe(proto.node(i)), output));
      }
    }
  }
  std::vector<bool> needed(static_cast<size_t>(proto.node_size()), false);
  std::vector<int> pending;
  const auto need = [&](const std::string& name) {
    const auto found = maker.find(name);
    if (found == maker.end() || needed[static_cast<size_t>(found->second)]) return;
    needed[static_cast<size_t>(found->second)] = true;
    pending.push_back(found->second);
  };
  for (const onnx::ValueInfoProto& output : proto.output()) need(output.name());
  while (!pending.empty()) {
    const int node = pending.back();
    pending.pop_back();
    for (const std::string& input : proto.node(node).input()) need(input);
  }

  std::vector<int> waits(needed.size(), 0);
  std::vector<std::vector<int>> readers(needed.size());
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < proto.node_size(); ++i) {
    if (!needed[static_cast<size_t>(i)]) continue;
    for (const std::string& input : proto.node(i).input()) {
      const auto found = maker.find(input);
      if (found == maker.end()) continue;
      readers[static_cast<size_t>(found->second)].push_back(i);
      ++waits[static_cast<size_t>(i)];
    }
    if (waits[static_cast<size_t>(i)] == 0) ready.push(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const int reader : readers[static_cast<size_t>(order.back())]) {
      if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  const auto stuck = std::find_if(waits.begin(), waits.end(), [](int count) { return count > 0; });
  if (stuck != waits.end()) {
    const auto& node = proto.node(static_cast<int>(stuck - waits.begin()));
    throw CompileError(fmt::format("{}: its output leads back to its input: the graph has a cycle", describe(node)));
  }
  return order;
}

class Importer {
 public:
  Importer(const onnx::ModelProto& model, const ImportOptions& options)
      : model_(model), proto_(model.graph()), options_(options) {}

  Graph run() {
    constexpr int64_t kConstantBudget = int64_t{1} << 24;
    state_.constant_budget = kConstantBudget + static_cast<int64_t>(model_.ByteSizeLong());
    state_.graph.name = proto_.name();
    read_opset();
    collect_initializers();
    for (const onnx::ValueInfoProto& input : proto_.input()) add_input(input);
    check_options();
    for (const int index : sorted_nodes(proto_)) add_node(proto_.node(index));
    for (const onnx::ValueInfoProto& output : proto_.output()) add_output(output.name());
    if (state_.graph.outputs.empty()) throw CompileError("the graph has no outputs");
    remove_dead(state_.graph);  // quantizers whose integers were narrowed behind them
    verify(state_.graph);
    return std::move(state_.graph);
  }

 private:
  void read_opset() {
    for (const onnx::OperatorSetIdProto& import : model_.opset_import()) {
      if (is_onnx_domain(import.domain())) opset_ = import.version();
    }
    constexpr int64_t kOldest = 7;  // broadcasting, batch normalization and dropout meant other things before
    if (opset_ < kOldest) {
      throw CompileError(fmt::format("opset {} is not supported; convert the model to {} or later", opset_, kOldest));
    }
  }

  void collect_initializers() {
    if (!proto_.sparse_initializer().empty()) throw CompileError("sparse initializers are not supported");
    for (const onnx::TensorProto& tensor : proto_.initializer()) {
      if (!initializers_.emplace(tensor.name(), &tensor).second) {
        throw CompileError(fmt::format("initializer '{}' is there twice", tensor.name()));
      }
    }
  }

  void add_input(const onnx::ValueInfoProto& input) {
    if (initializers_.contains(input.name())) return;  // so they are listed up to IR version 3
    if (values_.contains(input.name())) throw CompileError(fmt::format("input '{}' is there twice", input.name()));
    const onnx::TypeProto_Tensor& type = input.type().tensor_type();
    if (!input.type().has_tensor_type()) throw CompileError(fmt::format("input '{}' is no tensor", input.name()));
    const int element = type.elem_type();
    const bool integers = holds_numbers(element) && holds_integers(element) && element != onnx::TensorProto::BOOL;
    if (!holds_numbers(element) || (holds_integers(element) && !(integers && limits_of(element).highest < 256))) {
      throw CompileError(fmt::format("input '{}' holds {}; inputs must be floating point, or integers of up to 8 bits",
                                     input.name(), data_type_name(element)));
    }
    const Shape shape = input_shape(input.name(), type);
    if (too_large(shape)) {
      throw CompileError(fmt::format("input '{}' is too large: {}", input.name(), to_string(shape)));
    }
    const ValueId id = state_.add_value(input.name(), shape);
    state_.graph.inputs.push_back(id);
    values_[input.name()] = integers ? quantized_input(id, limits_of(element)) : id;
  }

  /// Integers come as reals. The quantizer behind them says which there are.
  ValueId quantized_input(ValueId input, const IntegerLimits& limits) {
    onnx::NodeProto proto;
    proto.set_name(state_.graph[input].name);
    const Tensor one = Tensor::scalar(1), zero = Tensor::scalar(0);
    return NodeImport(state_, proto, opset_, {}).quantize(input, {one, zero, limits.lowest, limits.highest});
  }

  Shape input_shape(const std::string& name, const onnx::TypeProto_Tensor& type) const {
    const auto given = options_.input_shapes.find(name);
    const bool is_given = given != options_.input_shapes.end();
    if (!type.has_shape() && !is_given) {
      throw CompileError(fmt::format("input '{0}' has no shape; pass --shape {0}=1,3,224,224 (its own numbers)", name));
    }
    Shape shape;
    std::vector<std::string> unknown, example;
    for (const auto& dimension : type.shape().dim()) {
      const bool known = dimension.dim_value() > 0;
      shape.push_back(known ? dimension.dim_value() : 0);
      example.push_back(known ? std::to_string(dimension.dim_value()) : example.empty() ? "1" : "?");
      if (!known) unknown.push_back(fmt::format("{} ('{}')", shape.size() - 1, dimension.dim_param()));
    }
    if (!is_given) {
      if (unknown.empty()) return shape;
      throw CompileError(fmt::format("input '{0}': dimension {1} has no size; pass --shape {0}={2}", name,
                                     fmt::join(unknown, ", "), fmt::join(example, ",")));
    }
    bool fits = !type.has_shape() || shape.size() == given->second.size();
    for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] == 0 || shape[i] == given->second[i];
    const bool positive =
        std::all_of(given->second.begin(), given->second.end(), [](int64_t extent) { return extent > 0; });
    if (!fits || !positive) {
      throw CompileError(fmt::format("input '{}' is [{}]; the shape {} that was given does not fit", name,
                                     fmt::join(example, ","), to_string(given->second)));
    }
    return given->second;
  }

  void check_options() const {
    for (const auto& [name, shape] : options_.input_shapes) {
      if (!values_.contains(name))
        throw CompileError(fmt::format("a shape was given for '{}', which is no input", name));
    }
  }

  void add_node(const onnx::NodeProto& node) {
    try {
      const OperatorImport* entry = find_operator(node.domain(), node.op_type());
      if (!entry) {
        const std::string domain = node.domain().empty() ? "" : fmt::format(" (domain '{}')", node.domain());
        const std::string_view reason = reason_against(node.op_type());
        throw CompileError(
            fmt::format("operator not supported{}; {}", domain, reason.empty() ? "supported: see README" : reason));
      }
      const size_t first = state_.graph.nodes.size();
      const std::vector<ValueId> inputs = node_inputs(node, *entry);
      NodeImport import(state_, node, opset_, inputs);
      const ValueId result = entry->run(import);
      const IntegerForm* const form = entry->integers == Integers::Moved ? state_.form(inputs[0]) : nullptr;
      if (form) set_forms(import, result, IntegerForm(*form));
      name_result(node, first, result);
      name_further_results(node, import.further_outputs());
    } catch (const CompileError& error) {
      throw CompileError(fmt::format("{}: {}", describe(node), error.what()));
    }
  }

  static void set_forms(NodeImport& import, ValueId result, const IntegerForm& form) {
    import.set_form(result, form);
    for (const ValueId further : import.further_outputs()) import.set_form(further, form);
  }

  std::vector<ValueId> node_inputs(const onnx::NodeProto& node, const OperatorImport& entry) {
    const auto count = static_cast<size_t>(node.input_size());
    if (count < entry.least) throw CompileError(fmt::format("has {} inputs, needs {}", count, entry.least));
    if (count > entry.most) throw CompileError(fmt::format("has {} inputs, takes {}", count, entry.most));
    std::vector<ValueId> inputs;
    for (const std::string& name : node.input()) {
      inputs.push_back(name.empty() ? kNoValue : value(name));
      const IntegerForm* const form = name.empty() ? nullptr : state_.form(inputs.back());
      const bool kept =
          entry.integers == Integers::Known || (entry.integers == Integers::Moved && form && form->per_tensor());
      if (form && !kept) inputs.back() = NodeImport(state_, node, opset_, {}).integers(inputs.back());
    }
    for (size_t i = 0; i < entry.least; ++i) {
      if (inputs[i] == kNoValue) throw CompileError(fmt::format("input {} is missing", i));
    }
    return inputs;
  }

  /// The value of this name; an initializer becomes one when it is first read.
  ValueId value(const std::string& name) {
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    const auto initializer = initializers_.find(name);
    if (initializer == initializers_.end()) {
      throw CompileError(fmt::format("reads '{}', which is no input, no initializer and no supported output", name));
    }
    try {
      const onnx::TensorProto& tensor = *initializer->second;
      return values_[name] = state_.add_constant(name, read_tensor(tensor), tensor.data_type());
    } catch (const CompileError& error) {
      throw CompileError(fmt::format("initializer '{}': {}", name, error.what()));
    }
  }

  /// The result takes the output's name, and the node that makes it that of the ONNX node, whose nodes begin at
  /// `first`.
  void name_result(const onnx::NodeProto& node, size_t first, ValueId result) {
    if (node.output().empty() || node.output(0).empty()) throw CompileError("has no output");
    const std::string& output = node.output(0);
    name_value(output, result);
    for (size_t i = first; i < state_.graph.nodes.size(); ++i) {
      Node& made = state_.graph.nodes[i];
      if (made.outputs[0] != result) continue;
      state_.node_names.erase(made.name);
      made.name = unique_node_name(state_, node.name().empty() ? output : node.name());
    }
  }

  void name_further_results(const onnx::NodeProto& node, const std::vector<ValueId>& results) {
    for (size_t i = 0; i < results.size() && i + 1 < static_cast<size_t>(node.output_size()); ++i) {
      const std::string& output = node.output(static_cast<int>(i) + 1);
      if (results[i] != kNoValue && !output.empty()) name_value(output, results[i]);
    }
  }

  /// A quantized value waits for the name of the reals it stands for.
  void name_value(const std::string& name, ValueId id) {
    if (values_.contains(name) || initializers_.contains(name)) {
      throw CompileError(fmt::format("its output '{}' is also an input or an initializer", name));
    }
    values_[name] = id;
    Value& value = state_.graph[id];
    if (value.name.empty() && !state_.form(id)) value.name = name;
  }

  /// An output is a value of its own, which a node makes and which has the output's name.
  void add_output(const std::string& name) {
    Graph& graph = state_.graph;
    const auto found = values_.find(name);
    if (found == values_.end() && !initializers_.contains(name)) {
      throw CompileError(fmt::format("output '{}' is made by no node", name));
    }
    if (found == values_.end() || graph[found->second].constant) {
      throw CompileError(fmt::format("output '{}' is constant: it does not depend on an input", name));
    }
    ValueId id = found->second;
    if (state_.form(id)) {
      onnx::NodeProto proto;
      proto.set_name(name);
      id = NodeImport(state_, proto, opset_, {}).integers(id);
    }
    const auto listed = [&](const std::vector<ValueId>& ids) {
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    if (listed(graph.inputs) || listed(graph.outputs)) {
      const ValueId copy = state_.add_value(name, graph[id].shape);
      graph.nodes.push_back({unique_node_name(state_, name), op::Reshape{}, {id}, {copy}});
      id = copy;
    }
    graph[id].name = name;
    graph.outputs.push_back(id);
  }

  const onnx::ModelProto& model_;
  const onnx::GraphProto& proto_;
  const ImportOptions& options_;
  int64_t opset_ = 13;  // of models that name none
  ImportState state_;
  std::unordered_map<std::string, const onnx::TensorProto*> initializers_;
  std::unordered_map<std::string, ValueId> values_;
};

}  // namespace

Graph import_model(const onnx::ModelProto& model, const ImportOptions& options) {
  return Importer(model, options).run();
}

Graph import_onnx(const std::string& path, const ImportOptions& options) {
  try {
    return import_model(read_model_file(path), options);
  } catch (const CompileError& error) {
    std::string what = error.what();  // with names from the file, which may hold anything
    std::replace_if(
        what.begin(), what.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
    throw CompileError(fmt::format("{}: {}", path, what));
  }
}

}  // namespace tidbit::compiler
