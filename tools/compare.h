// The runtime held against the reference evaluator, layer by layer: the engine of `tidbit verify` and of the tests.
//
// After each comparison the evaluator goes on from the runtime's values, so that every layer is compared on equal
// inputs and a layer that differs is itself wrong.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "compiler/evaluate.h"
#include "compiler/graph.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

/// A real value may differ by this part of its tensor's range (which includes 0).
constexpr double kRealTolerance = 1e-5;

/// One tensor of the .tbit file that holds a value of the ONNX graph, over all samples so far.
struct LayerComparison {
  std::string value;  // the ONNX value
  std::string node;   // the .tbit's node that makes it
  std::string op;
  int bits = 0;              // of its codes; 0: real
  bool tie_allowed = false;  // quantized from reals that the runtime computed: a tie may fall to either side
  size_t elements = 0;
  size_t differing = 0;
  size_t ties = 0;     // codes that fell to the other side of a tie, not counted as differing
  double largest = 0;  // difference: in codes, or for reals as a part of the range
};

class Comparison {
 public:
  /// Throws Error where the two were not made from each other: other inputs or outputs.
  Comparison(const compiler::Graph& graph, const Model& model);

  /// Compares one sample, a vector of values an input. Sums up into layers().
  void run(std::span<const std::vector<float>> inputs);

  /// In the order in which they are evaluated; the outputs that no layer covers are last.
  std::span<const LayerComparison> layers() const { return layers_; }

  /// The first layer whose values differ; null where all agree.
  const LayerComparison* first_divergence() const;

  /// Tensors of the file that hold no ONNX value, and are seen only through the layers that read them.
  size_t unnamed_tensors() const { return unnamed_; }

 private:
  /// Where a layer's tensor is, and how the evaluator goes on behind it.
  struct Source {
    size_t tensor;
    bool always_replace;  // all that reads the runtime's real value reads this tensor
  };
  /// A graph output that no layer covers.
  struct LooseOutput {
    size_t layer, output;
  };

  /// Which nodes of the .tbit file make and read a tensor.
  struct Wiring;

  void check_interface() const;
  void match_layers();
  size_t add_layer(const compiler::Value& value, size_t tensor, const Wiring& wiring);
  void observe(const compiler::Node& node, std::span<compiler::Tensor> outputs);
  void compare(size_t layer, const compiler::Node* node, compiler::Tensor& reference);
  void compare_reals(size_t layer, compiler::Tensor& reference);
  void compare_codes(size_t layer, const compiler::Node* node, compiler::Tensor& reference);

  const compiler::Graph& graph_;
  const Model model_;
  Session session_;
  size_t unnamed_ = 0;
  std::vector<LayerComparison> layers_;
  std::vector<Source> sources_;                 // of each layer
  std::vector<std::vector<size_t>> layers_of_;  // by value
  std::vector<bool> is_kept_;                   // by value: a quantizer that may meet ties reads it
  std::vector<compiler::Tensor> kept_;          // by value, of this sample
  std::vector<LooseOutput> loose_outputs_;
};

}  // namespace tidbit::tools
