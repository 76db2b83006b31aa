#include "tools/make/onnx_graph.h"

#include <bit>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools::make {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX keeps raw_data in little endian");

constexpr int64_t kIrVersion = 8, kOpset = 13;

template <class T>
constexpr onnx::TensorProto::DataType kDataType = onnx::TensorProto::UNDEFINED;
template <>
constexpr onnx::TensorProto::DataType kDataType<float> = onnx::TensorProto::FLOAT;
template <>
constexpr onnx::TensorProto::DataType kDataType<int8_t> = onnx::TensorProto::INT8;
template <>
constexpr onnx::TensorProto::DataType kDataType<uint8_t> = onnx::TensorProto::UINT8;
template <>
constexpr onnx::TensorProto::DataType kDataType<int32_t> = onnx::TensorProto::INT32;
template <>
constexpr onnx::TensorProto::DataType kDataType<int64_t> = onnx::TensorProto::INT64;

void describe(onnx::ValueInfoProto& info, const Value& value, onnx::TensorProto::DataType data_type) {
  info.set_name(value.name);
  onnx::TypeProto_Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(data_type);
  for (const int64_t extent : value.shape) {
    auto& dimension = *type.mutable_shape()->add_dim();
    if (extent != 0) dimension.set_dim_value(extent);
  }
}

}  // namespace

NodeWriter& NodeWriter::set(const char* name, int64_t value) {
  add(name, onnx::AttributeProto::INT).set_i(value);
  return *this;
}

NodeWriter& NodeWriter::set(const char* name, double value) {
  add(name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(value));
  return *this;
}

NodeWriter& NodeWriter::set(const char* name, const char* value) {
  add(name, onnx::AttributeProto::STRING).set_s(value);
  return *this;
}

NodeWriter& NodeWriter::set(const char* name, const std::vector<int64_t>& values) {
  onnx::AttributeProto& attribute = add(name, onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
  return *this;
}

NodeWriter& NodeWriter::domain(const char* domain) {
  node_.set_domain(domain);
  return *this;
}

onnx::AttributeProto& NodeWriter::add(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node_.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

OnnxGraph::OnnxGraph(const std::string& name) {
  model_.set_ir_version(kIrVersion);
  model_.set_producer_name("tidbit make");
  model_.set_producer_version(std::string(version()));
  model_.mutable_graph()->set_name(name);
  import_domain("", kOpset);
}

Value OnnxGraph::input(const std::string& name, const compiler::Shape& shape) {
  Value value{name, shape};
  describe(*model_.mutable_graph()->add_input(), value, onnx::TensorProto::FLOAT);
  return value;
}

void OnnxGraph::output(const Value& value, onnx::TensorProto::DataType type) {
  describe(*model_.mutable_graph()->add_output(), value, type);
}

template <class T>
std::string OnnxGraph::constant(const std::string& name, const compiler::Shape& shape, std::span<const T> values) {
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(kDataType<T>);
  for (const int64_t extent : shape) tensor.add_dims(extent);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return name;
}

template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const float>);
template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int8_t>);
template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const uint8_t>);
template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int32_t>);
template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int64_t>);

std::string OnnxGraph::scalar(const std::string& name, float value) {
  return constant(name, {}, std::span<const float>(&value, 1));
}

NodeWriter OnnxGraph::node(const std::string& name, const char* op, const std::vector<std::string>& inputs) {
  onnx::NodeProto& node = *model_.mutable_graph()->add_node();
  node.set_name(name);
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(name);
  return NodeWriter(node);
}

void OnnxGraph::import_domain(const char* domain, int64_t version) {
  onnx::OperatorSetIdProto& import = *model_.add_opset_import();
  import.set_domain(domain);
  import.set_version(version);
}

}  // namespace tidbit::tools::make
