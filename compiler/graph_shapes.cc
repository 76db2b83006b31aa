#include "compiler/graph_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tidbit::compiler {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw CompileError(what);
}

bool same_or_one(size_t count, int64_t channels) { return count == 1 || static_cast<int64_t>(count) == channels; }

bool is_permutation(std::vector<int> axes) {
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int>(i)) return false;
  }
  return true;
}

/// Padding has no maximum and no mean: each window must reach the image.
void check_windows_reach_image(const Window& window, int axis, int64_t input, int64_t output) {
  for (int64_t i = 0; i < output; ++i) {
    const int64_t begin = i * window.stride[axis] - window.pad_begin[axis];
    const int64_t dilation = window.dilation[axis];
    const int64_t skipped = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    require(skipped < window.kernel[axis] && begin + skipped * dilation < input,
            "a window lies in the padding altogether");
  }
}

void check_epilogue(const op::Epilogue& epilogue, int64_t channels) {
  const bool fits = std::visit(
      [&](const auto& form) {
        using Form = std::decay_t<decltype(form)>;
        if constexpr (std::is_same_v<Form, op::Thresholds>) {
          return same_or_one(static_cast<size_t>(form.channels), channels) && form.steps >= 0 &&
                 form.values.size() == static_cast<size_t>(form.channels * form.steps) &&
                 (form.falling.empty() || form.falling.size() == static_cast<size_t>(form.channels));
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

/// The rules, one overload an operator.
class Rules {
 public:
  Rules(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  std::vector<Shape> operator()(const op::Convolution& convolution) const {
    inputs(2, 3);
    const Shape &x = shape(0), &w = shape(1);
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
    if (has(2)) require(shape(2) == Shape{outputs}, "bias " + to_string(shape(2)) + " is not one a channel");
    const int64_t height = output_extent(window, 0, x[last ? 1 : 2]), width = output_extent(window, 1, x[last ? 2 : 3]);
    return {last ? Shape{x[0], height, width, outputs} : Shape{x[0], outputs, height, width}};
  }

  std::vector<Shape> operator()(const op::MatMul&) const {
    inputs(2, 2);
    Shape a = shape(0), b = shape(1);
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

  std::vector<Shape> operator()(const op::BatchNormalization& normalization) const {
    inputs(5, 5);
    const Shape& x = shape(0);
    require(normalization.axis >= 0 && normalization.axis < rank(x), "no channel axis in " + to_string(x));
    const Shape channels = {x[static_cast<size_t>(normalization.axis)]};
    for (size_t i = 1; i < 5; ++i) {
      require(shape(i) == channels, "parameter " + to_string(shape(i)) + " should be " + to_string(channels));
    }
    return {x};
  }

  std::vector<Shape> operator()(const op::Binary&) const {
    inputs(2, 2);
    return {broadcast(shape(0), shape(1))};
  }

  std::vector<Shape> operator()(const op::PRelu&) const {
    inputs(2, 2);
    require_broadcasts_to(shape(1), shape(0), "slope");
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::FakeQuant& quant) const {
    inputs(1, 1);
    require_broadcasts_to(quant.quantizer.scale.shape, shape(0), "scale");
    require_broadcasts_to(quant.quantizer.zero_point.shape, shape(0), "zero point");
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::Unary&) const { return elementwise(); }
  std::vector<Shape> operator()(const op::LeakyRelu&) const { return elementwise(); }
  std::vector<Shape> operator()(const op::Clip&) const { return elementwise(); }
  std::vector<Shape> operator()(const op::Trunc&) const { return elementwise(); }

  std::vector<Shape> operator()(const op::MultiThreshold& multi) const {
    inputs(1, 1);
    const Shape& x = shape(0);
    require(multi.axis >= 0 && multi.axis < rank(x), "no channel axis in " + to_string(x));
    require(multi.channels == 1 || multi.channels == x[static_cast<size_t>(multi.axis)],
            fmt::format("thresholds of {} channels do not fit {}", multi.channels, to_string(x)));
    require(static_cast<int64_t>(multi.thresholds.size()) % multi.channels == 0, "wrong number of thresholds");
    return {x};
  }

  std::vector<Shape> operator()(const op::Softmax& softmax) const {
    inputs(1, 1);
    require(softmax.axis >= -rank(shape(0)) && softmax.axis < rank(shape(0)), "axis out of range");
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::MaxPool& pool) const {
    inputs(1, 1);
    return {pooled(pool.window, pool.layout)};
  }

  std::vector<Shape> operator()(const op::AveragePool& pool) const {
    inputs(1, 1);
    return {pooled(pool.window, pool.layout)};
  }

  std::vector<Shape> operator()(const op::CodePool& pool) const {
    inputs(1, 1);
    require_codes(0);
    const Shape result = pooled(pool.window, Layout::ChannelsLast);
    check_epilogue(pool.epilogue, result.back());
    return {result};
  }

  std::vector<Shape> operator()(const op::Reshape&) const {
    inputs(1, 1);
    require(node_.outputs.size() == 1, "must have one output");
    const Shape& to = graph_[node_.outputs[0]].shape;
    require(elements(to) == elements(shape(0)), "cannot reshape " + to_string(shape(0)) + " to " + to_string(to));
    return {to};
  }

  std::vector<Shape> operator()(const op::Transpose& transpose) const {
    inputs(1, 1);
    const Shape& x = shape(0);
    require(transpose.permutation.size() == x.size() && is_permutation(transpose.permutation),
            "no permutation of the axes of " + to_string(x));
    Shape result;
    for (const int axis : transpose.permutation) result.push_back(x[static_cast<size_t>(axis)]);
    return {result};
  }

  std::vector<Shape> operator()(const op::Concat& concat) const {
    inputs(1, node_.inputs.size());
    Shape result = shape(0);
    require(concat.axis >= 0 && concat.axis < rank(result), "axis out of range");
    const auto axis = static_cast<size_t>(concat.axis);
    for (size_t i = 1; i < node_.inputs.size(); ++i) {
      Shape other = shape(i);
      require(other.size() == result.size(), "inputs of different ranks");
      const int64_t extent = other[axis];
      other[axis] = result[axis];
      require(other == result, "inputs " + to_string(shape(0)) + " and " + to_string(shape(i)) + " do not fit");
      result[axis] += extent;
    }
    return {result};
  }

  std::vector<Shape> operator()(const op::Pad& pad) const {
    inputs(1, 1);
    Shape result = shape(0);
    require(pad.before.size() == result.size() && pad.after.size() == result.size(), "needs pads for each axis");
    for (size_t i = 0; i < result.size(); ++i) {
      constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
      require(pad.before[i] >= 0 && pad.after[i] >= 0, "negative pads are not supported");
      require(pad.before[i] <= kMost && pad.after[i] <= kMost, "pads are too large");
      result[i] += pad.before[i] + pad.after[i];
    }
    return {result};
  }

  std::vector<Shape> operator()(const op::Resize& resize) const {
    inputs(1, 1);
    Shape result = shape(0);
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

  std::vector<Shape> operator()(const op::Gather& gather) const {
    inputs(1, 1);
    Shape result = shape(0);
    require(gather.axis >= 0 && gather.axis < rank(result), "axis out of range");
    int64_t& extent = result[static_cast<size_t>(gather.axis)];
    for (const int64_t index : gather.indices) {
      require(index >= 0 && index < extent, fmt::format("index {} is out of range for an extent of {}", index, extent));
    }
    extent = static_cast<int64_t>(gather.indices.size());
    return {result};
  }

  std::vector<Shape> operator()(const op::Interpolate& interpolate) const {
    inputs(1, 1);
    return {interpolated(interpolate.rows, interpolate.columns, interpolate.layout)};
  }

  std::vector<Shape> operator()(const op::CodeInterpolate& interpolate) const {
    inputs(1, 1);
    require_codes(0);
    const Shape result = interpolated(interpolate.rows, interpolate.columns, Layout::ChannelsLast);
    check_epilogue(interpolate.epilogue, result.back());
    return {result};
  }

  std::vector<Shape> operator()(const op::TopK& top) const {
    inputs(1, 1);
    Shape result = shape(0);
    require(top.axis >= 0 && top.axis < rank(result), "axis out of range");
    int64_t& extent = result[static_cast<size_t>(top.axis)];
    require(top.k >= 1 && top.k <= extent, fmt::format("{} elements of an extent of {}", top.k, extent));
    extent = top.k;
    return {result};
  }

  std::vector<Shape> operator()(const op::NonMaxSuppression& suppression) const {
    inputs(2, 2);
    const Shape &boxes = shape(0), &scores = shape(1);
    const bool fit =
        boxes.size() == 3 && scores.size() == 3 && boxes[2] == 4 && boxes[0] == scores[0] && boxes[1] == scores[2];
    require(fit, "boxes " + to_string(boxes) + " and scores " + to_string(scores) + " are not [B,N,4] and [B,C,N]");
    require(suppression.most_per_class >= 1, "selects no boxes");
    return {{elements({scores[0], scores[1], std::min(suppression.most_per_class, scores[2])}), 3}};
  }

  std::vector<Shape> operator()(const op::Linear& linear) const {
    inputs(1, 2);
    if (linear.kind != op::LinearKind::RealInput) require_codes(0);
    const Shape &x = shape(0), image = as_image(x);
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
    check_weights(linear);
    Shape result = x;
    if (x.size() == 4) {
      for (size_t i = 0; i < 2; ++i) result[i + 1] = output_extent(window, static_cast<int>(i), x[i + 1]);
    }
    result.back() = outputs;
    if (has(1)) require(shape(1) == result, "the residual's shape is not the output's");
    for (const op::Epilogue& epilogue : linear.epilogues) check_epilogue(epilogue, outputs);
    return std::vector<Shape>(linear.epilogues.size(), result);
  }

  std::vector<Shape> operator()(const op::Quantize& quantize) const {
    inputs(1, 1);
    check_epilogue(quantize.epilogue, channels());
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::Dequantize& dequantize) const {
    check_table(dequantize.channels, dequantize.values.size());
    return elementwise();
  }

  std::vector<Shape> operator()(const op::Lookup& lookup) const {
    check_table(lookup.channels, lookup.codes.size());
    return elementwise();
  }

  std::vector<Shape> operator()(const op::Combine& combine) const {
    two_codes();
    const int64_t levels = int64_t{levels_of(0)} * levels_of(1);
    require(static_cast<int64_t>(combine.codes.size()) == levels, "the table does not fit the inputs' levels");
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::ResidualAdd& add) const {
    two_codes();
    check_epilogue(add.epilogue, channels());
    return {shape(0)};
  }

  std::vector<Shape> operator()(const op::Map& map) const {
    inputs(1, 1);
    using Function = op::MapStep::Function;
    for (const op::MapStep& step : map.steps) {
      const bool two =
          step.function == Function::Affine || step.function == Function::Clamp || step.function == Function::FakeQuant;
      const bool one = step.function == Function::LeakyRelu || step.function == Function::Bipolar ||
                       step.function == Function::Power || step.function == Function::Quotient;
      require((!one && !two) || same_or_one(step.a.size(), channels()), "a step's arrays do not fit the channels");
      require(!two || same_or_one(step.b.size(), channels()), "a step's arrays do not fit the channels");
    }
    return elementwise();
  }

 private:
  bool has(size_t i) const { return i < node_.inputs.size() && node_.inputs[i] != kNoValue; }
  static int rank(const Shape& shape) { return static_cast<int>(shape.size()); }

  void inputs(size_t least, size_t most) const {
    require(node_.inputs.size() >= least && node_.inputs.size() <= most,
            fmt::format("has {} inputs, should have {}", node_.inputs.size(),
                        least == most ? std::to_string(least) : fmt::format("{} to {}", least, most)));
    for (size_t i = 0; i < least; ++i) require(has(i), fmt::format("input {} is missing", i));
  }

  void two_codes() const {
    inputs(2, 2);
    require_codes(0);
    require_codes(1);
    require(shape(0) == shape(1), "inputs " + to_string(shape(0)) + " and " + to_string(shape(1)) + " differ");
  }

  const Shape& shape(size_t i) const {
    require(has(i), fmt::format("input {} is missing", i));
    return graph_[node_.inputs[i]].shape;
  }

  int64_t channels() const { return shape(0).empty() ? 1 : shape(0).back(); }

  void require_codes(size_t i) const {
    require(has(i) && graph_[node_.inputs[i]].codes && graph_[node_.inputs[i]].quantization,
            fmt::format("input {} should hold codes", i));
  }

  int32_t levels_of(size_t i) const { return graph_[node_.inputs[i]].quantization->grid.levels(); }

  void check_table(int64_t rows, size_t size) const {
    require_codes(0);
    require(rows == 1 || rows == channels(), "the table does not fit the channels");
    require(static_cast<int64_t>(size) == rows * levels_of(0), "the table does not fit the input's levels");
  }

  static void check_weights(const op::Linear& linear) {
    const op::Weights& weights = linear.weights;
    const auto size = static_cast<size_t>(weights.rows * weights.taps * weights.channels);
    require(weights.grid ? weights.codes.size() == size : weights.reals.size() == size, "wrong number of weights");
    require(weights.grid || linear.kind == op::LinearKind::RealInput, "real weights need real activations");
    const bool scaled = linear.kind == op::LinearKind::RealInput && !weights.scales.empty();
    if (scaled) require(same_or_one(weights.scales.size(), weights.rows), "wrong number of scales");
  }

  static void require_broadcasts_to(const Shape& from, const Shape& to, const std::string& what) {
    bool fits = from.size() <= to.size();
    for (size_t i = 1; fits && i <= from.size(); ++i) {
      fits = from[from.size() - i] == 1 || from[from.size() - i] == to[to.size() - i];
    }
    require(fits, what + " " + to_string(from) + " does not fit " + to_string(to));
  }

  Shape pooled(const Window& window, Layout layout) const {
    Shape result = shape(0);
    require(result.size() == 4, "needs an image of rank 4, not " + to_string(result));
    const size_t first = layout == Layout::ChannelsLast ? 1 : 2;
    for (int axis = 0; axis < 2; ++axis) {
      int64_t& extent = result[first + static_cast<size_t>(axis)];
      const int64_t output = output_extent(window, axis, extent);
      check_windows_reach_image(window, axis, extent, output);
      extent = output;
    }
    return result;
  }

  Shape interpolated(const op::Interpolation& rows, const op::Interpolation& columns, Layout layout) const {
    Shape result = shape(0);
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

  std::vector<Shape> elementwise() const {
    inputs(1, 1);
    return {shape(0)};
  }

  const Graph& graph_;
  const Node& node_;
};

}  // namespace

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
  return std::visit(Rules(graph, node), node.op);
}

std::vector<Shape> output_shapes(const Graph& graph, const Node& node) {
  try {
    return infer_shapes(graph, node);
  } catch (const CompileError& error) {
    throw CompileError(fmt::format("{} ({}): {}", node.name, name(node.op), error.what()));
  }
}

}  // namespace tidbit::compiler
