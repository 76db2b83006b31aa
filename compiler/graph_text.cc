#include <fmt/format.h>

#include <algorithm>

#include "compiler/graph.h"

namespace tidbit::compiler {
namespace {

template <class Numbers>
std::string list(const Numbers& numbers) {
  constexpr size_t kShown = 4;
  const size_t shown = std::min(kShown, std::size(numbers));
  std::string text = fmt::format("{}", fmt::join(std::begin(numbers), std::begin(numbers) + shown, ","));
  if (shown < std::size(numbers)) text += fmt::format(",..{} in all", std::size(numbers));
  return fmt::format("[{}]", text);
}

std::string_view rounding_name(Rounding rounding) {
  constexpr std::string_view kNames[] = {"half_even",      "floor",   "ceil",     "toward_zero",
                                         "away_from_zero", "half_up", "half_down"};
  return kNames[static_cast<size_t>(rounding)];
}

std::string grid_text(const Grid& grid) { return fmt::format("{}bit:{}u{:+}", grid.bits, grid.step, grid.base); }

std::string window_text(const Window& w) {
  std::string text = fmt::format(" kernel={}x{}", w.kernel[0], w.kernel[1]);
  if (w.stride[0] != 1 || w.stride[1] != 1) text += fmt::format(" stride={}x{}", w.stride[0], w.stride[1]);
  if (w.dilation[0] != 1 || w.dilation[1] != 1) text += fmt::format(" dilation={}x{}", w.dilation[0], w.dilation[1]);
  if (w.pad_begin[0] || w.pad_begin[1] || w.pad_end[0] || w.pad_end[1]) {
    text += fmt::format(" pads={},{},{},{}", w.pad_begin[0], w.pad_begin[1], w.pad_end[0], w.pad_end[1]);
  }
  return text;
}

std::string layout_text(Layout layout) { return layout == Layout::ChannelsLast ? " channels_last" : ""; }

struct EpilogueText {
  std::string operator()(const op::Thresholds& t) const {
    const auto falling = std::count(t.falling.begin(), t.falling.end(), uint8_t{1});
    return fmt::format(" thresholds({} channels, {} steps, from {}, {} falling, {})", t.channels, t.steps, t.lowest,
                       falling, list(t.values));
  }
  std::string operator()(const op::Affine& a) const {
    const std::string below =
        a.knee.empty() ? "" : fmt::format(" below {} *{} +{}", list(a.knee), list(a.slope_below), list(a.offset_below));
    return fmt::format(" affine{}(*{} +{} residual*{}{} in [{},{}])", a.float32 ? 32 : 64, list(a.multiplier),
                       list(a.offset), a.residual_multiplier, below, a.lowest, a.highest);
  }
  std::string operator()(const op::FixedPoint& f) const {
    const std::string below = f.knee.empty() ? "" : fmt::format(" below {}{}", list(f.knee), line(f.below));
    return fmt::format(" fixed_point({}{} in [{},{}])", line(f.line), below, f.lowest, f.highest);
  }
  static std::string line(const op::FixedPointLine& l) {
    return fmt::format(" *{} +{} >>{}", list(l.multiplier), list(l.offset), list(l.shift));
  }
  std::string operator()(const op::RealAffine& a) const {
    return fmt::format(" real(*{} +{} residual*{} in [{},{}])", list(a.multiplier), list(a.offset),
                       a.residual_multiplier, a.lowest, a.highest);
  }
};

std::string epilogue_text(const op::Epilogue& epilogue) { return std::visit(EpilogueText{}, epilogue); }

std::string interpolation_text(const op::Interpolation& rows, const op::Interpolation& columns) {
  return fmt::format(" rows={} weights={} columns={} weights={}", list(rows.first), list(rows.weight),
                     list(columns.first), list(columns.weight));
}

std::string_view step_name(op::MapStep::Function function) {
  constexpr std::string_view kNames[] = {"affine",     "clamp", "leaky_relu", "sigmoid", "tanh",    "fake_quant",
                                         "bipolar",    "exp",   "log",        "sqrt",    "abs",     "erf",
                                         "hard_swish", "gelu",  "gelu_tanh",  "power",   "quotient"};
  return kNames[static_cast<size_t>(function)];
}

/// An operator's attributes, each with a space before it.
struct Attributes {
  std::string operator()(const op::Convolution& c) const {
    return window_text(c.window) + fmt::format(" groups={}", c.groups) + layout_text(c.layout);
  }
  std::string operator()(const op::MatMul&) const { return ""; }
  std::string operator()(const op::BatchNormalization& b) const {
    return fmt::format(" epsilon={} axis={}", b.epsilon, b.axis);
  }
  std::string operator()(const op::Binary&) const { return ""; }
  std::string operator()(const op::Unary&) const { return ""; }
  std::string operator()(const op::LeakyRelu& l) const { return fmt::format(" slope={}", l.slope); }
  std::string operator()(const op::PRelu&) const { return ""; }
  std::string operator()(const op::Clip& c) const { return fmt::format(" [{},{}]", c.lowest, c.highest); }
  std::string operator()(const op::Softmax& s) const { return fmt::format(" axis={}", s.axis); }
  std::string operator()(const op::FakeQuant& f) const {
    const Quantizer& q = f.quantizer;
    const std::string scale = fmt::format(" scale={}{}", to_string(q.scale.shape), list(q.scale.data));
    if (q.bipolar) return " bipolar" + scale;
    return scale + fmt::format(" zero_point={} [{},{}] {}", list(q.zero_point.data), q.lowest, q.highest,
                               rounding_name(q.rounding));
  }
  std::string operator()(const op::Trunc& t) const {
    return fmt::format(" scale={} zero_point={} divisor={} [{},{}] output_scale={} output_zero_point={} {}", t.scale,
                       t.zero_point, t.divisor, t.lowest, t.highest, t.output_scale, t.output_zero_point,
                       rounding_name(t.rounding));
  }
  std::string operator()(const op::MultiThreshold& m) const {
    return fmt::format(" axis={} channels={} {}", m.axis, m.channels, list(m.thresholds));
  }
  std::string operator()(const op::MaxPool& m) const { return window_text(m.window) + layout_text(m.layout); }
  std::string operator()(const op::AveragePool& a) const {
    return window_text(a.window) + (a.count_padding ? " count_padding" : "") + layout_text(a.layout);
  }
  std::string operator()(const op::Reshape&) const { return ""; }
  std::string operator()(const op::Transpose& t) const {
    return fmt::format(" permutation=[{}]", fmt::join(t.permutation, ","));
  }
  std::string operator()(const op::Concat& c) const { return fmt::format(" axis={}", c.axis); }
  std::string operator()(const op::Pad& p) const {
    return fmt::format(" before={} after={} value={}", to_string(p.before), to_string(p.after), p.value);
  }
  std::string operator()(const op::Resize& r) const {
    return fmt::format(" rows={} columns={}", list(r.rows), list(r.columns)) + layout_text(r.layout);
  }
  std::string operator()(const op::Gather& g) const {
    return fmt::format(" axis={} indices={}", g.axis, list(g.indices));
  }
  std::string operator()(const op::Interpolate& i) const {
    return interpolation_text(i.rows, i.columns) + layout_text(i.layout);
  }
  std::string operator()(const op::CodeInterpolate& i) const {
    return interpolation_text(i.rows, i.columns) + epilogue_text(i.epilogue);
  }
  std::string operator()(const op::TopK& t) const {
    return fmt::format(" axis={} k={}{}{}", t.axis, t.k, t.smallest ? " smallest" : "", t.indices ? " indices" : "");
  }
  std::string operator()(const op::NonMaxSuppression& n) const {
    return fmt::format(" most={} overlap={} score={}{}", n.most_per_class, n.overlap_threshold, n.score_threshold,
                       n.centered ? " centered" : "");
  }
  std::string operator()(const op::Linear& l) const {
    constexpr std::string_view kKinds[] = {"quantized", "depthwise", "real_input"};
    const op::Weights& w = l.weights;
    std::string text =
        fmt::format(" {}{} groups={} weights={}x{}x{} {}", kKinds[static_cast<size_t>(l.kind)], window_text(l.window),
                    l.groups, w.rows, w.taps, w.channels, w.grid ? grid_text(*w.grid) : "real");
    if (!w.scales.empty()) text += fmt::format(" scales={}", list(w.scales));
    for (const op::Epilogue& epilogue : l.epilogues) text += epilogue_text(epilogue);
    return text;
  }
  std::string operator()(const op::Quantize& q) const { return epilogue_text(q.epilogue); }
  std::string operator()(const op::Dequantize& d) const { return table(d.channels, d.values); }
  std::string operator()(const op::Lookup& l) const { return table(l.channels, l.codes); }
  std::string operator()(const op::Combine& c) const { return table(1, c.codes); }
  std::string operator()(const op::ResidualAdd& r) const { return epilogue_text(r.epilogue); }
  std::string operator()(const op::CodePool& c) const { return window_text(c.window) + epilogue_text(c.epilogue); }
  std::string operator()(const op::Map& m) const {
    std::string text;
    for (const op::MapStep& step : m.steps) {
      text += fmt::format(" {}({},{})", step_name(step.function), list(step.a), list(step.b));
    }
    return text;
  }

