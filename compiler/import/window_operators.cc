// Operators that know an axis of channels: convolutions, pools, batch normalization.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "compiler/graph_shapes.h"
#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

/// [N,C,L] becomes [N,C,1,L], channels last [N,L,C] becomes [N,1,L,C].
Shape with_height(Shape shape, Layout layout) {
  shape.insert(shape.begin() + (layout == Layout::ChannelsLast ? 1 : 2), 1);
  return shape;
}

Shape without_height(Shape shape, Layout layout) {
  shape.erase(shape.begin() + (layout == Layout::ChannelsLast ? 1 : 2));
  return shape;
}

/// Makes `rank` - 2 spatial axes of the image two, runs `make` on the image, and undoes it.
template <class Make>
ValueId on_image(NodeImport& node, Layout layout, Make make) {
  const int64_t rank = node.rank(0);
  if (rank != 3 && rank != 4) {
    node.fail(fmt::format("only 1-D and 2-D windows are supported, the input is {}", to_string(node.shape(0))));
  }
  if (rank == 4) return make(node.input(0));
  const ValueId result = make(node.reshape(node.input(0), with_height(node.shape(0), layout)));
  return node.reshape(result, without_height(node.shape_of(result), layout));
}

std::array<int64_t, 2> image_extent(const Shape& image, Layout layout) {
  const size_t first = layout == Layout::ChannelsLast ? 1 : 2;
  return {image[first], image[first + 1]};
}

/// An attribute with one number a spatial axis, for two axes.
std::array<int64_t, 2> pair(const NodeImport& node, std::string_view name, std::vector<int64_t> otherwise) {
  std::vector<int64_t> values = node.integers(name, std::move(otherwise));
  const auto axes = static_cast<size_t>(node.rank(0) - 2);
  if (values.empty()) values.assign(axes, 1);
  if (values.size() != axes) node.fail(fmt::format("attribute '{}' should have {} numbers", name, axes));
  for (const int64_t value : values) {
    if (value < 1 || value > std::numeric_limits<int32_t>::max()) {
      node.fail(fmt::format("attribute '{}' is out of range", name));
    }
  }
  return axes == 1 ? std::array<int64_t, 2>{1, values[0]} : std::array<int64_t, 2>{values[0], values[1]};
}

int64_t reach(const Window& window, int axis) { return (window.kernel[axis] - 1) * window.dilation[axis] + 1; }

void read_pads(const NodeImport& node, Window& window) {
  const auto axes = static_cast<size_t>(node.rank(0) - 2);
  const std::vector<int64_t> pads = node.integers("pads", std::vector<int64_t>(2 * axes, 0));
  if (pads.size() != 2 * axes) node.fail(fmt::format("attribute 'pads' should have {} numbers", 2 * axes));
  for (size_t i = 0; i < axes; ++i) {
    const size_t axis = i + 2 - axes;
    for (const int64_t pad : {pads[i], pads[axes + i]}) {
      if (pad < 0 || pad > std::numeric_limits<int32_t>::max()) node.fail("attribute 'pads' is out of range");
    }
    window.pad_begin[axis] = pads[i];
    window.pad_end[axis] = pads[axes + i];
  }
}

/// As much padding as makes the output's extent ceil(input/stride), the odd one at the end (`upper`) or the beginning.
void pad_to_same(Window& window, const std::array<int64_t, 2>& extent, bool upper) {
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t outputs = (extent[axis] + window.stride[axis] - 1) / window.stride[axis];
    const int64_t total =
        std::max<int64_t>((outputs - 1) * window.stride[axis] + reach(window, axis) - extent[axis], 0);
    window.pad_begin[axis] = upper ? total / 2 : total - total / 2;
    window.pad_end[axis] = total - window.pad_begin[axis];
  }
}

Window read_window(const NodeImport& node, const std::array<int64_t, 2>& kernel, const std::array<int64_t, 2>& extent) {
  Window window;
  const std::array<int64_t, 2> stride = pair(node, "strides", {}), dilation = pair(node, "dilations", {});
  for (size_t axis = 0; axis < 2; ++axis) {
    window.kernel[axis] = kernel[axis];
    window.stride[axis] = stride[axis];
    window.dilation[axis] = dilation[axis];
  }
  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET") {
    read_pads(node, window);
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    pad_to_same(window, extent, auto_pad == "SAME_UPPER");
  } else if (auto_pad != "VALID") {
    node.fail(fmt::format("auto_pad '{}' is unknown", auto_pad));
  }
  return window;
}

/// The padding behind the image that gives the windows of ceil_mode. A last window that would start behind the image
/// and its padding in front is dropped.
std::array<int64_t, 2> overhang_of_ceil_mode(const Window& window, const std::array<int64_t, 2>& extent) {
  std::array<int64_t, 2> overhang = {0, 0};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t stride = window.stride[axis];
    const int64_t padded = extent[axis] + window.pad_begin[axis] + window.pad_end[axis];
    int64_t outputs = (padded - reach(window, axis) + stride - 1) / stride + 1;
    if ((outputs - 1) * stride >= extent[axis] + window.pad_begin[axis]) --outputs;
    overhang[axis] = std::max<int64_t>((outputs - 1) * stride + reach(window, axis) - padded, 0);
  }
  return overhang;
}

