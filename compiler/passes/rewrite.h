// What passes share when they edit a graph.
#pragma once

#include "compiler/graph.h"

namespace tidbit::compiler {

/// Puts the nodes into an order in which each follows those it reads. Keeps the order where it is already one.
/// Throws CompileError on a cycle.
void sort_topologically(Graph&);

/// Removes nodes whose outputs nobody reads, and empties the values that nothing refers to any more.
void remove_dead(Graph&);

/// Makes every reader of `from`, graph outputs included, read `to`.
void replace_readers(Graph&, ValueId from, ValueId to);

/// The one way in which values of this rank become channels last: axis 1 goes to the end. {0,2,3,1} for images.
std::vector<int> channels_last_permutation(size_t rank);
bool is_identity(const std::vector<int>& permutation);
std::vector<int> inverse(const std::vector<int>& permutation);
Shape permuted(const Shape& shape, const std::vector<int>& permutation);

/// A tensor that broadcasts against a shape, transposed so that it broadcasts against the permuted shape.
Tensor permuted_operand(const Tensor& tensor, const std::vector<int>& permutation);

/// The name a value keeps when its axes are permuted: only between channels first and last, see Value::channels_last.
void name_permuted(Value& permuted, const Value& original, const std::vector<int>& permutation);

/// The operands of an elementwise node: which input varies, and the constants beside it.
struct ElementwiseInputs {
  std::vector<size_t> varying;
  std::vector<size_t> constant;
};

/// Empty for a node that is not elementwise (BatchNormalization, whose parameters have an axis, is not one here).
std::optional<ElementwiseInputs> elementwise_inputs(const Graph&, const Node&);

}  // namespace tidbit::compiler
