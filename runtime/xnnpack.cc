#include "runtime/xnnpack.h"

#include <xnnpack.h>

#include <algorithm>
#include <array>
#include <limits>

#include "runtime/failure.h"
#include "runtime/sizes.h"

namespace tidbit::internal {
namespace {

static_assert(RealNumbers::kReadBeyond >= XNN_EXTRA_BYTES);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
/// XNNPACK keeps a pointer for each tap of each output pixel. Layers that would take more of them run on our kernels.
constexpr uint64_t kMostPointerBytes = uint64_t{256} << 20;
/// Output channels that its kernels compute at a time, at most.
constexpr uint64_t kPanelChannels = 16;

using Shape = std::vector<size_t>;

size_t size(int64_t extent) { return static_cast<size_t>(extent); }
uint32_t narrow(int32_t value) { return static_cast<uint32_t>(value); }

bool is_initialized() {
  static const bool initialized = xnn_initialize(nullptr) == xnn_status_success;
  return initialized;
}

// --- Which operators it has. Its checks, as far as ours do not imply them.

bool few_pointers(const Geometry& geometry) {
  const kernels::ConvolutionShape& s = geometry.shape;
  return product({size(s.pixels()), size(s.window.taps()), sizeof(void*)}) <= kMostPointerBytes;
}

bool runs(const ConvolutionForm& form) {
  return form.lowest < form.highest && (form.geometry.shape.window.taps() == 1 || few_pointers(form.geometry));
}

bool is_global(const kernels::ConvolutionShape& s) {
  return !s.window.padded() && s.window.kernel_height == s.height && s.window.kernel_width == s.width;
}

bool runs(const AveragePoolForm& form) {
  const kernels::Window& w = form.geometry.shape.window;
  return w.dilation_height == 1 && w.dilation_width == 1 && w.stride_height <= w.kernel_height &&
         w.stride_width <= w.kernel_width && w.taps() > 1 && few_pointers(form.geometry);
}

bool same_shapes(const BinaryForm& form) { return form.a == form.out && form.b == form.out; }

bool runs(const BinaryForm& form) { return same_shapes(form) || form.out.size() + 1 <= XNN_MAX_TENSOR_DIMS; }
bool runs(const SoftmaxForm&) { return true; }
bool runs(const ClampForm& form) { return form.lowest < form.highest; }
bool runs(const SigmoidForm&) { return true; }
bool runs(const LeakyReluForm&) { return true; }

// --- Nodes.

/// Throws for calls that failed.
struct Check {
  const std::string& node;

  void operator()(xnn_status status) const {
    if (status == xnn_status_success) return;
    if (status == xnn_status_out_of_memory) throw std::bad_alloc();
    throw Failure{StatusCode::InvalidArgument, text("LoadOptions::xnnpack: XNNPACK refuses ", node, " with status ",
                                                    static_cast<int>(status), "; load the model without it")};
  }
};

/// A handle of XNNPACK's that is deleted with this.
template <class Handle, xnn_status (*Delete)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (handle != nullptr) Delete(handle);
  }
  Handle handle = nullptr;
};

class XnnpackNode final : public BoundNode {
 public:
  void run() noexcept override { xnn_invoke_runtime(runtime.handle); }

  Owned<xnn_runtime_t, xnn_delete_runtime> runtime;
};

/// Defines a node as a subgraph. Values 0 and on are the node's tensors: its inputs, then its output.
class Definition {
 public:
  explicit Definition(const Binding& binding) : binding_(binding), check_{binding.node} {
    check_(xnn_create_subgraph(static_cast<uint32_t>(binding.inputs.size() + 1), 0, &subgraph_.handle));
  }

