// Small ONNX models for tests.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace tidbit::test {

/// A file of these bytes, gone with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes, const std::string& suffix = ".onnx") {
    static int count = 0;
    path_ = testing::TempDir() + "tidbit_" + std::to_string(getpid()) + "_" + std::to_string(count++) + suffix;
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class OnnxNodeBuilder {
 public:
  explicit OnnxNodeBuilder(onnx::NodeProto& node) : node_(node) {}

  OnnxNodeBuilder& set(const std::string& name, int64_t value) {
    add(name, onnx::AttributeProto::INT).set_i(value);
    return *this;
  }
  OnnxNodeBuilder& set(const std::string& name, int value) { return set(name, static_cast<int64_t>(value)); }
  OnnxNodeBuilder& set(const std::string& name, float value) {
    add(name, onnx::AttributeProto::FLOAT).set_f(value);
    return *this;
  }
  OnnxNodeBuilder& set(const std::string& name, const char* value) {
    add(name, onnx::AttributeProto::STRING).set_s(value);
    return *this;
  }
  OnnxNodeBuilder& set(const std::string& name, const std::vector<int64_t>& values) {
    onnx::AttributeProto& attribute = add(name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  OnnxNodeBuilder& set(const std::string& name, const std::vector<float>& values) {
    onnx::AttributeProto& attribute = add(name, onnx::AttributeProto::FLOATS);
    for (const float value : values) attribute.add_floats(value);
    return *this;
  }
  OnnxNodeBuilder& set(const std::string& name, const onnx::TensorProto& tensor) {
    *add(name, onnx::AttributeProto::TENSOR).mutable_t() = tensor;
    return *this;
  }
  OnnxNodeBuilder& name(const std::string& name) {
    node_.set_name(name);
    return *this;
  }
  OnnxNodeBuilder& domain(const std::string& domain) {
    node_.set_domain(domain);
    return *this;
  }

 private:
  onnx::AttributeProto& add(const std::string& name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node_.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }

  onnx::NodeProto& node_;
};

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 13) {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(opset);
    graph().set_name("built");
  }

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  OnnxBuilder& input(const std::string& name, const std::vector<int64_t>& shape) {
    describe(*graph().add_input(), name, shape);
    return *this;
  }
  OnnxBuilder& output(const std::string& name) {
    graph().add_output()->set_name(name);
    return *this;
  }
  OnnxBuilder& reals(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    *graph().add_initializer() = tensor(name, shape, values);
    return *this;
  }
  OnnxBuilder& integers(const std::string& name, const std::vector<int64_t>& shape,
                        const std::vector<int64_t>& values) {
    *graph().add_initializer() = tensor(name, shape, values);
    return *this;
  }
  /// Named after its operator.
  OnnxNodeBuilder node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name("the_" + op);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return OnnxNodeBuilder(node);
  }

  static onnx::TensorProto tensor(const std::string& name, const std::vector<int64_t>& shape,
                                  const std::vector<float>& values) {
    onnx::TensorProto tensor = empty_tensor(name, shape, onnx::TensorProto::FLOAT);
    for (const float value : values) tensor.add_float_data(value);
    return tensor;
  }
  static onnx::TensorProto tensor(const std::string& name, const std::vector<int64_t>& shape,
                                  const std::vector<int64_t>& values) {
    onnx::TensorProto tensor = empty_tensor(name, shape, onnx::TensorProto::INT64);
    for (const int64_t value : values) tensor.add_int64_data(value);
    return tensor;
  }
  static onnx::TensorProto empty_tensor(const std::string& name, const std::vector<int64_t>& shape, int data_type) {
    onnx::TensorProto tensor;
    tensor.set_name(name);
    tensor.set_data_type(data_type);
    for (const int64_t extent : shape) tensor.add_dims(extent);
    return tensor;
  }

  std::string bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;

 private:
  static void describe(onnx::ValueInfoProto& info, const std::string& name, const std::vector<int64_t>& shape) {
    info.set_name(name);
    onnx::TypeProto_Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape();
    for (const int64_t extent : shape) type.mutable_shape()->add_dim()->set_dim_value(extent);
  }
};

}  // namespace tidbit::test
