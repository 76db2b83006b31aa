#include "compiler/graph_shapes.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/shapes/node_shapes.h"

namespace tidbit::compiler {

void require(bool holds, const std::string& what) {
  if (!holds) throw CompileError(what);
}

void require_epilogue_fits(const op::Epilogue& epilogue, int64_t channels) {
  const bool fits = std::visit(
      [&](const auto& form) {
        using Form = std::decay_t<decltype(form)>;
        if constexpr (std::is_same_v<Form, op::Thresholds>) {
          return same_or_one(static_cast<size_t>(form.channels), channels) && form.steps >= 0 &&
                 form.values.size() == static_cast<size_t>(form.channels * form.steps) &&
                 (form.falling.empty() || form.falling.size() == static_cast<size_t>(form.channels));
        } else if constexpr (std::is_same_v<Form, op::FixedPoint>) {
          const auto fits_line = [](const op::FixedPointLine& line, size_t size) {
            return line.multiplier.size() == size && line.offset.size() == size && line.shift.size() == size;
          };
          const size_t size = form.line.multiplier.size();
          return same_or_one(size, channels) && fits_line(form.line, size) &&
                 (form.knee.empty() || form.knee.size() == size) && fits_line(form.below, form.knee.size());
        } else {
          bool fit = same_or_one(form.multiplier.size(), channels) && same_or_one(form.offset.size(), channels);
          if constexpr (std::is_same_v<Form, op::Affine>) {
            const size_t knees = form.knee.size();
            fit = fit && (knees == 0 || same_or_one(knees, channels)) && form.slope_below.size() == knees &&
                  form.offset_below.size() == knees;
          }
          return fit;
        }
      },
      epilogue);
  require(fits, fmt::format("an epilogue's arrays do not fit {} channels", channels));
}

const Shape& NodeShapes::shape(size_t i) const {
  require(has(i), fmt::format("input {} is missing", i));
  return graph[node.inputs[i]].shape;
}

void NodeShapes::require_inputs(size_t least, size_t most) const {
  require(node.inputs.size() >= least && node.inputs.size() <= most,
          fmt::format("has {} inputs, should have {}", node.inputs.size(),
                      least == most ? std::to_string(least) : fmt::format("{} to {}", least, most)));
  for (size_t i = 0; i < least; ++i) require(has(i), fmt::format("input {} is missing", i));
}

void NodeShapes::require_codes(size_t i) const {
  require(has(i) && graph[node.inputs[i]].codes && graph[node.inputs[i]].quantization,
          fmt::format("input {} should hold codes", i));
}

std::vector<Shape> NodeShapes::elementwise() const {
  require_inputs(1, 1);
  return {shape(0)};
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (const Shape* shape : {&a, &b}) {
    const size_t shift = result.size() - shape->size();
    for (size_t i = 0; i < shape->size(); ++i) {
      const int64_t extent = (*shape)[i];
      int64_t& into = result[shift + i];
      require(extent == 1 || into == 1 || extent == into,
              "shapes " + to_string(a) + " and " + to_string(b) + " do not fit each other");
      if (into == 1) into = extent;
    }
  }
  return result;
}

int64_t output_extent(const Window& window, int axis, int64_t input_extent) {
  constexpr int64_t kMost = 1 << 24;
  const auto within = [](int64_t value, int64_t least) { return value >= least && value <= kMost; };
  require(within(window.kernel[axis], 1) && within(window.stride[axis], 1) && within(window.dilation[axis], 1) &&
              within(window.pad_begin[axis], 0) && within(window.pad_end[axis], 0) && within(input_extent, 0),
          "kernel, stride, dilation or padding out of range");
  const int64_t reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
  const int64_t padded = input_extent + window.pad_begin[axis] + window.pad_end[axis];
  require(padded >= reach, fmt::format("a window of {} does not fit an image of {}, padding included", reach, padded));
  return (padded - reach) / window.stride[axis] + 1;
}

Shape as_image(const Shape& shape) {
  if (shape.size() == 4 || shape.empty()) return shape;
  return {1, 1, elements({shape.begin(), shape.end() - 1}), shape.back()};
}

std::vector<Shape> infer_shapes(const Graph& graph, const Node& node) {
  const NodeShapes shapes = {graph, node};
  return std::visit([&](const auto& op) { return shapes_of(op, shapes); }, node.op);
}

std::vector<Shape> output_shapes(const Graph& graph, const Node& node) {
  try {
    return infer_shapes(graph, node);
  } catch (const CompileError& error) {
    throw CompileError(fmt::format("{} ({}): {}", node.name, name(node.op), error.what()));
  }
}

}  // namespace tidbit::compiler
