// Writes .tbit files of a few nodes for tests, independently of the compiler: the schema's tables as plain structs
// (flatc's object API), which a test may bend before the file is finished.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/bitplanes.h"
#include "schema/container.h"
#include "schema/grid.h"
#include "tests/plain_schema/tidbit_plain_generated.h"

namespace tidbit::test {

using Shape = std::vector<uint32_t>;
using Blob = std::unique_ptr<plain::Blob>;

/// The bytes of a file, aligned as a mapped one is.
class TbitFile {
 public:
  explicit TbitFile(size_t size) : lines_((size + sizeof(Line) - 1) / sizeof(Line)), size_(size) {}

  std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(lines_.data()), size_}; }
  std::span<const std::byte> bytes() const { return {reinterpret_cast<const std::byte*>(lines_.data()), size_}; }

 private:
  struct alignas(container::kAlignment) Line {
    std::byte bytes[container::kAlignment];
  };
  std::vector<Line> lines_;
  size_t size_;
};

class TbitBuilder {
 public:
  plain::ModelT model;

  TbitBuilder() {
    model.version = container::kVersion;
    model.name = "test";
  }

  uint32_t real(Shape shape, std::string name = "") {
    auto tensor = std::make_unique<plain::TensorT>();
    tensor->name = std::move(name);
    tensor->shape = std::move(shape);
    model.tensors.push_back(std::move(tensor));
    return static_cast<uint32_t>(model.tensors.size() - 1);
  }

  uint32_t codes(Shape shape, const Grid& grid, double scale = 1) {
    const uint32_t tensor = real(std::move(shape));
    model.tensors[tensor]->element = plain::Element::Code;
    model.tensors[tensor]->grid = plain_grid(grid);
    model.tensors[tensor]->scale = scale;
    return tensor;
  }

  uint32_t input(Shape shape) {
    model.inputs.push_back(real(std::move(shape), "input"));
    return model.inputs.back();
  }

  uint32_t output(uint32_t tensor) {
    model.outputs.push_back(tensor);
    return tensor;
  }

  template <class T>
  Blob blob(const std::vector<T>& values) {
    const size_t offset = tail_.size();
    tail_.resize(container::align(offset + values.size() * sizeof(T)));
    std::memcpy(tail_.data() + offset, values.data(), values.size() * sizeof(T));
    return std::make_unique<plain::Blob>(offset, values.size() * sizeof(T));
  }

  template <class Table>
  plain::NodeT& node(std::string name, Table op, std::vector<uint32_t> inputs, std::vector<uint32_t> outputs) {
    auto node = std::make_unique<plain::NodeT>();
    node->name = std::move(name);
    node->op.Set(std::move(op));
    node->inputs = std::move(inputs);
    node->outputs = std::move(outputs);
    model.nodes.push_back(std::move(node));
    return *model.nodes.back();
  }

  void constant(uint32_t tensor, const std::vector<float>& values) {
    auto constant = std::make_unique<plain::ConstantT>();
    constant->tensor = tensor;
    constant->data = blob(values);
    model.constants.push_back(std::move(constant));
  }

  /// Codes [row][tap][channel], encoded as their bits ask for.
  std::unique_ptr<plain::WeightsT> weights(uint32_t rows, uint32_t taps, uint32_t channels, const Grid& grid,
                                           const std::vector<uint8_t>& codes) {
    auto weights = shaped_weights(rows, taps, channels);
    weights->grid = plain_grid(grid);
    if (grid.bits > 4) {
      weights->encoding = plain::WeightEncoding::Bytes;
      weights->data = blob(codes);
      return weights;
    }
    const size_t row_bytes = bitplanes::bytes_per_row(grid.bits, taps, channels);
    std::vector<uint8_t> planes(rows * row_bytes);
    for (size_t row = 0; row < rows; ++row) {
      bitplanes::pack_row(codes.data() + row * taps * channels, grid.bits, taps, channels,
                          planes.data() + row * row_bytes);
    }
    weights->data = blob(planes);
    return weights;
  }

  std::unique_ptr<plain::WeightsT> real_weights(uint32_t rows, uint32_t taps, uint32_t channels,
                                                const std::vector<float>& values) {
    auto weights = shaped_weights(rows, taps, channels);
    weights->encoding = plain::WeightEncoding::Real;
    weights->data = blob(values);
    return weights;
  }

  /// T is int32_t for integer sums, double for real ones.
  template <class T>
  std::unique_ptr<plain::EpilogueT> thresholds(uint8_t lowest, uint32_t steps, const std::vector<T>& values,
                                               const std::vector<uint8_t>& falling = {}) {
    plain::ThresholdsT form;
    form.lowest = lowest;
    form.steps = steps;
    form.values = blob(values);
    if (!falling.empty()) form.falling = blob(falling);
    return epilogue(std::move(form));
  }

