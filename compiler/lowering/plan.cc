#include "compiler/lowering/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/lowering/quantization.h"

namespace tidbit::compiler {
namespace {

/// The largest table of pairs: 64 KiB, two operands of 8 bits.
constexpr int kCombineBits = 16;
/// Codes of up to this many bits get a table of reals a channel; wider ones are dequantized first.
constexpr int kChannelTableBits = 4;

ScalarFunction with_operand(op::BinaryFunction function, double operand) {
  return {ScalarFunction::Binary{function, ChannelValues({operand}), false}};
}

Chain concatenate(const Chain& first, const Chain& second) {
  Chain result = first;
  for (const ScalarFunction& function : second.functions()) result.append(function);
  return result;
}

Chain slice(const Chain& chain, size_t from, size_t to) {
  Chain result;
  for (size_t i = from; i < to; ++i) result.append(chain.functions()[i]);
  return result;
}

/// How many of the chain's first functions must be left out so that the rest has a direction in every channel.
size_t monotone_suffix(const Chain& chain, int64_t channels) {
  for (size_t i = chain.functions().size(); i-- > 0;) {
    const Chain one = slice(chain, i, i + 1);
    for (int64_t c = 0; c < channels; ++c) {
      if (one.direction(c) == Direction::None) return i + 1;
    }
  }
  return 0;
}

bool moves_codes(const Operator& op) {
  return std::holds_alternative<op::MaxPool>(op) || std::holds_alternative<op::Transpose>(op) ||
         std::holds_alternative<op::Reshape>(op) || std::holds_alternative<op::Resize>(op) ||
         std::holds_alternative<op::Pad>(op) || std::holds_alternative<op::Concat>(op) ||
         std::holds_alternative<op::Gather>(op);
}

/// Operators that the runtime has for reals under the name they have in ONNX.
bool runs_on_reals(const Operator& op) {
  const auto* binary = std::get_if<op::Binary>(&op);
  return moves_codes(op) || (binary && binary->function != op::BinaryFunction::Pow) ||
         std::holds_alternative<op::MatMul>(op) || std::holds_alternative<op::Softmax>(op) ||
         std::holds_alternative<op::AveragePool>(op) || std::holds_alternative<op::Interpolate>(op) ||
         std::holds_alternative<op::TopK>(op) || std::holds_alternative<op::NonMaxSuppression>(op);
}

/// Numbers that are all close to fractions of one denominator.
struct CommonFraction {
  double denominator, error;
};

std::optional<CommonFraction> common_fraction(const std::vector<double>& values) {
  constexpr double kLargest = 4096, kClose = 1e-11;
  for (double n = 1; n <= kLargest; ++n) {
    double error = 0;
    for (const double x : values) error = std::max(error, std::abs(x - std::nearbyint(x * n) / n));
    if (error < kClose) return CommonFraction{n, error + std::numeric_limits<double>::epsilon()};
  }
  return std::nullopt;
}

double real_of(const Quantization& q, int32_t code) { return q.scales[0] * q.grid.value(code); }

/// The codes of chain(a) + b or chain(a) - b as an epilogue of a's values; empty where no line gives them all. b has no
/// chain of its own.
std::optional<op::Epilogue> residual_add(op::BinaryFunction binary, const Chain& chain, const Quantization& a,
                                         const Chain& chain_of_b, const Quantization& b, const CodeFunction& function) {
  if (binary != op::BinaryFunction::Add && binary != op::BinaryFunction::Sub) return std::nullopt;
  if (!chain_of_b.functions().empty()) return std::nullopt;
  Chain before;
  before.append(with_operand(op::BinaryFunction::Mul, a.scales[0]));
  const ResidualInput residual{b.grid, binary == op::BinaryFunction::Sub ? -b.scales[0] : b.scales[0]};
  const SumDomain domain{SumDomain::Kind::Integer, {a.grid.lowest()}, {a.grid.highest()}};
  return find_residual_epilogue(concatenate(before, chain), function, residual, domain, 1);
}

}  // namespace

Plan Planner::plan(const Demand& demand) { return demand.codes ? plan_codes(demand.value) : plan_reals(demand.value); }

int64_t Planner::channels(ValueId value) const {
  const Shape& shape = graph_[value].shape;
  return shape.empty() ? 1 : shape.back();
}

// --- Codes.

Plan Planner::plan_codes(ValueId value) {
  const Node& node = *analysis_.producer(value);
  if (moves_codes(node.op)) return plan_native(value, true);
  return plan_quantizer(node, *analysis_.grid(value));
}

Plan Planner::plan_quantizer(const Node& node, const Quantization& target) {
  Source source = analysis_.trace(node.inputs[0]);
  CodeFunction function{source.chain, *scalar_function(graph_, node), target.grid, target.scales[0]};
  if (source.root == Source::Root::Codes) return plan_lookup(source, function, node.outputs[0]);

  const size_t cut = monotone_suffix(source.chain, channels(node.outputs[0]));
  if (cut > 0) {
    function.chain = slice(source.chain, cut, source.chain.functions().size());
    return plan_real_quantize(source.stages[cut], function);
  }
  if (source.root == Source::Root::Layer) return plan_layer_codes(source, function);
  if (source.root == Source::Root::Pool) return plan_pool_codes(source, function);
  if (source.root == Source::Root::Interpolation) return plan_interpolated_codes(source, function);
  if (source.root == Source::Root::Binary) {
    if (auto plan = plan_combine(source, function)) return std::move(*plan);
    if (auto plan = plan_residual(source, function)) return std::move(*plan);
  }
  return plan_real_quantize(source.value, function);
}

Plan Planner::plan_lookup(const Source& source, const CodeFunction& function, ValueId value) const {
  const Quantization& from = *analysis_.grid(source.value);
  op::Lookup lookup;
  lookup.channels = function.chain.uniform() ? 1 : channels(value);
  bool identity = from.grid == function.grid && from.scales[0] == function.scale;
  for (int64_t c = 0; c < lookup.channels; ++c) {
    for (int32_t code = 0; code < from.grid.levels(); ++code) {
      const int32_t result = function(real_of(from, code), c);
      identity = identity && result == code;
      lookup.codes.push_back(static_cast<uint8_t>(result));
    }
  }
  if (identity) return {{{source.value, true}}, {}, kNoValue, {}, {}};
  return {{{source.value, true}}, lookup, kNoValue, {}, "codes to codes by table"};
}

Plan Planner::plan_layer_codes(const Source& source, CodeFunction function) const {
  const Layer& layer = *analysis_.layer(source.value);
  function.chain = concatenate(layer.prologue, function.chain);
  const op::Epilogue epilogue = find_epilogue(function, layer.domain, layer.channels);
  return {{{layer.input, layer.reason.empty()}}, {}, source.value, epilogue, describe(epilogue)};
}

Chain Planner::pool_prologue(const Node& pool) const {
  Chain chain;
  chain.append(with_operand(op::BinaryFunction::Mul, analysis_.grid(pool.inputs[0])->scales[0]));
  const auto divisor = static_cast<double>(*constant_divisor(std::get<op::AveragePool>(pool.op)));
  chain.append(with_operand(op::BinaryFunction::Div, divisor));
  return chain;
}

SumDomain Planner::pool_domain(const Node& pool) const {
  const Grid& grid = analysis_.grid(pool.inputs[0])->grid;
  const int64_t taps = *constant_divisor(std::get<op::AveragePool>(pool.op));
  const auto count = static_cast<size_t>(channels(pool.outputs[0]));
  return {SumDomain::Kind::Integer, std::vector<int64_t>(count, taps * std::min(grid.lowest(), 0)),
          std::vector<int64_t>(count, taps * std::max(grid.highest(), 0))};
}

Plan Planner::plan_pool_codes(const Source& source, CodeFunction function) const {
  const Node& pool = *analysis_.producer(source.value);
  function.chain = concatenate(pool_prologue(pool), function.chain);
  const op::Epilogue epilogue = find_epilogue(function, pool_domain(pool), channels(source.value));
  const op::CodePool op{std::get<op::AveragePool>(pool.op).window, epilogue};
  return {{{pool.inputs[0], true}}, op, kNoValue, {}, describe(epilogue)};
}

/// Where weights are close to fractions of n and m, the results are close to multiples of scale/(n*m). They are off by
/// less than 4 times what the weights are, and 16 half ulps for rounding, of the largest.
SumDomain Planner::interpolated_domain(const Node& node) const {
  const auto& interpolate = std::get<op::Interpolate>(node.op);
  const auto rows = common_fraction(interpolate.rows.weight), columns = common_fraction(interpolate.columns.weight);
  SumDomain domain{SumDomain::Kind::Float64, {}, {}};
  if (!rows || !columns) return domain;
  const Quantization& from = *analysis_.grid(node.inputs[0]);
  const double largest = from.scales[0] * std::max(std::abs(from.grid.lowest()), std::abs(from.grid.highest()));
  domain.unit = from.scales[0] / (rows->denominator * columns->denominator);
  domain.spread = largest * (4 * std::max(rows->error, columns->error) + 16 * std::numeric_limits<double>::epsilon());
  if (domain.spread * 4 > domain.unit) domain.unit = domain.spread = 0;
  return domain;
}

Plan Planner::plan_interpolated_codes(const Source& source, const CodeFunction& function) const {
  const Node& node = *analysis_.producer(source.value);
  const SumDomain domain = interpolated_domain(node);
  const op::Epilogue epilogue = find_epilogue(function, domain, function.chain.uniform() ? 1 : channels(source.value));
  const auto& interpolate = std::get<op::Interpolate>(node.op);
  const op::CodeInterpolate op{interpolate.rows, interpolate.columns, epilogue};
  return {{{node.inputs[0], true}}, op, kNoValue, {}, describe(epilogue)};
}

Plan Planner::plan_real_quantize(ValueId value, const CodeFunction& function) const {
  const SumDomain domain{SumDomain::Kind::Float32, {}, {}};
  const op::Epilogue epilogue = find_epilogue(function, domain, function.chain.uniform() ? 1 : channels(value));
  return {{{value, false}}, op::Quantize{epilogue}, kNoValue, {}, describe(epilogue)};
}

std::optional<Plan> Planner::plan_combine(const Source& source, const CodeFunction& function) const {
  const Node& node = *analysis_.producer(source.value);
  const Source a = analysis_.trace(node.inputs[0]), b = analysis_.trace(node.inputs[1]);
  if (a.root != Source::Root::Codes || b.root != Source::Root::Codes) return std::nullopt;
  if (!a.chain.uniform() || !b.chain.uniform() || !function.chain.uniform()) return std::nullopt;
  if (graph_[a.value].shape != graph_[b.value].shape) return std::nullopt;
  const Quantization &qa = *analysis_.grid(a.value), &qb = *analysis_.grid(b.value);
  if (qa.grid.bits + qb.grid.bits > kCombineBits) return std::nullopt;
  const op::BinaryFunction combine = std::get<op::Binary>(node.op).function;
  const ScalarFunction::Binary binary{combine, {}, false};
  if (auto add = residual_add(combine, a.chain, qa, b.chain, qb, function)) {
    const std::string how = describe(*add) + " of codes";
    return Plan{{{a.value, true}, {b.value, true}}, op::ResidualAdd{*std::move(add)}, kNoValue, {}, how};
  }
  op::Combine table;
  for (int32_t i = 0; i < qa.grid.levels(); ++i) {
    for (int32_t j = 0; j < qb.grid.levels(); ++j) {
      ScalarFunction::Binary with_b = binary;
      with_b.operand = ChannelValues({b.chain(real_of(qb, j), 0)});
      const double real = ScalarFunction{with_b}(a.chain(real_of(qa, i), 0), 0);
      table.codes.push_back(static_cast<uint8_t>(function(real, 0)));
    }
  }
  return Plan{{{a.value, true}, {b.value, true}}, table, kNoValue, {}, "pairs of codes by table"};
}

std::optional<Plan> Planner::plan_residual(const Source& source, const CodeFunction& function) {
  const Node& node = *analysis_.producer(source.value);
  const auto binary = std::get<op::Binary>(node.op).function;
  if (binary != op::BinaryFunction::Add && binary != op::BinaryFunction::Sub) return std::nullopt;
  if (graph_[node.inputs[0]].shape != graph_[node.inputs[1]].shape) return std::nullopt;
  // A residual of codes is exact: try the side that leaves one first.
  size_t first = analysis_.grid(node.inputs[0]) ? 1 : 0;
  for (size_t side : {first, 1 - first}) {
    if (side == 1 && binary == op::BinaryFunction::Sub) continue;
    if (auto plan = plan_residual_on(node, side, function)) return plan;
  }
  return std::nullopt;
}

/// binary(layer's chain, residual) with the layer on that side.
std::optional<Plan> Planner::plan_residual_on(const Node& binary, size_t side, const CodeFunction& function) {
  const Source source = analysis_.trace(binary.inputs[side]);
  const ValueId residual = binary.inputs[1 - side];
  if (source.root != Source::Root::Layer) return std::nullopt;
  const Layer& layer = *analysis_.layer(source.value);
  const auto fused = residuals_.find(source.value);
  if (!layer.reason.empty() || (fused != residuals_.end() && fused->second != residual)) return std::nullopt;
  if (analysis_.depends_on(residual, source.value)) return std::nullopt;

  const std::optional<Quantization>& q = analysis_.grid(residual);
  ResidualInput input;
  if (q) input = {q->grid, q->scales[0]};
  if (std::get<op::Binary>(binary.op).function == op::BinaryFunction::Sub) input.scale = -input.scale;
  const auto epilogue =
      find_residual_epilogue(concatenate(layer.prologue, source.chain), function, input, layer.domain, layer.channels);
  if (!epilogue) return std::nullopt;
  residuals_[source.value] = residual;
  analysis_.add_dependency(source.value, residual);
  return Plan{{{layer.input, true}, {residual, q.has_value()}},
              {},
              source.value,
              epilogue,
              describe(*epilogue) + (q ? " with residual" : " with real residual")};
}

// --- Reals.

Plan Planner::plan_reals(ValueId value) {
  if (analysis_.grid(value)) return plan_dequantize(value, {});
  const Source source = analysis_.trace(value);
  const size_t functions = source.chain.functions().size();
  if (source.root == Source::Root::Codes) {
    const bool small = analysis_.grid(source.value)->grid.bits <= kChannelTableBits;
    if (small || source.chain.uniform()) return plan_dequantize(source.value, source.chain);
    return plan_real_chain(source, 0);
  }
  if (source.root == Source::Root::Layer || source.root == Source::Root::Pool) {
    if (auto plan = plan_real_epilogue(source, functions)) return std::move(*plan);
    size_t from = functions - 1;
    while (!plan_real_epilogue(source, from)) --from;  // 0 functions: the scale alone
    return plan_real_chain(source, from);
  }
  return plan_real_chain(source, 0);
}

Plan Planner::plan_dequantize(ValueId codes, const Chain& chain) const {
  const Quantization& from = *analysis_.grid(codes);
  op::Dequantize table;
  table.channels = chain.uniform() ? 1 : channels(codes);
  for (int64_t c = 0; c < table.channels; ++c) {
    for (int32_t code = 0; code < from.grid.levels(); ++code) {
      table.values.push_back(static_cast<float>(chain(real_of(from, code), c)));
    }
  }
  return {{{codes, true}}, table, kNoValue, {}, {}};
}

/// The layer's or pool's result through the first functions of the chain, where those are a clamped line.
std::optional<Plan> Planner::plan_real_epilogue(const Source& source, size_t functions) const {
  const Chain chain = slice(source.chain, 0, functions);
  if (const Layer* layer = analysis_.layer(source.value)) {
    const auto epilogue = find_real_epilogue(concatenate(layer->prologue, chain), layer->channels);
    if (!epilogue) return std::nullopt;
    return Plan{{{layer->input, layer->reason.empty()}}, {}, source.value, *epilogue, "real"};
  }
  const Node& pool = *analysis_.producer(source.value);
  const auto epilogue = find_real_epilogue(concatenate(pool_prologue(pool), chain), channels(source.value));
  if (!epilogue) return std::nullopt;
  const op::CodePool op{std::get<op::AveragePool>(pool.op).window, *epilogue};
  return Plan{{{pool.inputs[0], true}}, op, kNoValue, {}, "real"};
}

/// The functions from index `from` on, or as many of the last ones as a Map can hold; the root itself where there is
/// none.
Plan Planner::plan_real_chain(const Source& source, size_t from) const {
  size_t begin = source.chain.functions().size();
  op::Map map;
  for (; begin > from; --begin) {
    const auto steps = map_steps(source.chain.functions()[begin - 1]);
    if (!steps) break;
    map.steps.insert(map.steps.begin(), steps->begin(), steps->end());
  }
  if (map.steps.empty()) return plan_native(source.stages.back(), false);
  return {{{source.stages[begin], false}}, map, kNoValue, {}, {}};
}

Plan Planner::plan_native(ValueId value, bool codes) const {
  const Node& node = *analysis_.producer(value);
  if (!runs_on_reals(node.op)) {
    throw CompileError(
        node.name + " (" + std::string(name(node.op)) +
        "): the runtime has no operator for it with these inputs; its weights, scales and parameters must "
        "be constants that vary by channel at most");
  }
  Plan plan{{}, node.op, kNoValue, {}, {}};
  for (ValueId input : node.inputs) plan.needs.push_back({input, codes});
  if (auto* pad = std::get_if<op::Pad>(&*plan.op); pad && codes) {
    pad->value = *code_of(pad->value, *analysis_.grid(node.inputs[0]));
  }
  return plan;
}

std::string describe(const op::Epilogue& epilogue) {
  if (const auto* affine = std::get_if<op::Affine>(&epilogue)) {
    return std::string(affine->float32 ? "affine float32" : "affine float64") + (affine->knee.empty() ? "" : ", bent");
  }
  if (const auto* fixed = std::get_if<op::FixedPoint>(&epilogue)) {
    return std::string("fixed point") + (fixed->knee.empty() ? "" : ", bent");
  }
  return std::holds_alternative<op::Thresholds>(epilogue) ? "thresholds" : "real";
}

}  // namespace tidbit::compiler
