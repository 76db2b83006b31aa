#include <fmt/format.h>

#include "compiler/graph_shapes.h"
#include "compiler/shapes/node_shapes.h"

namespace tidbit::compiler {
namespace {

void require_two_codes(const NodeShapes& node) {
  node.require_inputs(2, 2);
  node.require_codes(0);
  node.require_codes(1);
  require(node.shape(0) == node.shape(1),
          "inputs " + to_string(node.shape(0)) + " and " + to_string(node.shape(1)) + " differ");
}

void require_table_fits(const NodeShapes& node, int64_t rows, size_t size) {
  node.require_codes(0);
  require(rows == 1 || rows == node.channels(), "the table does not fit the channels");
  require(static_cast<int64_t>(size) == rows * node.levels_of(0), "the table does not fit the input's levels");
}

void require_weights_fit(const op::Linear& linear) {
  const op::Weights& weights = linear.weights;
  const auto size = static_cast<size_t>(weights.rows * weights.taps * weights.channels);
  require(weights.grid ? weights.codes.size() == size : weights.reals.size() == size, "wrong number of weights");
  require(weights.grid || linear.kind == op::LinearKind::RealInput, "real weights need real activations");
  const bool scaled = linear.kind == op::LinearKind::RealInput && !weights.scales.empty();
  if (scaled) require(same_or_one(weights.scales.size(), weights.rows), "wrong number of scales");
}

}  // namespace

std::vector<Shape> shapes_of(const op::Linear& linear, const NodeShapes& node) {
  node.require_inputs(1, 2);
  if (linear.kind != op::LinearKind::RealInput) node.require_codes(0);
  const Shape &x = node.shape(0), image = as_image(x);
  require(image.size() == 4, "its input is a scalar");
  const Window& window = linear.window;
  const op::Weights& weights = linear.weights;
  const int64_t taps = window.kernel[0] * window.kernel[1];
  require(x.size() == 4 || taps == 1, "a fully connected layer has a window of one");
  const bool depthwise = linear.kind == op::LinearKind::Depthwise;
  const int64_t groups = depthwise ? 1 : linear.groups, outputs = depthwise ? weights.channels : weights.rows;
  require((depthwise ? weights.rows : weights.taps) == taps && (!depthwise || weights.taps == 1),
          "weights do not fit the kernel");
  require(groups >= 1 && outputs % groups == 0 && weights.channels * groups == image[3],
          fmt::format("weights of {} channels in {} groups do not fit {}", weights.channels, groups, to_string(x)));
  require_weights_fit(linear);
  Shape result = x;
  if (x.size() == 4) {
    for (size_t i = 0; i < 2; ++i) result[i + 1] = output_extent(window, static_cast<int>(i), x[i + 1]);
  }
  result.back() = outputs;
  if (node.has(1)) require(node.shape(1) == result, "the residual's shape is not the output's");
  for (const op::Epilogue& epilogue : linear.epilogues) require_epilogue_fits(epilogue, outputs);
  return std::vector<Shape>(linear.epilogues.size(), result);
}

std::vector<Shape> shapes_of(const op::Quantize& quantize, const NodeShapes& node) {
  node.require_inputs(1, 1);
  require_epilogue_fits(quantize.epilogue, node.channels());
  return {node.shape(0)};
}

std::vector<Shape> shapes_of(const op::Dequantize& dequantize, const NodeShapes& node) {
  require_table_fits(node, dequantize.channels, dequantize.values.size());
  return node.elementwise();
}

std::vector<Shape> shapes_of(const op::Lookup& lookup, const NodeShapes& node) {
  require_table_fits(node, lookup.channels, lookup.codes.size());
  return node.elementwise();
}

std::vector<Shape> shapes_of(const op::Combine& combine, const NodeShapes& node) {
  require_two_codes(node);
  const int64_t levels = int64_t{node.levels_of(0)} * node.levels_of(1);
  require(static_cast<int64_t>(combine.codes.size()) == levels, "the table does not fit the inputs' levels");
  return {node.shape(0)};
}

std::vector<Shape> shapes_of(const op::ResidualAdd& add, const NodeShapes& node) {
  require_two_codes(node);
  require_epilogue_fits(add.epilogue, node.channels());
  return {node.shape(0)};
}

std::vector<Shape> shapes_of(const op::Map& map, const NodeShapes& node) {
  node.require_inputs(1, 1);
  using Function = op::MapStep::Function;
  for (const op::MapStep& step : map.steps) {
    const bool two =
        step.function == Function::Affine || step.function == Function::Clamp || step.function == Function::FakeQuant;
    const bool one = step.function == Function::LeakyRelu || step.function == Function::Bipolar ||
                     step.function == Function::Power || step.function == Function::Quotient;
    require((!one && !two) || same_or_one(step.a.size(), node.channels()), "a step's arrays do not fit the channels");
    require(!two || same_or_one(step.b.size(), node.channels()), "a step's arrays do not fit the channels");
  }
  return node.elementwise();
}

}  // namespace tidbit::compiler
