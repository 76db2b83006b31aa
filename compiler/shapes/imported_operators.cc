#include <fmt/format.h>

#include "compiler/graph_shapes.h"
#include "compiler/shapes/node_shapes.h"

namespace tidbit::compiler {
namespace {

void require_broadcasts_to(const Shape& from, const Shape& to, const std::string& what) {
  bool fits = from.size() <= to.size();
  for (size_t i = 1; fits && i <= from.size(); ++i) {
    fits = from[from.size() - i] == 1 || from[from.size() - i] == to[to.size() - i];
  }
  require(fits, what + " " + to_string(from) + " does not fit " + to_string(to));
}

}  // namespace

std::vector<Shape> shapes_of(const op::Convolution& convolution, const NodeShapes& node) {
  node.require_inputs(2, 3);
  const Shape &x = node.shape(0), &w = node.shape(1);
  require(x.size() == 4 && w.size() == 4,
          "needs an image and weights of rank 4, not " + to_string(x) + " and " + to_string(w));
  const bool last = convolution.layout == Layout::ChannelsLast;
  const int64_t channels = x[last ? 3 : 1], outputs = w[0], groups = convolution.groups;
  require(groups >= 1 && channels % groups == 0 && outputs % groups == 0,
          fmt::format("{} groups do not divide {} input and {} output channels", groups, channels, outputs));
  require(w[last ? 3 : 1] == channels / groups,
          fmt::format("weights {} do not fit {} input channels in {} groups", to_string(w), channels, groups));
  const Window& window = convolution.window;
  require(w[last ? 1 : 2] == window.kernel[0] && w[last ? 2 : 3] == window.kernel[1],
          "weights " + to_string(w) + " do not fit the kernel's shape");
  if (node.has(2))
    require(node.shape(2) == Shape{outputs}, "bias " + to_string(node.shape(2)) + " is not one a channel");
  const int64_t height = output_extent(window, 0, x[last ? 1 : 2]), width = output_extent(window, 1, x[last ? 2 : 3]);
  return {last ? Shape{x[0], height, width, outputs} : Shape{x[0], outputs, height, width}};
}

std::vector<Shape> shapes_of(const op::MatMul&, const NodeShapes& node) {
  node.require_inputs(2, 2);
  Shape a = node.shape(0), b = node.shape(1);
  const std::string both = to_string(a) + " and " + to_string(b);
  require(!a.empty() && !b.empty(), "operands " + both + ": scalars cannot be multiplied as matrices");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  require(a.back() == b[b.size() - 2], "operands " + both + " do not fit each other");
  Shape result = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (!row) result.push_back(a[a.size() - 2]);
  if (!column) result.push_back(b.back());
  return {result};
}

std::vector<Shape> shapes_of(const op::BatchNormalization& normalization, const NodeShapes& node) {
  node.require_inputs(5, 5);
  const Shape& x = node.shape(0);
  require(normalization.axis >= 0 && normalization.axis < rank(x), "no channel axis in " + to_string(x));
  const Shape channels = {x[static_cast<size_t>(normalization.axis)]};
  for (size_t i = 1; i < 5; ++i) {
    require(node.shape(i) == channels, "parameter " + to_string(node.shape(i)) + " should be " + to_string(channels));
  }
  return {x};
}

std::vector<Shape> shapes_of(const op::Binary&, const NodeShapes& node) {
  node.require_inputs(2, 2);
  return {broadcast(node.shape(0), node.shape(1))};
}

std::vector<Shape> shapes_of(const op::PRelu&, const NodeShapes& node) {
  node.require_inputs(2, 2);
  require_broadcasts_to(node.shape(1), node.shape(0), "slope");
  return {node.shape(0)};
}

std::vector<Shape> shapes_of(const op::FakeQuant& quant, const NodeShapes& node) {
  node.require_inputs(1, 1);
  require_broadcasts_to(quant.quantizer.scale.shape, node.shape(0), "scale");
  require_broadcasts_to(quant.quantizer.zero_point.shape, node.shape(0), "zero point");
  return {node.shape(0)};
}

std::vector<Shape> shapes_of(const op::Unary&, const NodeShapes& node) { return node.elementwise(); }

std::vector<Shape> shapes_of(const op::LeakyRelu&, const NodeShapes& node) { return node.elementwise(); }

std::vector<Shape> shapes_of(const op::Clip&, const NodeShapes& node) { return node.elementwise(); }

std::vector<Shape> shapes_of(const op::Trunc&, const NodeShapes& node) { return node.elementwise(); }

std::vector<Shape> shapes_of(const op::MultiThreshold& multi, const NodeShapes& node) {
  node.require_inputs(1, 1);
  const Shape& x = node.shape(0);
  require(multi.axis >= 0 && multi.axis < rank(x), "no channel axis in " + to_string(x));
  require(multi.channels == 1 || multi.channels == x[static_cast<size_t>(multi.axis)],
          fmt::format("thresholds of {} channels do not fit {}", multi.channels, to_string(x)));
  require(static_cast<int64_t>(multi.thresholds.size()) % multi.channels == 0, "wrong number of thresholds");
  return {x};
}

std::vector<Shape> shapes_of(const op::Softmax& softmax, const NodeShapes& node) {
  node.require_inputs(1, 1);
  require(softmax.axis >= -rank(node.shape(0)) && softmax.axis < rank(node.shape(0)), "axis out of range");
  return {node.shape(0)};
}

}  // namespace tidbit::compiler
