#include "runtime/ops/window.h"

#include <algorithm>
#include <string>

namespace tidbit::internal {
namespace {

/// One axis of a window.
struct Axis {
  int64_t extent, kernel, stride, dilation, pad_begin, pad_end;

  int64_t reach() const { return (kernel - 1) * dilation + 1; }
  int64_t padded() const { return extent + pad_begin + pad_end; }
  int64_t out_extent() const { return (padded() - reach()) / stride + 1; }

  /// Whether every window has a tap inside the image.
  bool touches() const {
    for (int64_t out = 0; out < out_extent(); ++out) {
      const int64_t begin = out * stride - pad_begin;
      const int64_t first_inside = begin >= 0 ? 0 : (-begin + dilation - 1) / dilation;
      if (first_inside >= kernel || begin + first_inside * dilation >= extent) return false;
    }
    return true;
  }
};

void check(const NodeReader& node, const Axis& axis, const char* name, const char* begin, const char* end) {
  const auto field = [](const char* what, const char* which) { return text("window.", what, which); };
  const auto positive = [&](int64_t value, const char* what) {
    node.require(value >= 1 && value <= INT32_MAX, field(what, name), "is ", value, ", must be 1 to ", INT32_MAX);
  };
  positive(axis.kernel, "kernel_");
  positive(axis.stride, "stride_");
  positive(axis.dilation, "dilation_");
  for (const auto& [pad, which] : {std::pair(axis.pad_begin, begin), std::pair(axis.pad_end, end)}) {
    node.require(pad < axis.reach(), field("pad_", which), "is ", pad, ", must be below the window's reach of ",
                 axis.reach());
  }
  node.require(axis.padded() <= INT32_MAX, field("pad_", begin), "makes the image larger than ", INT32_MAX);
  node.require(axis.reach() <= axis.padded(), field("kernel_", name), "reaches over ", axis.reach(),
               " pixels, the padded image has ", axis.padded());
}

struct Axes {
  Axis height, width;
};

Axes axes(const NodeReader& node, const file::Window* window, int64_t height, int64_t width) {
  Axes result{.height = {height, 1, 1, 1, 0, 0}, .width = {width, 1, 1, 1, 0, 0}};
  if (window != nullptr) {
    result.height = {height,
                     window->kernel_height(),
                     window->stride_height(),
                     window->dilation_height(),
                     window->pad_top(),
                     window->pad_bottom()};
    result.width = {width,
                    window->kernel_width(),
                    window->stride_width(),
                    window->dilation_width(),
                    window->pad_left(),
                    window->pad_right()};
  }
  check(node, result.height, "height", "top", "bottom");
  check(node, result.width, "width", "left", "right");
  node.require(result.height.kernel * result.width.kernel <= INT32_MAX, "window.kernel_height", "is too large");
  return result;
}

/// The kernels count pixels and coordinates in 32 bits, which tensors keep to: validation caps their elements.
int32_t narrow(int64_t value) { return static_cast<int32_t>(value); }

kernels::ConvolutionShape shape(const Axes& a, int64_t channels, int64_t out_channels) {
  const auto& [h, w] = a;
  return {.height = narrow(h.extent),
          .width = narrow(w.extent),
          .channels = narrow(channels),
          .out_height = narrow(h.out_extent()),
          .out_width = narrow(w.out_extent()),
          .out_channels = narrow(out_channels),
          .window = {.kernel_height = narrow(h.kernel),
                     .kernel_width = narrow(w.kernel),
                     .stride_height = narrow(h.stride),
                     .stride_width = narrow(w.stride),
                     .dilation_height = narrow(h.dilation),
                     .dilation_width = narrow(w.dilation),
                     .pad_top = narrow(h.pad_begin),
                     .pad_left = narrow(w.pad_begin),
                     .pad_bottom = narrow(h.pad_end),
                     .pad_right = narrow(w.pad_end)}};
}

void require_outputs(const NodeReader& node, std::span<const int64_t> expected) {
  for (size_t i = 0; i < node.output_count(); ++i)
    node.require_shape(node.output(i), expected, text("outputs[", i, "]"));
}

void require_groups(const NodeReader& node, uint32_t groups, int64_t in_channels, int64_t out_channels) {
  node.require(groups > 0 && in_channels % groups == 0 && out_channels % groups == 0, "groups", "is ", groups,
               ", must divide ", in_channels, " input and ", out_channels, " output channels");
}

}  // namespace

Geometry Geometry::of_batch(size_t batch) const {
  Geometry result = *this;
  if (fully_connected) {
    result.shape.width = result.shape.out_width = narrow(static_cast<int64_t>(batch) * shape.width);
  } else {
    result.images = narrow(static_cast<int64_t>(batch) * images);
  }
  return result;
}

size_t Geometry::largest_batch() const {
  return static_cast<size_t>(INT32_MAX / (fully_connected ? shape.width : images));
}

kernels::ConvolutionShape Geometry::group_shape() const {
  kernels::ConvolutionShape result = shape;
  result.channels /= groups;
  result.out_channels /= groups;
  return result;
}

WeightsShape Geometry::weights_shape() const {
  return {.rows = static_cast<uint64_t>(shape.out_channels),
          .taps = static_cast<uint64_t>(shape.window.taps()),
          .channels = static_cast<uint64_t>(shape.channels / groups)};
}

Geometry linear_geometry(const NodeReader& node, const file::Window* window, uint32_t groups) {
  node.require(node.input_count() >= 1, "inputs", "has no tensor");
  node.require(node.output_count() >= 1, "outputs", "has no tensor");
  const std::vector<int64_t>& in = node.input(0).shape;
  node.require(!in.empty(), "inputs[0]", "is a scalar, must have channels");
  std::vector<int64_t> out = in;
  out.back() = static_cast<int64_t>(channels_of(node.output(0)));

  const bool image = in.size() == 4;
  const Axes a = axes(node, window, image ? in[1] : 1, image ? in[2] : 1);
  if (image) {
    out[1] = a.height.out_extent();
    out[2] = a.width.out_extent();
  }
  require_outputs(node, out);
  require_groups(node, groups, in.back(), out.back());
  const kernels::ConvolutionShape s = shape(a, in.back(), out.back());
  if (s.height == 1 && s.width == 1 && s.window.taps() == 1 && !s.window.padded()) {
    const int32_t rows = narrow(static_cast<int64_t>(node.input(0).elements()) / in.back());
    kernels::ConvolutionShape flat;
    flat.width = flat.out_width = rows;
    flat.channels = s.channels;
    flat.out_channels = s.out_channels;
    return {flat, 1, true, narrow(groups)};
  }
  node.require(image, "window", "slides over a tensor that is no [N,H,W,C]");
  return {s, narrow(in[0]), false, narrow(groups)};
}

Geometry pool_geometry(const NodeReader& node, const file::Window* window) {
  node.require_arity(1, 1);
  const std::vector<int64_t>& in = node.input(0).shape;
  node.require(in.size() == 4, "inputs[0]", "must be [N,H,W,C]");
  const Axes a = axes(node, window, in[1], in[2]);
  require_outputs(node, std::vector<int64_t>{in[0], a.height.out_extent(), a.width.out_extent(), in[3]});
  node.require(a.height.touches(), "window.kernel_height", "has positions without a pixel of the image");
  node.require(a.width.touches(), "window.kernel_width", "has positions without a pixel of the image");
  return {shape(a, in[3], in[3]), narrow(in[0]), false};
}

}  // namespace tidbit::internal
