#include "runtime/validate.h"

#include <algorithm>
#include <cmath>

#include "runtime/ops/walk.h"
#include "runtime/reader.h"
#include "runtime/sizes.h"

namespace tidbit::internal {
namespace {

/// Far more than networks have; keeps planning the arena quick.
constexpr size_t kMostTensors = 1 << 15;
/// Kernels count elements in 32 bits.
constexpr uint64_t kMostElements = INT32_MAX;

class Validator {
 public:
  Validator(const FileView& view, const LoadOptions& options)
      : model_(*view.model),
        tail_(view.tail),
        budget_(uint64_t{kSharing} * view.flatbuffer_bytes),
        largest_tensor_(std::min<uint64_t>(options.max_arena_bytes, kLargestArena)) {}

  Description run() {
    const Reader model("the model", tail_);
    result_.name = string(model_.name());
    read_tensors(model);
    written_.resize(result_.tensors.size());
    read_constants();
    read_inputs(model);
    read_nodes();
    read_outputs(model);
    read_preprocessing();
    for (const flatbuffers::String* label : elements(model_.labels())) result_.labels.push_back(string(label));
    return std::move(result_);
  }

 private:
  /// The verifier lets many tables refer to one string or vector, which would make a small file mean a large model.
  /// Files share little; their strings and vectors may be this many times as large as they are.
  static constexpr uint64_t kSharing = 16;

  void spend(uint64_t bytes) {
    if (bytes > budget_) throw Failure{StatusCode::InvalidFile, "the model: its parts overlap"};
    budget_ -= bytes;
  }

  std::string string(const flatbuffers::String* s) {
    if (s == nullptr) return {};
    spend(s->size());
    return s->str();
  }

  /// The elements of a vector that may be absent.
  template <class T>
  std::vector<typename flatbuffers::Vector<T>::return_type> elements(const flatbuffers::Vector<T>* vector) {
    if (vector == nullptr) return {};
    spend(uint64_t{vector->size()} * sizeof(T));
    return {vector->begin(), vector->end()};
  }

  std::vector<size_t> indices(const Reader& reader, const flatbuffers::Vector<uint32_t>* vector, const char* field) {
    std::vector<size_t> result;
    for (const uint32_t index : elements(vector)) {
      reader.require(index < result_.tensors.size(), text(field, "[", result.size(), "]"), "is ", index,
                     ", the model has ", result_.tensors.size(), " tensors");
      result.push_back(index);
    }
    return result;
  }

  void write(const Reader& reader, size_t tensor, std::string_view field) {
    reader.require(!written_[tensor], field, "is tensor ", tensor, ", which is written twice");
    written_[tensor] = true;
  }

  void read_tensors(const Reader& model) {
    const auto tables = elements(model_.tensors());
    model.require(tables.size() <= kMostTensors, "tensors", "has ", tables.size(), " tensors, beyond ", kMostTensors);
    for (const file::Tensor* table : tables) result_.tensors.push_back(read_tensor(*table));
  }

  TensorInfo read_tensor(const file::Tensor& table) {
    TensorInfo tensor;
    tensor.name = string(table.name());
    const size_t index = result_.tensors.size();
    const Reader reader(
        tensor.name.empty() ? text("tensor ", index) : text("tensor ", index, " '", printable(tensor.name), "'"),
        tail_);
    reader.require(table.element() <= file::Element::MAX, "element", "is unknown: ", static_cast<int>(table.element()));
    tensor.is_real = table.element() == file::Element::Real;
    tensor.channels_last = table.channels_last();
    if (!tensor.is_real) {
      const Grid grid = reader.grid(table.grid(), "grid");
      tensor.bits = grid.bits;
      tensor.step = grid.step;
      tensor.base = grid.base;
      tensor.scale = table.scale();
      reader.require(std::isfinite(tensor.scale) && tensor.scale > 0, "scale", "must be finite and above 0");
    }
    read_shape(reader, table, tensor);
    return tensor;
  }

  void read_shape(const Reader& reader, const file::Tensor& table, TensorInfo& tensor) {
    const auto extents = elements(table.shape());
    reader.require(extents.size() <= kLargestRank, "shape", "has ", extents.size(), " axes, beyond ", kLargestRank);
    uint64_t count = 1;
    for (const uint32_t extent : extents) {
      reader.require(extent > 0, "shape", "has an axis of 0");
      count = product({count, extent});
      tensor.shape.push_back(extent);
    }
    reader.require(count <= kMostElements, "shape", "has more than ", kMostElements, " elements");
    const uint64_t bytes = product({count, element_bytes(tensor)});
    reader.require(bytes <= largest_tensor_, "shape", "takes ", bytes, " bytes, the limit is ", largest_tensor_);
  }

