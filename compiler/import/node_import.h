// What the importer of one operator sees: the ONNX node, and the graph that grows.
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// A quantized tensor: ONNX's value holds integers q in [lowest, highest], the graph's the reals that these stand for,
/// (q - zero_point) * scale. So quantizers and what moves their codes stay one node each.
struct IntegerForm {
  Tensor scale, zero_point;  // broadcast against the value
  double lowest, highest;

  bool per_tensor() const { return scale.data.size() == 1 && zero_point.data.size() == 1; }
  bool operator==(const IntegerForm& other) const {
    return scale.shape == other.scale.shape && scale.data == other.scale.data &&
           zero_point.shape == other.zero_point.shape && zero_point.data == other.zero_point.data &&
           lowest == other.lowest && highest == other.highest;
  }
};

/// The graph so far, and what it does not hold.
struct ImportState {
  Graph graph;
  std::vector<int> types;  // of constants, onnx::TensorProto::DataType: integers divide without a remainder
  std::map<ValueId, IntegerForm> forms;
  // Of values with a form, where somebody asked: the integers, and what they stand for, as values without a form.
  std::map<ValueId, ValueId> integers, reals;
  std::set<std::string> node_names;
  int64_t constant_budget = 0;  // elements that folding may still make: a small file must not ask for much memory

  ValueId add_value(std::string name, Shape shape);
  ValueId add_constant(std::string name, Tensor tensor, int type = onnx::TensorProto::FLOAT);
  bool is_integer(ValueId id) const;
  const IntegerForm* form(ValueId id) const;
};

class NodeImport {
 public:
  /// `inputs` are the node's, kNoValue for an absent one.
  NodeImport(ImportState& state, const onnx::NodeProto& proto, int64_t opset, std::vector<ValueId> inputs);

  // What the file says. What is not there, or of another type, is an error.
  const onnx::NodeProto& proto() const { return proto_; }
  int64_t opset() const { return opset_; }
  size_t input_count() const { return inputs_.size(); }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  bool has_input(size_t i) const { return i < inputs_.size() && inputs_[i] != kNoValue; }
  ValueId input(size_t i) const;
  // Copies: the graph's values move while it grows.
  Shape shape(size_t input) const { return shape_of(this->input(input)); }
  Shape shape_of(ValueId id) const { return state_.graph[id].shape; }
  int64_t rank(size_t input) const { return static_cast<int64_t>(shape(input).size()); }
  bool is_constant(size_t input) const { return state_.graph[this->input(input)].constant.has_value(); }
  bool is_integer(size_t input) const { return state_.is_integer(this->input(input)); }
  int type(size_t input) const { return state_.types[static_cast<size_t>(this->input(input))]; }
  /// Null for a tensor of reals, of constants, or of integers that are in the graph as they are.
  const IntegerForm* form(size_t input) const { return state_.form(this->input(input)); }
  Tensor constant(size_t input, std::string_view what) const;
  Tensor constant_of(ValueId id) const { return *state_.graph[id].constant; }
  double constant_scalar(size_t input, std::string_view what) const;
  std::vector<int64_t> constant_integers(size_t input, std::string_view what) const;

  bool has_attribute(std::string_view name) const { return find(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t otherwise) const;
  double real(std::string_view name, double otherwise) const;
  std::string text(std::string_view name, std::string_view otherwise) const;
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> otherwise) const;
  std::vector<double> reals(std::string_view name) const;
  const onnx::TensorProto& tensor(std::string_view name) const;
  /// `axis`, counted from the end where negative, or an error.
  int64_t axis_in(int64_t axis, int64_t rank) const;

  // What becomes of it. Returned values have no name and known shapes; what follows from constants is a constant.
  ValueId emit(Operator op, std::vector<ValueId> inputs);
  ValueId reshape(ValueId, Shape);
  ValueId constant(Tensor tensor, int type = onnx::TensorProto::FLOAT) {
    return state_.add_constant("", std::move(tensor), type);
  }
  /// Quantizes reals. Scales and zero points of one element count as scalars.
  ValueId quantize(ValueId reals, IntegerForm form);
  /// Quantizes to fewer integers.
  ValueId narrow(ValueId quantized, double lowest, double highest);
  /// The integers themselves.
  ValueId integers(ValueId quantized);
  /// What they stand for.
  ValueId reals(ValueId quantized);
  /// As if the operator were another of ONNX's, with these inputs and this node's attributes.
  ValueId as(std::string_view op, std::vector<ValueId> inputs);
  void set_form(ValueId id, IntegerForm form) { state_.forms.insert_or_assign(id, std::move(form)); }
  /// The outputs behind the first, in order; kNoValue for one that cannot be used.
  void add_output(ValueId id) { further_outputs_.push_back(id); }
  const std::vector<ValueId>& further_outputs() const { return further_outputs_; }
  /// To be called before a constant is made that the file does not hold.
  void spend(int64_t elements);

  /// The caller of the importer names the node.
  [[noreturn]] void fail(const std::string& what) const;

 private:
  const onnx::AttributeProto* find(std::string_view name) const;
  const onnx::AttributeProto* find(std::string_view name, onnx::AttributeProto::AttributeType type) const;
  ValueId add_node(Operator op, std::vector<ValueId> inputs, Shape reshaped);

  ImportState& state_;
  const onnx::NodeProto& proto_;
  int64_t opset_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> further_outputs_;
};

/// `wanted`, or with a number behind it; no other node has the name.
std::string unique_node_name(ImportState&, const std::string& wanted);

/// "conv1 (Conv)"
std::string describe(const onnx::NodeProto&);

/// A real number that stands for an integer, at the ends of int64 where it is beyond them.
int64_t to_int64(double);

/// An activation of 2^28 elements or more is a mistake, or malice. Extents are positive.
bool too_large(const Shape&);

/// What an operator gets for an input with an IntegerForm.
enum class Integers : uint8_t {
  AsReals,  // the integers themselves
  Moved,    // the reals they stand for, where all inputs have one form; the output has it too
  Known,    // the reals: it looks at the form itself
};

/// One operator: how many inputs it has (the first `least` must be there), and what makes nodes of it. Gives the value
/// of the first output.
struct OperatorImport {
  std::string_view name;
  size_t least, most;
  ValueId (*run)(NodeImport&);
  Integers integers = Integers::AsReals;
};

/// Of ONNX's own domain; null where there is none.
const OperatorImport* find_onnx_operator(std::string_view name);

std::span<const OperatorImport> constant_operators();
std::span<const OperatorImport> elementwise_operators();
std::span<const OperatorImport> layout_operators();
std::span<const OperatorImport> linear_quantizers();
std::span<const OperatorImport> matrix_operators();
std::span<const OperatorImport> qlinear_operators();
std::span<const OperatorImport> resize_operators();
std::span<const OperatorImport> window_operators();
/// Of the domain com.microsoft.
std::span<const OperatorImport> contributed_operators();
/// Of the domains that quantizers come under.
std::span<const OperatorImport> quantizer_operators();
/// Of the domain qonnx.custom_op.channels_last.
std::span<const OperatorImport> channels_last_operators();

}  // namespace tidbit::compiler
