#include "compiler/emit.h"

#include <algorithm>
#include <cstring>

#include "compiler/emit/file_parts.h"
#include "compiler/emit/operators.h"
#include "schema/container.h"
#include "schema/tidbit_generated.h"

namespace tidbit::compiler {
namespace {

template <class T>
using Offset = flatbuffers::Offset<T>;

Offset<file::Tensor> emit_tensor(FileParts& parts, const Value& value) {
  flatbuffers::FlatBufferBuilder& builder = parts.builder();
  const auto name = builder.CreateSharedString(value.name);
  const auto shape = parts.vector(converted<uint32_t>(value.shape));
  if (!value.codes) {
    return file::CreateTensor(builder, name, shape, file::Element::Real, 0, 1, value.channels_last);
  }
  const auto grid = parts.grid(value.quantization->grid);
  return file::CreateTensor(builder, name, shape, file::Element::Code, grid, value.quantization->scales[0],
                            value.channels_last);
}

Offset<file::Constant> emit_constant(FileParts& parts, const Graph& graph, ValueId id) {
  const file::Blob blob = parts.reals(converted<float>(graph[id].constant->data));
  return file::CreateConstant(parts.builder(), parts.tensor_index(id), &blob);
}

Offset<file::Node> emit_node(FileParts& parts, const Node& node) {
  const EmittedOperator op = emit_operator(parts, node);
  const auto name = parts.builder().CreateSharedString(node.name);
  const auto inputs = parts.tensor_indices(node.inputs), outputs = parts.tensor_indices(node.outputs);
  return file::CreateNode(parts.builder(), name, op.type, op.table, inputs, outputs);
}

Offset<file::ImagePreprocessing> emit_preprocessing(FileParts& parts, const CompileOptions& options) {
  if (!options.preprocessing) return 0;
  const Preprocessing& p = *options.preprocessing;
  const auto mean = parts.builder().CreateVector(p.mean), deviation = parts.builder().CreateVector(p.deviation);
  return file::CreateImagePreprocessing(parts.builder(), p.channels_last, p.bgr, mean, deviation);
}

Offset<file::Model> emit_model(FileParts& parts, const Graph& graph, const CompileOptions& options) {
  flatbuffers::FlatBufferBuilder& builder = parts.builder();
  std::vector<Offset<file::Tensor>> tensors;
  std::vector<Offset<file::Constant>> constants;
  for (const ValueId id : parts.tensors()) {
    tensors.push_back(emit_tensor(parts, graph[id]));
    if (graph[id].constant) constants.push_back(emit_constant(parts, graph, id));
  }
  std::vector<Offset<file::Node>> nodes;
  for (const Node& node : graph.nodes) nodes.push_back(emit_node(parts, node));
  const auto name = builder.CreateString(options.name.empty() ? graph.name : options.name);
  const auto producer = builder.CreateString("tidbit " TIDBIT_VERSION);
  const auto tensor_vector = builder.CreateVector(tensors);
  const auto constant_vector = builder.CreateVector(constants);
  const auto node_vector = builder.CreateVector(nodes);
  const auto inputs = parts.tensor_indices(graph.inputs), outputs = parts.tensor_indices(graph.outputs);
  const auto preprocessing = emit_preprocessing(parts, options);
  const auto labels = builder.CreateVectorOfStrings(options.labels);
  return file::CreateModel(builder, container::kVersion, producer, name, tensor_vector, constant_vector, node_vector,
                           inputs, outputs, preprocessing, labels, parts.tail().size());
}

}  // namespace

Compiled emit(const Graph& graph, const CompileOptions& options) {
  FileParts parts(graph);
  flatbuffers::FlatBufferBuilder& builder = parts.builder();
  builder.FinishSizePrefixed(emit_model(parts, graph, options), file::ModelIdentifier());
  const std::vector<std::byte>& tail = parts.tail();
  Compiled compiled;
  compiled.file.resize(container::align(builder.GetSize()) + tail.size());
  std::memcpy(compiled.file.data(), builder.GetBufferPointer(), builder.GetSize());
  std::ranges::copy(tail, compiled.file.end() - static_cast<ptrdiff_t>(tail.size()));
  compiled.weight_bytes = parts.weight_bytes();
  compiled.epilogue_bytes = parts.epilogue_bytes();
  compiled.real_bytes = parts.real_bytes();
  return compiled;
}

}  // namespace tidbit::compiler
