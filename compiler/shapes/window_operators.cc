#include "compiler/graph_shapes.h"
#include "compiler/shapes/node_shapes.h"

namespace tidbit::compiler {
namespace {

/// Padding has no maximum and no mean: each window must reach the image.
void require_windows_reach_image(const Window& window, int axis, int64_t input, int64_t output) {
  for (int64_t i = 0; i < output; ++i) {
    const int64_t begin = i * window.stride[axis] - window.pad_begin[axis];
    const int64_t dilation = window.dilation[axis];
    const int64_t skipped = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    require(skipped < window.kernel[axis] && begin + skipped * dilation < input,
            "a window lies in the padding altogether");
  }
}

Shape pooled(const NodeShapes& node, const Window& window, Layout layout) {
  Shape result = node.shape(0);
  require(result.size() == 4, "needs an image of rank 4, not " + to_string(result));
  const size_t first = layout == Layout::ChannelsLast ? 1 : 2;
  for (int axis = 0; axis < 2; ++axis) {
    int64_t& extent = result[first + static_cast<size_t>(axis)];
    const int64_t output = output_extent(window, axis, extent);
    require_windows_reach_image(window, axis, extent, output);
    extent = output;
  }
  return result;
}

Shape interpolated(const NodeShapes& node, const op::Interpolation& rows, const op::Interpolation& columns,
                   Layout layout) {
  Shape result = node.shape(0);
  require(result.size() == 4, "needs an image of rank 4, not " + to_string(result));
  size_t axis = layout == Layout::ChannelsLast ? 1 : 2;
  for (const op::Interpolation* along : {&rows, &columns}) {
    int64_t& extent = result[axis++];
    const size_t count = along->first.size();
    require(along->second.size() == count && along->weight.size() == count, "arrays of different sizes");
    for (size_t i = 0; i < count; ++i) {
      const auto inside = [&](int64_t pixel) { return pixel >= 0 && pixel < extent; };
      require(inside(along->first[i]) && inside(along->second[i]), "picks a pixel outside the image");
      require(along->weight[i] >= 0 && along->weight[i] <= 1, "a weight is not between 0 and 1");
    }
    extent = static_cast<int64_t>(count);
  }
  return result;
}

}  // namespace

std::vector<Shape> shapes_of(const op::MaxPool& pool, const NodeShapes& node) {
  node.require_inputs(1, 1);
  return {pooled(node, pool.window, pool.layout)};
}

std::vector<Shape> shapes_of(const op::AveragePool& pool, const NodeShapes& node) {
  node.require_inputs(1, 1);
  return {pooled(node, pool.window, pool.layout)};
}

std::vector<Shape> shapes_of(const op::CodePool& pool, const NodeShapes& node) {
  node.require_inputs(1, 1);
  node.require_codes(0);
  const Shape result = pooled(node, pool.window, Layout::ChannelsLast);
  require_epilogue_fits(pool.epilogue, result.back());
  return {result};
}

std::vector<Shape> shapes_of(const op::Resize& resize, const NodeShapes& node) {
  node.require_inputs(1, 1);
  Shape result = node.shape(0);
  require(result.size() == 4, "needs an image of rank 4, not " + to_string(result));
  const size_t first = resize.layout == Layout::ChannelsLast ? 1 : 2;
  const std::vector<int64_t>* const picks[] = {&resize.rows, &resize.columns};
  for (size_t i = 0; i < 2; ++i) {
    int64_t& extent = result[first + i];
    for (const int64_t pick : *picks[i]) require(pick >= 0 && pick < extent, "picks a pixel outside the image");
    extent = static_cast<int64_t>(picks[i]->size());
  }
  return {result};
}

std::vector<Shape> shapes_of(const op::Interpolate& interpolate, const NodeShapes& node) {
  node.require_inputs(1, 1);
  return {interpolated(node, interpolate.rows, interpolate.columns, interpolate.layout)};
}

std::vector<Shape> shapes_of(const op::CodeInterpolate& interpolate, const NodeShapes& node) {
  node.require_inputs(1, 1);
  node.require_codes(0);
  const Shape result = interpolated(node, interpolate.rows, interpolate.columns, Layout::ChannelsLast);
  require_epilogue_fits(interpolate.epilogue, result.back());
  return {result};
}

}  // namespace tidbit::compiler
