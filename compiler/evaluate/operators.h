// The operators of compiler/evaluate.cc, in files by kind. Each function gives one node's outputs, whose shapes are
// known.
#pragma once

#include <span>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

struct Call {
  const Graph& graph;
  const Node& node;
  std::span<const Tensor* const> inputs;
  std::vector<Shape> shapes;  // of the outputs

  const Tensor& input(size_t i) const { return *inputs[i]; }
  bool has(size_t i) const { return i < inputs.size() && inputs[i]; }
  bool codes(size_t i) const { return graph[node.inputs[i]].codes; }
  const Grid& grid(size_t i) const { return graph[node.inputs[i]].quantization->grid; }
  Tensor output() const { return {shapes[0], std::vector<double>(static_cast<size_t>(elements(shapes[0])))}; }
};

/// The integers v that an input's codes stand for, or its reals as they are.
Tensor values_of(const Call&, size_t input);

/// Where each element of a tensor of shape `to` finds its own in a tensor of shape `from` that broadcasts to it. With
/// `size`, an element is that many numbers.
std::vector<size_t> broadcast_offsets(const Shape& to, const Shape& from, size_t size = 1);

/// The channel is the index along the last axis.
double apply(const op::Epilogue&, size_t channel, double sum, double residual);

// linear.cc
Tensor evaluate(const op::Convolution&, const Call&);
Tensor evaluate(const op::MatMul&, const Call&);
std::vector<Tensor> evaluate(const op::Linear&, const Call&);

// pool.cc
Tensor evaluate(const op::MaxPool&, const Call&);
Tensor evaluate(const op::AveragePool&, const Call&);
Tensor evaluate(const op::CodePool&, const Call&);

// elementwise.cc
Tensor evaluate(const op::BatchNormalization&, const Call&);
Tensor evaluate(const op::Binary&, const Call&);
Tensor evaluate(const op::Unary&, const Call&);
Tensor evaluate(const op::LeakyRelu&, const Call&);
Tensor evaluate(const op::PRelu&, const Call&);
Tensor evaluate(const op::Clip&, const Call&);
Tensor evaluate(const op::Softmax&, const Call&);
Tensor evaluate(const op::FakeQuant&, const Call&);
Tensor evaluate(const op::Trunc&, const Call&);
Tensor evaluate(const op::MultiThreshold&, const Call&);
Tensor evaluate(const op::Quantize&, const Call&);
Tensor evaluate(const op::Dequantize&, const Call&);
Tensor evaluate(const op::Lookup&, const Call&);
Tensor evaluate(const op::Combine&, const Call&);
Tensor evaluate(const op::ResidualAdd&, const Call&);
Tensor evaluate(const op::Map&, const Call&);

// layout.cc
Tensor evaluate(const op::Reshape&, const Call&);
Tensor evaluate(const op::Transpose&, const Call&);
Tensor evaluate(const op::Concat&, const Call&);
Tensor evaluate(const op::Pad&, const Call&);
Tensor evaluate(const op::Resize&, const Call&);
Tensor evaluate(const op::Gather&, const Call&);

// interpolate.cc
Tensor evaluate(const op::Interpolate&, const Call&);
Tensor evaluate(const op::CodeInterpolate&, const Call&);

// ranking.cc
Tensor evaluate(const op::TopK&, const Call&);
Tensor evaluate(const op::NonMaxSuppression&, const Call&);

/// An image's place in memory, and a kernel's too: [N,C,H,W] or [N,H,W,C].
struct Image {
  Image(const Shape& shape, Layout layout)
      : batch(shape[0]),
        channels(shape[layout == Layout::ChannelsLast ? 3 : 1]),
        extent{shape[layout == Layout::ChannelsLast ? 1 : 2], shape[layout == Layout::ChannelsLast ? 2 : 3]},
        last(layout == Layout::ChannelsLast) {}

  size_t at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return static_cast<size_t>(last ? ((n * extent[0] + y) * extent[1] + x) * channels + c
                                    : ((n * channels + c) * extent[0] + y) * extent[1] + x);
  }

  int64_t batch, channels, extent[2];
  bool last;
};

}  // namespace tidbit::compiler
