// Layers with constant weights, as the kernels see them.
#pragma once

#include <optional>
#include <string>

#include "compiler/graph.h"
#include "compiler/lowering/chain.h"
#include "compiler/lowering/epilogue.h"

namespace tidbit::compiler {

/// A Convolution or MatMul with constant weights: sums over taps and channels, then, as the first functions of whatever
/// follows, the scale of the sums and the bias.
struct Layer {
  op::Linear linear;  // without epilogues
  ValueId input;
  int64_t channels;  // of the output
  SumDomain domain;
  Chain prologue;      // from a sum to the ONNX node's output
  std::string reason;  // why it is not in integers; empty: it is
};

/// Empty for nodes that are no such layer. `activations` is what the input's codes mean, where it has codes.
std::optional<Layer> layer_of(const Graph&, const Node&, const std::optional<Quantization>& activations);

}  // namespace tidbit::compiler