ValueId convolution(NodeImport& node, Layout layout) {
  return on_image(node, layout, [&](ValueId image) {
    if (node.rank(1) != node.rank(0)) {
      node.fail(fmt::format("weights {} do not fit the input {}", to_string(node.shape(1)), to_string(node.shape(0))));
    }
    const bool flat = node.rank(1) == 3;
    const ValueId weights = flat ? node.reshape(node.input(1), with_height(node.shape(1), layout)) : node.input(1);
    const std::array<int64_t, 2> kernel = image_extent(node.shape_of(weights), layout);
    const std::vector<int64_t> own = flat ? std::vector{kernel[1]} : std::vector{kernel[0], kernel[1]};
    if (pair(node, "kernel_shape", own) != kernel) node.fail("attribute 'kernel_shape' is not that of the weights");
    op::Convolution op;
    op.layout = layout;
    op.window = read_window(node, kernel, image_extent(node.shape_of(image), layout));
    op.groups = node.integer("group", 1);
    std::vector<ValueId> inputs = {image, weights};
    if (node.has_input(2)) inputs.push_back(node.input(2));
    return node.emit(op, inputs);
  });
}

struct Pool {
  Window window;
  std::array<int64_t, 2> overhang;  // part of the window's padding: what ceil_mode adds
};

Pool read_pool(const NodeImport& node, ValueId image, Layout layout) {
  if (!node.has_attribute("kernel_shape")) node.fail("attribute 'kernel_shape' is missing");
  const std::array<int64_t, 2> extent = image_extent(node.shape_of(image), layout);
  Pool pool = {read_window(node, pair(node, "kernel_shape", {}), extent), {0, 0}};
  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  const bool ceil = node.integer("ceil_mode", 0) != 0 && auto_pad == "NOTSET";
  for (int axis = 0; axis < 2; ++axis) {
    // Only a window that fits can be counted.
    output_extent(pool.window, axis, extent[axis]);
  }
  if (ceil) pool.overhang = overhang_of_ceil_mode(pool.window, extent);
  for (size_t axis = 0; axis < 2; ++axis) pool.window.pad_end[axis] += pool.overhang[axis];
  return pool;
}

ValueId max_pool(NodeImport& node, Layout layout) {
  return on_image(node, layout, [&](ValueId image) {
    return node.emit(op::MaxPool{read_pool(node, image, layout).window, layout}, {image});
  });
}

ValueId average_pool(NodeImport& node) {
  return on_image(node, Layout::ChannelsFirst, [&](ValueId image) {
    op::AveragePool op;
    const auto [window, overhang] = read_pool(node, image, Layout::ChannelsFirst);
    op.window = window;
    op.count_padding = node.integer("count_include_pad", 0) != 0;
    if (op.count_padding && (overhang[0] > 0 || overhang[1] > 0)) {
      // Padding counts, the overhang does not: real zeros for the one, a window's padding for the other.
      const op::Pad pad = {.before = {0, 0, window.pad_begin[0], window.pad_begin[1]},
                           .after = {0, 0, window.pad_end[0] - overhang[0], window.pad_end[1] - overhang[1]}};
      image = node.emit(pad, {image});
      op.count_padding = false;
      for (size_t axis = 0; axis < 2; ++axis) {
        op.window.pad_begin[axis] = 0;
        op.window.pad_end[axis] = overhang[axis];
      }
    }
    return node.emit(op, {image});
  });
}

ValueId global_average_pool(NodeImport& node) {
  return on_image(node, Layout::ChannelsFirst, [&](ValueId image) {
    const Shape shape = node.shape_of(image);
    op::AveragePool op;
    for (size_t axis = 0; axis < 2; ++axis) op.window.kernel[axis] = shape[axis + 2];
    return node.emit(op, {image});
  });
}

ValueId conv(NodeImport& node) { return convolution(node, Layout::ChannelsFirst); }
ValueId conv_channels_last(NodeImport& node) { return convolution(node, Layout::ChannelsLast); }
ValueId max_pool_channels_first(NodeImport& node) { return max_pool(node, Layout::ChannelsFirst); }
ValueId max_pool_channels_last(NodeImport& node) { return max_pool(node, Layout::ChannelsLast); }

ValueId batch_normalization(NodeImport& node, int64_t axis) {
  if (node.integer("training_mode", 0) != 0) node.fail("is in training mode; export the model for inference");
  if (node.integer("spatial", 1) != 1) node.fail("attribute 'spatial' must be 1");
  if (node.rank(0) < 2) node.fail(fmt::format("needs an input of rank 2 or more, not {}", to_string(node.shape(0))));
  const op::BatchNormalization op = {.epsilon = node.real("epsilon", 1e-5F), .axis = static_cast<int>(axis)};
  if (node.is_constant(4)) {
    for (const double variance : node.constant(4, "the variance").data) {
      if (!(variance + op.epsilon > 0)) node.fail("a variance is not positive");
    }
  }
  return node.emit(op, node.inputs());
}

ValueId batch_normalization_channels_first(NodeImport& node) { return batch_normalization(node, 1); }
ValueId batch_normalization_channels_last(NodeImport& node) { return batch_normalization(node, node.rank(0) - 1); }

}  // namespace

std::span<const OperatorImport> window_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"AveragePool", 1, 1, average_pool},
      {"BatchNormalization", 5, 5, batch_normalization_channels_first},
      {"Conv", 2, 3, conv},
      {"GlobalAveragePool", 1, 1, global_average_pool},
      {"MaxPool", 1, 1, max_pool_channels_first, Integers::Moved},
  };
  return kOperators;
}

std::span<const OperatorImport> channels_last_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"BatchNormalization", 5, 5, batch_normalization_channels_last},
      {"Conv", 2, 3, conv_channels_last},
      {"MaxPool", 1, 1, max_pool_channels_last, Integers::Moved},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
