#include "compiler/lowering/layer.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "compiler/lowering/quantization.h"

namespace tidbit::compiler {
namespace {

/// Weights in the file's order: [row][tap][channel].
struct OrderedWeights {
  int64_t rows, taps, channels;
  std::vector<size_t> order;  // of the constant's elements
  int row_axis;               // of the constant
};

OrderedWeights order_of(const op::Convolution&, const Shape& shape) {
  OrderedWeights result{shape[0], shape[1] * shape[2], shape[3], {}, 0};
  result.order.resize(static_cast<size_t>(elements(shape)));
  std::iota(result.order.begin(), result.order.end(), size_t{0});  // channels last are in that order already
  return result;
}

OrderedWeights order_of(const op::MatMul&, const Shape& shape) {
  OrderedWeights result{shape[1], 1, shape[0], {}, 1};
  result.order.reserve(static_cast<size_t>(elements(shape)));
  for (int64_t row = 0; row < result.rows; ++row) {
    for (int64_t channel = 0; channel < result.channels; ++channel) {
      result.order.push_back(static_cast<size_t>(channel * result.rows + row));
    }
  }
  return result;
}

/// Weights without a quantizer may be integers all the same: those of FINN are.
std::optional<Quantization> row_quantization(const Value& weights, const OrderedWeights& ordered) {
  const auto& q = weights.quantization;
  if (q) return q->axis < 0 || q->axis == ordered.row_axis ? q : std::nullopt;
  const std::optional<Grid> grid = narrowest_grid(weights.constant->data);
  if (!grid) return std::nullopt;
  return Quantization{*grid, {1}, -1};
}

op::Weights weights_of(const Value& value, const OrderedWeights& ordered, const std::optional<Quantization>& q) {
  op::Weights weights{ordered.rows, ordered.taps, ordered.channels, std::nullopt, {}, {}, {}};
  if (q) {
    weights.grid = q->grid;
    const std::vector<uint8_t> codes = codes_of(*value.constant, *q);
    for (size_t index : ordered.order) weights.codes.push_back(codes[index]);
  } else {
    for (size_t index : ordered.order) weights.reals.push_back(static_cast<float>(value.constant->data[index]));
  }
  return weights;
}

/// The sums each row can reach; empty where int32 does not hold them.
std::optional<SumDomain> integer_domain(const op::Weights& weights, const Grid& activations, bool padded) {
  int64_t lowest = activations.lowest(), highest = activations.highest();
  if (padded) {
    lowest = std::min<int64_t>(lowest, 0);
    highest = std::max<int64_t>(highest, 0);
  }
  SumDomain domain{SumDomain::Kind::Integer, {}, {}};
  const int64_t depth = weights.taps * weights.channels;
  for (int64_t row = 0; row < weights.rows; ++row) {
    int64_t smallest = 0, largest = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t v = weights.grid->value(weights.codes[static_cast<size_t>(row * depth + k)]);
      smallest += std::min(v * lowest, v * highest);
      largest += std::max(v * lowest, v * highest);
    }
    if (smallest <= std::numeric_limits<int32_t>::min() || largest >= std::numeric_limits<int32_t>::max()) return {};
    domain.lowest.push_back(smallest);
    domain.highest.push_back(largest);
  }
  return domain;
}

/// What the runtime checks from grids and depth alone, without reading weights.
bool fits_by_grids(const Grid& weights, const Grid& activations, int64_t depth) {
  const auto magnitude = [](const Grid& grid) {
    return std::max(std::abs(int64_t{grid.lowest()}), std::abs(int64_t{grid.highest()}));
  };
  return magnitude(weights) * magnitude(activations) * depth < std::numeric_limits<int32_t>::max();
}

/// Depthwise weights turned round: a row is a tap, so that planes stay dense.
op::Weights depthwise_weights(const op::Weights& weights) {
  op::Weights result = weights;
  result.rows = weights.taps;
  result.taps = 1;
  result.channels = weights.rows;
  for (int64_t tap = 0; tap < weights.taps; ++tap) {
    for (int64_t channel = 0; channel < weights.rows; ++channel) {
      result.codes[static_cast<size_t>(tap * weights.rows + channel)] =
          weights.codes[static_cast<size_t>(channel * weights.taps + tap)];
    }
  }
  return result;
}

ScalarFunction times(std::vector<double> factors) {
  return {ScalarFunction::Binary{op::BinaryFunction::Mul, ChannelValues(std::move(factors)), false}};
}

/// Tries integers: sets kind, weights, domain and the scale of the sums, or the reason why not.
void lower_to_integers(Layer& layer, const op::Weights& weights, const std::optional<Quantization>& weight_scales,
                       const std::optional<Quantization>& activations) {
  const Window& window = layer.linear.window;
  const bool padded = window.pad_begin[0] || window.pad_begin[1] || window.pad_end[0] || window.pad_end[1];
  std::optional<SumDomain> domain;
  if (!weight_scales) {
    layer.reason = "weights are not quantized to 1 to 8 bits by row";
  } else if (!activations) {
    layer.reason = "its input is not quantized to 1 to 8 bits per tensor";
  } else if (!fits_by_grids(weight_scales->grid, activations->grid, weights.taps * weights.channels) ||
             !(domain = integer_domain(weights, activations->grid, padded))) {
    layer.reason = "sums could leave int32";
  }
  if (!layer.reason.empty()) return;
  layer.domain = std::move(*domain);
  std::vector<double> scales;
  for (double scale : weight_scales->scales) scales.push_back(activations->scales[0] * scale);
  layer.prologue.append(times(std::move(scales)));
  const bool depthwise = weights.channels == 1 && layer.linear.groups == weights.rows && weights.rows > 1;
  layer.linear.kind = depthwise ? op::LinearKind::Depthwise : op::LinearKind::Quantized;
  layer.linear.weights = depthwise ? depthwise_weights(weights) : weights;
}

}  // namespace

std::optional<Layer> layer_of(const Graph& graph, const Node& node, const std::optional<Quantization>& activations) {
  const auto* convolution = std::get_if<op::Convolution>(&node.op);
  const auto* matmul = std::get_if<op::MatMul>(&node.op);
  if (!convolution && !matmul) return std::nullopt;
  const Value& value = graph[node.inputs[1]];
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  if (!value.constant || graph[node.inputs[0]].constant || (has_bias && !graph[node.inputs[2]].constant)) return {};
  if (matmul && (value.shape.size() != 2 || graph[node.inputs[0]].shape.size() < 2)) return std::nullopt;

  const OrderedWeights ordered = convolution ? order_of(*convolution, value.shape) : order_of(*matmul, value.shape);
  const std::optional<Quantization> scales = row_quantization(value, ordered);
  const op::Weights weights = weights_of(value, ordered, scales);
  Layer layer;
  layer.input = node.inputs[0];
  layer.channels = weights.rows;
  if (convolution) {
    layer.linear.window = convolution->window;
    layer.linear.groups = convolution->groups;
  }
  lower_to_integers(layer, weights, scales, activations);
  if (!layer.reason.empty()) {
    layer.linear.kind = op::LinearKind::RealInput;
    layer.linear.weights = weights;
    if (scales) layer.linear.weights.scales = scales->scales;
    layer.domain.kind = SumDomain::Kind::Float64;
  }
  if (has_bias) {
    const std::vector<double>& bias = graph[node.inputs[2]].constant->data;
    layer.prologue.append({ScalarFunction::Binary{op::BinaryFunction::Add, ChannelValues(bias), false}});
  }
  return layer;
}

}  // namespace tidbit::compiler