  /// T is float or double.
  template <class T>
  std::unique_ptr<plain::EpilogueT> affine(const std::vector<T>& multiplier, const std::vector<T>& offset,
                                           uint8_t highest, double residual_multiplier = 0) {
    return epilogue(line(multiplier, offset, highest, residual_multiplier));
  }

  /// One number each of knee, slope and offset below it for every one of the line's multipliers.
  template <class T>
  std::unique_ptr<plain::EpilogueT> bent_affine(plain::AffineT line, const std::vector<T>& knee,
                                                const std::vector<T>& slope, const std::vector<T>& offset) {
    plain::BentAffineT form;
    form.line = std::make_unique<plain::AffineT>(std::move(line));
    form.knee = blob(knee);
    form.slope = blob(slope);
    form.offset = blob(offset);
    return epilogue(std::move(form));
  }

  template <class T>
  plain::AffineT line(const std::vector<T>& multiplier, const std::vector<T>& offset, uint8_t highest,
                      double residual_multiplier = 0) {
    plain::AffineT form;
    form.arithmetic = sizeof(T) == sizeof(float) ? plain::Arithmetic::Float32 : plain::Arithmetic::Float64;
    form.multiplier = blob(multiplier);
    form.offset = blob(offset);
    form.residual_multiplier = residual_multiplier;
    form.highest = highest;
    return form;
  }

  std::unique_ptr<plain::FixedPointLineT> fixed_point_line(const std::vector<int32_t>& multiplier,
                                                           const std::vector<int64_t>& offset,
                                                           const std::vector<uint8_t>& shift) {
    auto line = std::make_unique<plain::FixedPointLineT>();
    line->multiplier = blob(multiplier);
    line->offset = blob(offset);
    line->shift = blob(shift);
    return line;
  }

  /// Without a knee where there is no line below it.
  std::unique_ptr<plain::EpilogueT> fixed_point(std::unique_ptr<plain::FixedPointLineT> line, uint8_t highest,
                                                const std::vector<int32_t>& knee = {},
                                                std::unique_ptr<plain::FixedPointLineT> below = nullptr) {
    plain::FixedPointT form;
    form.line = std::move(line);
    form.highest = highest;
    if (below) form.knee = blob(knee);
    form.below = std::move(below);
    return epilogue(std::move(form));
  }

  std::unique_ptr<plain::EpilogueT> real_affine(const std::vector<double>& multiplier,
                                                const std::vector<double>& offset, double residual_multiplier = 0) {
    plain::RealAffineT form;
    form.multiplier = blob(multiplier);
    form.offset = blob(offset);
    form.residual_multiplier = residual_multiplier;
    return epilogue(std::move(form));
  }

  /// Sums as they are.
  std::unique_ptr<plain::EpilogueT> identity() { return real_affine({1}, {0}); }

  /// A model input whose values are codes, and the tensor of these codes.
  uint32_t code_input(const Shape& shape, const Grid& grid) {
    plain::QuantizeT quantize;
    quantize.epilogue = affine<double>({1}, {0}, static_cast<uint8_t>(grid.levels() - 1));
    const uint32_t from = input(shape), to = codes(shape, grid);
    node("codes of the input", std::move(quantize), {from}, {to});
    return to;
  }

  /// A model output of the codes of a tensor.
  uint32_t code_output(uint32_t tensor) {
    const plain::TensorT& codes = *model.tensors[tensor];
    plain::DequantizeT dequantize;
    std::vector<float> values(size_t{1} << codes.grid->bits);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    dequantize.values = blob(values);
    const uint32_t to = real(codes.shape);
    node("codes of the output", std::move(dequantize), {tensor}, {to});
    return output(to);
  }

  TbitFile finish();

  static std::unique_ptr<plain::GridT> plain_grid(const Grid& grid) {
    auto result = std::make_unique<plain::GridT>();
    result->bits = static_cast<uint8_t>(grid.bits);
    result->step = grid.step;
    result->base = grid.base;
    return result;
  }

 private:
  static std::unique_ptr<plain::WeightsT> shaped_weights(uint32_t rows, uint32_t taps, uint32_t channels) {
    auto weights = std::make_unique<plain::WeightsT>();
    weights->rows = rows;
    weights->taps = taps;
    weights->channels = channels;
    return weights;
  }

  template <class Form>
  static std::unique_ptr<plain::EpilogueT> epilogue(Form form) {
    auto result = std::make_unique<plain::EpilogueT>();
    result->form.Set(std::move(form));
    return result;
  }

  std::vector<std::byte> tail_;
};

}  // namespace tidbit::test
