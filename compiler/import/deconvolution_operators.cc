// ConvTranspose as a convolution whose channels are the pixels of a block, which depth to space then lays out: with a
// stride of s, output pixel p = s*m + r takes the weights w[r + s*t] of input pixels m - t. No product with an inserted
// zero is computed, and quantized layers stay what they are.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

constexpr int64_t kMost = 1 << 16;  // of any attribute

/// Along one axis.
struct Axis {
  int64_t input = 1, kernel = 1, stride = 1, dilation = 1;
  int64_t crop_begin = 0, output = 1;

  int64_t reach() const { return (kernel - 1) * dilation + 1; }
  int64_t taps() const { return (reach() + stride - 1) / stride; }  // of each phase
};

std::vector<int64_t> numbers(const NodeImport& node, std::string_view name, size_t count, int64_t otherwise,
                             int64_t least) {
  std::vector<int64_t> values = node.integers(name, {});
  if (values.empty()) values.assign(count, otherwise);
  if (values.size() != count) node.fail(fmt::format("attribute '{}' should have {} numbers", name, count));
  for (const int64_t value : values) {
    if (value < least || value > kMost) node.fail(fmt::format("attribute '{}' is out of range", name));
  }
  return values;
}

/// Sets the output's extent, and how much of the whole output lies before it.
void place(const NodeImport& node, Axis& axis, int64_t pad_begin, int64_t pad_end, int64_t extra, int64_t wanted) {
  const int64_t whole = (axis.input - 1) * axis.stride + axis.reach() + extra;
  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID")
    node.fail(fmt::format("auto_pad '{}' is unknown", auto_pad));
  if (wanted == 0 && same) wanted = axis.input * axis.stride;
  axis.crop_begin = auto_pad == "VALID" ? 0 : pad_begin;
  axis.output = whole - axis.crop_begin - (auto_pad == "VALID" ? 0 : pad_end);
  if (wanted > 0) {
    const int64_t total = whole - wanted;
    axis.crop_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis.output = wanted;
  }
  if (axis.output < 1 || axis.crop_begin < 0) node.fail("its padding leaves no output, or output_shape is too large");
}

std::array<Axis, 2> read_axes(const NodeImport& node) {
  const auto count = static_cast<size_t>(node.rank(0)) - 2;
  const auto strides = numbers(node, "strides", count, 1, 1), dilations = numbers(node, "dilations", count, 1, 1);
  const auto extra = numbers(node, "output_padding", count, 0, 0), pads = numbers(node, "pads", 2 * count, 0, 0);
  std::vector<int64_t> wanted = node.integers("output_shape", std::vector<int64_t>(count, 0));
  if (wanted.size() == count + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (wanted.size() != count) node.fail(fmt::format("attribute 'output_shape' should have {} numbers", count));
  std::array<Axis, 2> axes;
  for (size_t i = 0; i < count; ++i) {
    Axis& axis = axes[i + 2 - count];
    axis.input = node.shape(0)[i + 2];
    axis.kernel = node.shape(1)[i + 2];
    axis.stride = strides[i];
    axis.dilation = dilations[i];
    if (axis.input < 1 || axis.kernel < 1 || axis.kernel > kMost) node.fail("an empty image or kernel");
    if (wanted[i] < 0 || wanted[i] > kMost || extra[i] >= std::max(axis.stride, axis.dilation)) {
      node.fail("attribute 'output_shape' or 'output_padding' is out of range");
    }
    place(node, axis, pads[i], pads[count + i], extra[i], wanted[i]);
  }
  return axes;
}

std::vector<int64_t> descending(int64_t count) {
  std::vector<int64_t> result(static_cast<size_t>(count));
  std::iota(result.rbegin(), result.rend(), 0);
  return result;
}

/// [.., k] with zeros between the taps, and behind them up to a whole number of strides, as [.., taps, stride] in the
/// order of a convolution, last tap first.
ValueId in_phases(NodeImport& node, ValueId w, const Axis& axis, size_t at) {
  Shape shape = node.shape_of(w);
  const auto padded = [&](size_t along, int64_t after) {
    op::Pad pad = {.before = Shape(shape.size(), 0), .after = Shape(shape.size(), 0), .value = 0};
    pad.after[along] = after;
    if (after > 0) w = node.emit(pad, {w});
    shape = node.shape_of(w);
  };
  if (axis.dilation > 1) {
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(at) + 1, 1);
    w = node.reshape(w, shape);
    padded(at + 1, axis.dilation - 1);
    shape.erase(shape.begin() + static_cast<ptrdiff_t>(at) + 1);
    shape[at] = axis.kernel * axis.dilation;
    w = node.reshape(w, shape);
    std::vector<int64_t> all(static_cast<size_t>(axis.reach()));
    std::iota(all.begin(), all.end(), 0);
    w = node.emit(op::Gather{static_cast<int>(at), std::move(all)}, {w});
    shape = node.shape_of(w);
  }
  padded(at, axis.taps() * axis.stride - axis.reach());
  shape[at] = axis.taps();
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(at) + 1, axis.stride);
  w = node.reshape(w, shape);
  return axis.taps() == 1 ? w : node.emit(op::Gather{static_cast<int>(at), descending(axis.taps())}, {w});
}

