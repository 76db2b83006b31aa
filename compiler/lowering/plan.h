// How each value that somebody needs will be computed: the decisions of lowering, before any node is made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "compiler/lowering/trace.h"

namespace tidbit::compiler {

/// A value, as codes or as reals.
struct Demand {
  ValueId value;
  bool codes;
};

/// One way to compute one demand.
struct Plan {
  std::vector<Demand> needs;   // the inputs of the node, in order
  std::optional<Operator> op;  // a node of its own,
  ValueId layer = kNoValue;    // or one more output of the node of this layer, through
  std::optional<op::Epilogue> epilogue;
  std::string note;  // for the report
};
// A plan with neither is its one need under another name.

class Planner {
 public:
  explicit Planner(Analysis& analysis) : analysis_(analysis), graph_(analysis.graph()) {}

  /// Throws CompileError where the runtime has no operator for it.
  Plan plan(const Demand& demand);

 private:
  Plan plan_codes(ValueId value);
  Plan plan_quantizer(const Node& node, const Quantization& target);
  Plan plan_reals(ValueId value);
  Plan plan_lookup(const Source& source, const CodeFunction& function, ValueId value) const;
  Plan plan_layer_codes(const Source& source, CodeFunction function) const;
  Plan plan_pool_codes(const Source& source, CodeFunction function) const;
  Plan plan_interpolated_codes(const Source& source, const CodeFunction& function) const;
  Plan plan_real_quantize(ValueId value, const CodeFunction& function) const;
  std::optional<Plan> plan_combine(const Source& source, const CodeFunction& function) const;
  std::optional<Plan> plan_residual(const Source& source, const CodeFunction& function);
  std::optional<Plan> plan_residual_on(const Node& binary, size_t side, const CodeFunction& function);
  Plan plan_dequantize(ValueId codes, const Chain& chain) const;
  Plan plan_real_chain(const Source& source, size_t from) const;
  Plan plan_native(ValueId value, bool codes) const;
  std::optional<Plan> plan_real_epilogue(const Source& source, size_t functions) const;

  int64_t channels(ValueId value) const;
  Chain pool_prologue(const Node& pool) const;
  SumDomain pool_domain(const Node& pool) const;
  SumDomain interpolated_domain(const Node& interpolate) const;

  Analysis& analysis_;
  const Graph& graph_;
  std::map<ValueId, ValueId> residuals_;  // the residual fused into each layer
};

/// The operator that rewrites a function as one step of a Map; empty where there is none.
std::optional<std::vector<op::MapStep>> map_steps(const ScalarFunction& function);

/// "thresholds", "affine float32", ...: for the report.
std::string describe(const op::Epilogue& epilogue);

}  // namespace tidbit::compiler
