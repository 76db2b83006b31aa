// The reference: a graph evaluated in double precision. It defines what a model means; the runtime must equal it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// The outputs of one node. `inputs` has one entry an input, null for an absent one.
/// Dot products (Convolution, MatMul) and the sums of AveragePool are accumulated in twice the working precision
/// (Ogita, Rump, Oishi, "Accurate Sum and Dot Product", 2005, algorithm Dot2), so that a sum of values on grids is the
/// correctly rounded scale*sum that lowered epilogues start from. Throws CompileError on shapes that do not fit.
std::vector<Tensor> evaluate_node(const Graph&, const Node&, std::span<const Tensor* const> inputs);

/// Called after each node with its outputs, which it may replace: that is how `verify` goes on from the runtime's
/// values.
using Observer = std::function<void(const Node&, std::span<Tensor> outputs)>;

/// The graph's outputs for these inputs, one a graph input. Values that no node still reads are freed.
std::vector<Tensor> evaluate(const Graph&, std::vector<Tensor> inputs, const Observer& observer = {});

}  // namespace tidbit::compiler