/// [C, O/g, kh, kw] to [O*sh*sw, C/g, th, tw].
ValueId convolution_weights(NodeImport& node, ValueId w, const std::array<Axis, 2>& axes, int64_t groups) {
  const Shape shape = node.shape_of(w);
  const int64_t channels = shape[0] / groups, outputs = shape[1];
  w = node.reshape(w, {groups, channels, outputs, shape[2], shape[3]});
  w = in_phases(node, in_phases(node, w, axes[1], 4), axes[0], 3);  // [g, C/g, O/g, th, sh, tw, sw]
  w = node.emit(op::Transpose{{0, 2, 4, 6, 1, 3, 5}}, {w});
  return node.reshape(w,
                      {groups * outputs * axes[0].stride * axes[1].stride, channels, axes[0].taps(), axes[1].taps()});
}

/// How many steps of the stride the output, what is cropped before it included, spans.
int64_t blocks(const Axis& axis) { return (axis.crop_begin + axis.output + axis.stride - 1) / axis.stride; }

op::Convolution phase_convolution(const std::array<Axis, 2>& axes, int64_t groups) {
  op::Convolution op;
  op.groups = groups;
  for (size_t i = 0; i < 2; ++i) {
    op.window.kernel[i] = axes[i].taps();
    op.window.pad_begin[i] = axes[i].taps() - 1;
    op.window.pad_end[i] = std::max<int64_t>(blocks(axes[i]) - axes[i].input, 0);
  }
  return op;
}

/// One bias a channel for each pixel of its block.
ValueId repeated(NodeImport& node, ValueId bias, int64_t times) {
  if (times == 1) return bias;
  op::Gather each{0, {}};
  for (int64_t i = 0; i < node.shape_of(bias)[0] * times; ++i) each.indices.push_back(i / times);
  return node.emit(std::move(each), {bias});
}

/// [N, O*sh*sw, h, w] to [N, O, h*sh, w*sw], then the output out of that.
ValueId laid_out(NodeImport& node, ValueId x, const std::array<Axis, 2>& axes) {
  const Shape shape = node.shape_of(x);
  const int64_t rows = axes[0].stride, columns = axes[1].stride, outputs = shape[1] / (rows * columns);
  if (rows * columns > 1) {
    x = node.reshape(x, {shape[0], outputs, rows, columns, shape[2], shape[3]});
    x = node.emit(op::Transpose{{0, 1, 4, 2, 5, 3}}, {x});
    x = node.reshape(x, {shape[0], outputs, shape[2] * rows, shape[3] * columns});
  }
  for (size_t i = 0; i < 2; ++i) {
    if (axes[i].crop_begin == 0 && node.shape_of(x)[i + 2] == axes[i].output) continue;
    std::vector<int64_t> kept(static_cast<size_t>(axes[i].output));
    std::iota(kept.begin(), kept.end(), axes[i].crop_begin);
    x = node.emit(op::Gather{static_cast<int>(i) + 2, std::move(kept)}, {x});
  }
  return x;
}

/// x [N,C,..], w [C, O/groups, ..], [bias [O]]
ValueId conv_transpose(NodeImport& node) {
  const int64_t rank = node.rank(0), groups = node.integer("group", 1);
  if ((rank != 3 && rank != 4) || node.rank(1) != rank) {
    node.fail(fmt::format("only 1-D and 2-D images are supported, the input is {}, the weights {}",
                          to_string(node.shape(0)), to_string(node.shape(1))));
  }
  Shape x_shape = node.shape(0), w_shape = node.shape(1);
  if (elements(x_shape) == 0 || elements(w_shape) == 0) node.fail("an empty image or kernel");
  if (groups < 1 || x_shape[1] != w_shape[0] || w_shape[0] % groups != 0) {
    node.fail(fmt::format("weights {} do not fit {} channels in {} groups", to_string(w_shape), x_shape[1], groups));
  }
  if (node.has_attribute("kernel_shape") &&
      node.integers("kernel_shape", {}) != std::vector<int64_t>(w_shape.begin() + 2, w_shape.end())) {
    node.fail("attribute 'kernel_shape' is not that of the weights");
  }
  const std::array<Axis, 2> axes = read_axes(node);
  if (rank == 3) {
    x_shape.insert(x_shape.begin() + 2, 1);
    w_shape.insert(w_shape.begin() + 2, 1);
  }
  const ValueId w = convolution_weights(node, node.reshape(node.input(1), w_shape), axes, groups);
  std::vector<ValueId> inputs = {node.reshape(node.input(0), x_shape), w};
  if (node.has_input(2)) {
    if (node.shape(2) != Shape{w_shape[1] * groups}) node.fail("the bias is not one a channel");
    inputs.push_back(repeated(node, node.input(2), axes[0].stride * axes[1].stride));
  }
  const ValueId result = laid_out(node, node.emit(phase_convolution(axes, groups), inputs), axes);
  const Shape made = node.shape_of(result);
  return rank == 4 ? result : node.reshape(result, {made[0], made[1], made[3]});
}

}  // namespace

std::span<const OperatorImport> deconvolution_operators() {
  static constexpr OperatorImport kOperators[] = {{"ConvTranspose", 2, 3, conv_transpose}};
  return kOperators;
}

}  // namespace tidbit::compiler