  template <class Numbers>
  static std::string table(int64_t channels, const Numbers& numbers) {
    return fmt::format(" table({} channels, {})", channels, list(numbers));
  }
};

/// %7 'name' [1,16,8,8] codes 2bit:1u+0 *0.25
std::string value_text(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "none";
  const Value& value = graph[id];
  std::string text = fmt::format("%{}", id);
  if (!value.name.empty()) text += fmt::format(" '{}'", value.name);
  text += fmt::format(" {}", to_string(value.shape));
  if (value.constant) text += " constant";
  if (value.codes) text += " codes";
  if (value.channels_last) text += " channels_last";
  if (value.quantization) {
    text += fmt::format(" {} *{}", grid_text(value.quantization->grid), list(value.quantization->scales));
    if (value.quantization->axis >= 0) text += fmt::format(" axis={}", value.quantization->axis);
  }
  return text;
}

std::string values_text(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (const ValueId id : ids) text += fmt::format("{}{}", text.empty() ? "" : ", ", value_text(graph, id));
  return text;
}

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text = fmt::format("graph '{}'\n  inputs {}\n", graph.name, values_text(graph, graph.inputs));
  for (const Node& node : graph.nodes) {
    text += fmt::format("  {}: {} = {}({}){}\n", node.name, values_text(graph, node.outputs), name(node.op),
                        values_text(graph, node.inputs), std::visit(Attributes{}, node.op));
  }
  return text + fmt::format("  outputs {}\n", values_text(graph, graph.outputs));
}

}  // namespace tidbit::compiler