  void read_constants() {
    for (const file::Constant* table : elements(model_.constants())) {
      const Reader reader(text("constant ", result_.constants.size()), tail_);
      reader.require(table->tensor() < result_.tensors.size(), "tensor", "is ", table->tensor(), ", the model has ",
                     result_.tensors.size(), " tensors");
      write(reader, table->tensor(), "tensor");
      const TensorInfo& tensor = result_.tensors[table->tensor()];
      reader.require(tensor.is_real, "tensor", "must be real");
      result_.constants.push_back({table->tensor(), reader.array<float>(table->data(), "data", tensor.elements())});
    }
  }

  void read_inputs(const Reader& model) {
    result_.inputs = indices(model, model_.inputs(), "inputs");
    model.require(!result_.inputs.empty(), "inputs", "is empty");
    for (const size_t input : result_.inputs) {
      write(model, input, "inputs");
      model.require(result_.tensors[input].is_real, "inputs", "has tensor ", input, ", which is not real");
    }
  }

  void read_outputs(const Reader& model) {
    result_.outputs = indices(model, model_.outputs(), "outputs");
    model.require(!result_.outputs.empty(), "outputs", "is empty");
    for (const size_t output : result_.outputs) {
      model.require(written_[output], "outputs", "has tensor ", output, ", which nothing writes");
      model.require(result_.tensors[output].is_real, "outputs", "has tensor ", output, ", which is not real");
    }
  }

  void read_nodes() {
    for (const file::Node* table : elements(model_.nodes())) {
      NodeInfo node;
      node.name = string(table->name());
      node.op = file::EnumNameOperator(table->op_type());
      const Reader reader(title(node, result_.nodes.size()), tail_);
      reader.require(table->op_type() != file::Operator::NONE, "op", "is missing");
      reader.require(table->op_type() <= file::Operator::MAX, "op", "is unknown: ", static_cast<int>(table->op_type()),
                     "; update tidbit");
      node.inputs = indices(reader, table->inputs(), "inputs");
      node.outputs = indices(reader, table->outputs(), "outputs");
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        reader.require(written_[node.inputs[i]], text("inputs[", i, "]"), "is tensor ", node.inputs[i],
                       ", which nothing has written yet");
      }
      for (size_t i = 0; i < node.outputs.size(); ++i) write(reader, node.outputs[i], text("outputs[", i, "]"));
      result_.nodes.push_back(std::move(node));
    }
  }

  void read_preprocessing() {
    const file::ImagePreprocessing* const table = model_.preprocessing();
    if (table == nullptr) return;
    const Reader reader("preprocessing", tail_);
    const std::vector<int64_t>& shape = result_.tensors[result_.inputs[0]].shape;
    reader.require(shape.size() == 4, "channels_last", "is of an image, the first input has ", shape.size(), " axes");
    const auto channels = static_cast<size_t>(shape[table->channels_last() ? 3 : 1]);
    const auto values = [&](const flatbuffers::Vector<float>* vector, const char* field) {
      std::vector<float> result = elements(vector);
      reader.require(result.size() == channels, field, "has ", result.size(), " values, the first input has ", channels,
                     " channels");
      reader.require(std::ranges::all_of(result, [](float value) { return std::isfinite(value); }), field,
                     "has a value that is not finite");
      return result;
    };
    result_.preprocessing = ImagePreprocessing{.channels_last = table->channels_last(),
                                               .bgr = table->bgr(),
                                               .mean = values(table->mean(), "mean"),
                                               .deviation = values(table->deviation(), "deviation")};
    reader.require(std::ranges::find(result_.preprocessing->deviation, 0.0f) == result_.preprocessing->deviation.end(),
                   "deviation", "has a 0");
  }

  const file::Model& model_;
  std::span<const std::byte> tail_;
  uint64_t budget_;  // bytes of strings and vectors yet to be read
  uint64_t largest_tensor_;
  Description result_;
  std::vector<bool> written_;
};

}  // namespace

Description validate(const FileView& view, const LoadOptions& options) { return Validator(view, options).run(); }

std::string title(const NodeInfo& node, size_t index) {
  const std::string op = node.op.empty() ? "" : text(" (", node.op, ")");
  return node.name.empty() ? text("node ", index, op) : text("node '", printable(node.name), "'", op);
}

}  // namespace tidbit::internal