  std::unique_ptr<BoundNode> finish() {
    auto node = std::make_unique<XnnpackNode>();
    check_(xnn_create_runtime_v2(subgraph_.handle, static_cast<pthreadpool_t>(binding_.pool),
                                 binding_.last ? XNN_FLAG_YIELD_WORKERS : 0, &node->runtime.handle));
    std::vector<xnn_external_value> values;
    for (uint32_t i = 0; i < binding_.inputs.size(); ++i) values.push_back({i, binding_.inputs[i]});
    values.push_back({output_id(), binding_.output});
    check_(xnn_setup_runtime(node->runtime.handle, values.size(), values.data()));
    return node;
  }

  void define(const ConvolutionForm& form) {
    const Geometry geometry = form.geometry.of_batch(binding_.batch);
    const kernels::ConvolutionShape &s = geometry.shape, group = geometry.group_shape();
    const kernels::Window& w = s.window;
    const size_t channels = size(s.channels), out_channels = size(s.out_channels), images = size(geometry.images);
    if (geometry.fully_connected && geometry.groups == 1) {
      const uint32_t in = input(0, {size(s.width), channels}), out = output({size(s.width), out_channels});
      check_(xnn_define_fully_connected(subgraph_.handle, form.lowest, form.highest, in,
                                        constant({out_channels, channels}, form.filter()),
                                        constant({out_channels}, form.bias.span()), out, 0));
      return;
    }
    const uint32_t in = input(0, {images, size(s.height), size(s.width), channels});
    const uint32_t out = output({images, size(s.out_height), size(s.out_width), out_channels});
    const uint32_t filter =
        constant({out_channels, size(w.kernel_height), size(w.kernel_width), size(group.channels)}, form.filter());
    check_(xnn_define_convolution_2d(subgraph_.handle, narrow(w.pad_top), narrow(w.pad_right), narrow(w.pad_bottom),
                                     narrow(w.pad_left), narrow(w.kernel_height), narrow(w.kernel_width),
                                     narrow(w.stride_height), narrow(w.stride_width), narrow(w.dilation_height),
                                     narrow(w.dilation_width), narrow(geometry.groups), size(group.channels),
                                     size(group.out_channels), form.lowest, form.highest, in, filter,
                                     constant({out_channels}, form.bias.span()), out, 0));
  }

  void define(const AveragePoolForm& form) {
    const Geometry geometry = form.geometry.of_batch(binding_.batch);
    const kernels::ConvolutionShape& s = geometry.shape;
    const kernels::Window& w = s.window;
    const size_t images = size(geometry.images), channels = size(s.channels);
    const uint32_t in = input(0, {images, size(s.height), size(s.width), channels});
    const uint32_t out = output({images, size(s.out_height), size(s.out_width), channels});
    if (is_global(s)) {
      check_(xnn_define_global_average_pooling_2d(subgraph_.handle, -kInfinity, kInfinity, in, out, 0));
      return;
    }
    check_(xnn_define_average_pooling_2d(subgraph_.handle, narrow(w.pad_top), narrow(w.pad_right), narrow(w.pad_bottom),
                                         narrow(w.pad_left), narrow(w.kernel_height), narrow(w.kernel_width),
                                         narrow(w.stride_height), narrow(w.stride_width), -kInfinity, kInfinity, in,
                                         out, 0));
  }

  void define(const BinaryForm& form) {
    const uint32_t a = input(0, batched(form, form.a)), b = input(1, batched(form, form.b));
    const uint32_t out = output(batched(form, form.out));
    switch (form.function) {
      case file::BinaryFunction::Add:
        return check_(xnn_define_add2(subgraph_.handle, -kInfinity, kInfinity, a, b, out, 0));
      case file::BinaryFunction::Sub:
        return check_(xnn_define_subtract(subgraph_.handle, -kInfinity, kInfinity, a, b, out, 0));
      case file::BinaryFunction::Mul:
        return check_(xnn_define_multiply2(subgraph_.handle, -kInfinity, kInfinity, a, b, out, 0));
      case file::BinaryFunction::Div:
        return check_(xnn_define_divide(subgraph_.handle, -kInfinity, kInfinity, a, b, out, 0));
    }
  }

