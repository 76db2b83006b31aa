// ONNX graphs node by node: names, attributes and tensors, and no idea of networks.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::tools::make {

enum class Codes : uint8_t {
  Unsigned,  // of what is never negative; one bit is 0 and 1
  Signed,    // one bit is -1 and 1
};

/// A value of the graph. Behind a quantizer, its codes have a scale.
struct Value {
  std::string name;
  compiler::Shape shape;
  float scale = 0;
  Codes codes = Codes::Unsigned;
};

/// Sets attributes of a node.
class NodeWriter {
 public:
  explicit NodeWriter(onnx::NodeProto& node) : node_(node) {}

  NodeWriter& set(const char* name, int64_t value);
  NodeWriter& set(const char* name, double value);
  NodeWriter& set(const char* name, const char* value);
  NodeWriter& set(const char* name, const std::vector<int64_t>& values);
  NodeWriter& domain(const char* domain);

 private:
  onnx::AttributeProto& add(const char* name, onnx::AttributeProto::AttributeType type);

  onnx::NodeProto& node_;
};

class OnnxGraph {
 public:
  explicit OnnxGraph(const std::string& name);

  Value input(const std::string& name, const compiler::Shape& shape);
  void output(const Value& value);

  /// A constant; returns its name.
  template <class T>
  std::string constant(const std::string& name, const compiler::Shape& shape, std::span<const T> values);
  std::string scalar(const std::string& name, float value);

  /// A node of this name, whose output takes it too.
  NodeWriter node(const std::string& name, const char* op, const std::vector<std::string>& inputs);

  void import_domain(const char* domain, int64_t version);

  onnx::ModelProto finish() { return std::move(model_); }

 private:
  onnx::ModelProto model_;
};

extern template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const float>);
extern template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int8_t>);
extern template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const uint8_t>);
extern template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int32_t>);
extern template std::string OnnxGraph::constant(const std::string&, const compiler::Shape&, std::span<const int64_t>);

}  // namespace tidbit::tools::make
