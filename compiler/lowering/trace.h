// Where a value comes from: the analysis that lowering decides by.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "compiler/graph.h"
#include "compiler/lowering/chain.h"
#include "compiler/lowering/layer.h"

namespace tidbit::compiler {

/// A value as a chain of functions of the root it comes from.
struct Source {
  enum class Root : uint8_t {
    Codes,          // a value on a grid
    Layer,          // a layer with constant weights
    Pool,           // an average of codes with a constant divisor
    Interpolation,  // between codes
    Binary,         // an operator on two varying values
    Real,           // anything else
  } root;
  ValueId value;                // the root
  Chain chain;                  // from the root's real value
  std::vector<ValueId> stages;  // stages[i] is the value before chain.functions()[i]; the last is the value itself
};

/// Facts about every value of a graph, found once.
class Analysis {
 public:
  explicit Analysis(const Graph&);

  const Graph& graph() const { return graph_; }
  /// What the codes of a value mean; empty for one that is on no grid.
  const std::optional<Quantization>& grid(ValueId value) const { return grids_[static_cast<size_t>(value)]; }
  const Node* producer(ValueId value) const;
  /// The layer whose result the value is; null for any other value.
  const Layer* layer(ValueId value) const;
  /// Traces back to the nearest root.
  Source trace(ValueId value) const;
  /// Whether `value` needs `before` to be computed.
  bool depends_on(ValueId value, ValueId before) const;
  /// From now on `value` needs `before` too: a residual that was fused into its layer.
  void add_dependency(ValueId value, ValueId before) { added_dependencies_.emplace(value, before); }

 private:
  struct Range {
    double lowest, highest;
  };

  std::optional<Quantization> grid_of(const Node& node) const;
  std::optional<Quantization> moved_grid(const Node& node) const;
  std::optional<Quantization> trunc_grid(const Node& node) const;
  std::optional<Range> range_of(const Node& node) const;

  const Graph& graph_;
  std::vector<int32_t> producer_;
  std::vector<std::optional<Quantization>> grids_;
  std::vector<std::optional<Range>> ranges_;  // the reals a value may take, where grids bound them
  std::map<ValueId, Layer> layers_;
  std::multimap<ValueId, ValueId> added_dependencies_;
};

/// Taps that an average divides by, where that is the same for all pixels.
std::optional<int64_t> constant_divisor(const op::AveragePool& pool);

}  // namespace tidbit::compiler