  void define(const SoftmaxForm& form) {
    const Shape shape{binding_.batch * form.rows, form.channels};
    const uint32_t in = input(0, shape), out = output(shape);
    check_(xnn_define_softmax(subgraph_.handle, in, out, 0));
  }

  void define(const ClampForm& form) {
    const auto [in, out] = flat(form.elements);
    check_(xnn_define_clamp(subgraph_.handle, form.lowest, form.highest, in, out, 0));
  }

  void define(const SigmoidForm& form) {
    const auto [in, out] = flat(form.elements);
    check_(xnn_define_sigmoid(subgraph_.handle, in, out, 0));
  }

  void define(const LeakyReluForm& form) {
    const std::span<const float> slopes = form.slopes.span();
    if (slopes.size() == 1) {
      const auto [in, out] = flat(form.rows * form.channels);
      check_(xnn_define_leaky_relu(subgraph_.handle, slopes[0], in, out, 0));
      return;
    }
    const Shape shape{1, 1, binding_.batch * form.rows, form.channels};
    const uint32_t in = input(0, shape), out = output(shape);
    check_(xnn_define_prelu(subgraph_.handle, in, constant({form.channels}, slopes), out, 0));
  }

 private:
  uint32_t output_id() const { return static_cast<uint32_t>(binding_.inputs.size()); }

  uint32_t input(uint32_t index, const Shape& shape) {
    return value(shape, nullptr, index, XNN_VALUE_FLAG_EXTERNAL_INPUT);
  }
  uint32_t output(const Shape& shape) { return value(shape, nullptr, output_id(), XNN_VALUE_FLAG_EXTERNAL_OUTPUT); }
  uint32_t constant(const Shape& shape, std::span<const float> values) {
    return value(shape, values.data(), XNN_INVALID_VALUE_ID, 0);
  }

  uint32_t value(const Shape& shape, const float* data, uint32_t id, uint32_t flags) {
    uint32_t result = XNN_INVALID_VALUE_ID;
    check_(xnn_define_tensor_value(subgraph_.handle, xnn_datatype_fp32, shape.size(), shape.data(), data, id, flags,
                                   &result));
    return result;
  }

  /// Input and output as one row.
  std::array<uint32_t, 2> flat(size_t elements) {
    const Shape shape{binding_.batch * elements};
    return {input(0, shape), output(shape)};
  }

  /// The shape of all samples: as one row where nothing repeats, else with the output's axes.
  Shape batched(const BinaryForm& form, std::span<const int64_t> shape) const {
    Shape result{binding_.batch};
    if (same_shapes(form)) {
      for (const int64_t extent : shape) result[0] *= size(extent);
      return result;
    }
    result.resize(1 + form.out.size() - shape.size(), 1);
    for (const int64_t extent : shape) result.push_back(size(extent));
    return result;
  }

  const Binding& binding_;
  Check check_;
  Owned<xnn_subgraph_t, xnn_delete_subgraph> subgraph_;
};

}  // namespace

bool xnnpack_runs(const RealForm& form) {
  return is_initialized() && std::visit([](const auto& op) { return runs(op); }, form.op);
}

uint64_t xnnpack_packed_bytes(const RealForm& form) {
  const auto* const convolution = std::get_if<ConvolutionForm>(&form.op);
  if (convolution == nullptr) return 0;
  const Geometry& geometry = convolution->geometry;
  const kernels::ConvolutionShape group = geometry.group_shape();
  const uint64_t with_bias = size(group.depth()) + 1;
  const bool depthwise = group.channels == 1 && group.out_channels == 1;
  const uint64_t panels =
      depthwise ? round_up(narrow(geometry.groups), kPanelChannels)
                : product({narrow(geometry.groups), round_up(narrow(group.out_channels), kPanelChannels)});
  return product({panels, with_bias, sizeof(float)});
}

std::unique_ptr<BoundNode> bind_to_xnnpack(const RealForm& form, const Binding& binding) {
  Definition definition(binding);
  std::visit([&](const auto& op) { definition.define(op); }, form.op);
  return definition.finish();
}

}  // namespace tidbit::internal
