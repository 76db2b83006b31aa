// Builds compiler graphs for tests.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::test {

class GraphBuilder {
 public:
  using ValueId = compiler::ValueId;
  using Shape = compiler::Shape;
  using Tensor = compiler::Tensor;

  explicit GraphBuilder(uint32_t seed = 1) : random_(seed) { graph_.name = "test"; }

  ValueId input(Shape shape) {
    compiler::Value value;
    value.name = "input" + std::to_string(graph_.inputs.size());
    value.shape = std::move(shape);
    graph_.inputs.push_back(graph_.add(std::move(value)));
    return graph_.inputs.back();
  }

  ValueId constant(Tensor tensor) {
    compiler::Value value;
    value.shape = tensor.shape;
    value.constant = std::move(tensor);
    return graph_.add(std::move(value));
  }
  ValueId constant(double x) { return constant(Tensor::scalar(x)); }

  ValueId node(compiler::Operator op, std::vector<ValueId> inputs) {
    const std::string name = "node" + std::to_string(graph_.nodes.size());
    compiler::Value value;
    value.name = name + ":0";
    graph_.nodes.push_back({name, std::move(op), std::move(inputs), {}});
    compiler::Node& node = graph_.nodes.back();
    value.shape = compiler::output_shapes(graph_, node)[0];
    node.outputs = {graph_.add(std::move(value))};
    return graph_.nodes.back().outputs[0];
  }

  ValueId output(ValueId value) {
    graph_.outputs.push_back(value);
    return value;
  }

  compiler::Graph take() { return std::move(graph_); }
  const compiler::Graph& graph() const { return graph_; }

  // Frequent parts.

  Tensor random(const Shape& shape, double lowest, double highest) {
    Tensor tensor{shape, std::vector<double>(static_cast<size_t>(compiler::elements(shape)))};
    std::uniform_real_distribution<float> distribution(static_cast<float>(lowest), static_cast<float>(highest));
    for (double& x : tensor.data) x = distribution(random_);
    return tensor;
  }

  static compiler::op::FakeQuant quantizer(int bits, bool is_signed, double scale, bool narrow = false,
                                           double zero_point = 0) {
    compiler::Quantizer q;
    q.scale = Tensor::scalar(scale);
    q.zero_point = Tensor::scalar(zero_point);
    q.lowest = is_signed ? -std::ldexp(1, bits - 1) + narrow : 0;
    q.highest = is_signed ? std::ldexp(1, bits - 1) - 1 : std::ldexp(1, bits) - 1 - narrow;
    return {q};
  }

  static compiler::op::FakeQuant bipolar(double scale) {
    compiler::Quantizer q;
    q.scale = Tensor::scalar(scale);
    q.zero_point = Tensor::scalar(0);
    q.bipolar = true;
    return {q};
  }

  /// Random weights behind a signed quantizer with a scale a row; 1 bit is bipolar.
  ValueId weights(const Shape& shape, int bits, size_t row_axis = 0) {
    compiler::op::FakeQuant quant = bits == 1 ? bipolar(1) : quantizer(bits, true, 1);
    Shape scale_shape(shape.size(), 1);
    scale_shape[row_axis] = shape[row_axis];
    quant.quantizer.scale = random(scale_shape, 0.01, 0.1);
    return node(quant, {constant(random(shape, -0.1 * (1 << bits) / 2, 0.1 * (1 << bits) / 2))});
  }

  /// Gains of both signs, one of them zero where there are enough channels.
  ValueId batch_normalization(ValueId x, int axis = 1) {
    const int64_t channels = graph_[x].shape[static_cast<size_t>(axis)];
    Tensor gain = random({channels}, -1.5, 1.5);
    if (channels > 4) gain.data[3] = 0;
    return node(compiler::op::BatchNormalization{1e-5, axis},
                {x, constant(gain), constant(random({channels}, -0.5, 0.5)), constant(random({channels}, -0.5, 0.5)),
                 constant(random({channels}, 0.1, 2))});
  }

  static compiler::op::Convolution convolution(int64_t kernel, int64_t stride, int64_t pad, int64_t groups = 1) {
    compiler::op::Convolution op;
    for (size_t i : {0, 1}) {
      op.window.kernel[i] = kernel;
      op.window.stride[i] = stride;
      op.window.pad_begin[i] = op.window.pad_end[i] = pad;
    }
    op.groups = groups;
    return op;
  }

  static compiler::op::Unary relu() { return {compiler::op::UnaryFunction::Relu}; }
  static compiler::op::Binary add() { return {compiler::op::BinaryFunction::Add}; }

 private:
  compiler::Graph graph_;
  std::mt19937 random_;
};

}  // namespace tidbit::test
