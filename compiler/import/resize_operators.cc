// Resize and Upsample, nearest neighbour: which input pixel each output pixel is, worked out here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

constexpr int64_t kMostPixels = 1 << 16;  // along one axis

/// Along one axis.
struct Stretch {
  int64_t input = 0, output = 0;
  double scale = 1;
};

/// ONNX's coordinate_transformation_mode: where in the input output pixel i lies.
double coordinate(const NodeImport& node, const std::string& mode, const Stretch& s, int64_t i) {
  const auto x = static_cast<double>(i), input = static_cast<double>(s.input), output = static_cast<double>(s.output);
  if (mode == "asymmetric") return x / s.scale;
  if (mode == "half_pixel") return (x + 0.5) / s.scale - 0.5;
  if (mode == "pytorch_half_pixel") return output > 1 ? (x + 0.5) / s.scale - 0.5 : 0;
  if (mode == "align_corners") return output > 1 ? x * (input - 1) / (output - 1) : 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / s.scale;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = output / (s.scale * input);
    return input / 2 * (1 - adjustment) + (x + 0.5) / s.scale - 0.5;
  }
  node.fail(fmt::format("coordinate_transformation_mode '{}' is not supported", mode));
}

double nearest(const NodeImport& node, const std::string& mode, double x) {
  if (mode == "round_prefer_floor") return std::ceil(x - 0.5);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5);
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  node.fail(fmt::format("nearest_mode '{}' is unknown", mode));
}

struct Modes {
  std::string coordinates, rounding;
};

std::vector<int64_t> picks(const NodeImport& node, const Modes& modes, const Stretch& stretch) {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < stretch.output; ++i) {
    const int64_t pick = to_int64(nearest(node, modes.rounding, coordinate(node, modes.coordinates, stretch, i)));
    result.push_back(std::clamp<int64_t>(pick, 0, stretch.input - 1));
  }
  return result;
}

Stretch by_scale(const NodeImport& node, int64_t input, double scale) {
  const double output = std::floor(static_cast<double>(input) * scale);
  if (!(scale > 0) || !(output >= 1) || output > static_cast<double>(kMostPixels)) {
    node.fail(fmt::format("a scale of {} does not fit an extent of {}", scale, input));
  }
  return {input, static_cast<int64_t>(output), scale};
}

Stretch by_size(const NodeImport& node, int64_t input, int64_t output) {
  if (output < 1 || output > kMostPixels) node.fail(fmt::format("an output size of {} is out of range", output));
  return {input, output, static_cast<double>(output) / static_cast<double>(input)};
}

/// How each axis is stretched; `scales` or `sizes` are for `axes`, and the other is empty.
std::vector<Stretch> stretches(const NodeImport& node, const std::vector<double>& scales,
                               const std::vector<int64_t>& sizes) {
  const Shape shape = node.shape(0);
  std::vector<Stretch> result;
  for (const int64_t extent : shape) result.push_back({extent, extent, 1});
  std::vector<int64_t> axes(shape.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  axes = node.integers("axes", axes);
  const size_t count = scales.empty() ? sizes.size() : scales.size();
  if (count == 0 || count != axes.size() || (!scales.empty() && !sizes.empty())) {
    node.fail(fmt::format("needs either {0} scales or {0} sizes", axes.size()));
  }
  for (size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<size_t>(node.axis_in(axes[i], node.rank(0)));
    if (shape[axis] < 1) node.fail("an empty image");
    result[axis] = scales.empty() ? by_size(node, shape[axis], sizes[i]) : by_scale(node, shape[axis], scales[i]);
  }
  return result;
}

bool changes(const Stretch& stretch) { return stretch.output != stretch.input || stretch.scale != 1; }

ValueId resize_image(NodeImport& node, std::vector<Stretch> stretch, const Modes& modes) {
  Shape shape = node.shape(0);
  const bool flat = shape.size() == 3;
  if (flat) {
    shape.insert(shape.begin() + 2, 1);
    stretch.insert(stretch.begin() + 2, {1, 1, 1});
  }
  if (shape.size() != 4)
    node.fail(fmt::format("only 1-D and 2-D images are supported, the input is {}", to_string(shape)));
  const bool last = !changes(stretch[3]) && changes(stretch[1]);
  if (changes(stretch[0]) || changes(stretch[last ? 3 : 1])) node.fail("only the axes of the image may change");
  const size_t first = last ? 1 : 2;
  const op::Resize op = {.rows = picks(node, modes, stretch[first]),
                         .columns = picks(node, modes, stretch[first + 1]),
                         .layout = last ? Layout::ChannelsLast : Layout::ChannelsFirst};
  const ValueId result = node.emit(op, {node.reshape(node.input(0), shape)});
  if (!flat) return result;
  const Shape made = node.shape_of(result);
  return node.reshape(result, {made[0], made[1], made[3]});
}

void check_mode(const NodeImport& node) {
  const std::string mode = node.text("mode", "nearest");
  if (mode != "nearest") node.fail(fmt::format("mode '{}' is not supported; only nearest is", mode));
}

std::vector<double> constant_reals(const NodeImport& node, size_t input) {
  return node.has_input(input) ? node.constant(input, "the scales").data : std::vector<double>{};
}

/// X, scales in opset 10, where the mode was that of Upsample; then X, roi, scales, sizes.
ValueId resize(NodeImport& node) {
  check_mode(node);
  if (node.opset() < 11) {
    return resize_image(node, stretches(node, constant_reals(node, 1), {}), {"asymmetric", "floor"});
  }
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") node.fail(fmt::format("keep_aspect_ratio_policy '{}' is not supported", policy));
  const std::vector<int64_t> sizes = node.has_input(3) ? node.constant_integers(3, "the sizes") : Shape{};
  const Modes modes = {node.text("coordinate_transformation_mode", "half_pixel"),
                       node.text("nearest_mode", "round_prefer_floor")};
  return resize_image(node, stretches(node, constant_reals(node, 2), sizes), modes);
}

ValueId upsample(NodeImport& node) {
  check_mode(node);
  const std::vector<double> scales = node.has_input(1) ? constant_reals(node, 1) : node.reals("scales");
  return resize_image(node, stretches(node, scales, {}), {"asymmetric", "floor"});
}

}  // namespace

std::span<const OperatorImport> resize_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"Resize", 1, 4, resize, Integers::Moved},
      {"Upsample", 1, 2, upsample, Integers::Moved},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
