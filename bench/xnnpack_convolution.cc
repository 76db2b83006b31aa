#include "bench/xnnpack_convolution.h"

#include <xnnpack.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "bench/operands.h"

namespace tidbit::bench {
namespace {

void require(xnn_status status) {
  if (status != xnn_status_success) throw std::runtime_error("XNNPACK fails with status " + std::to_string(status));
}

template <class T>
std::vector<T> random_values(size_t count) {
  std::mt19937 random(3);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<int32_t>(random() % 255) - 127);
  return values;
}

}  // namespace

struct XnnpackConvolution::State {
  xnn_operator_t op = nullptr;
  std::vector<int8_t> codes, out_codes;
  std::vector<float> reals, out_reals;

  State(const Layer& layer, XnnpackType type) {
    require(xnn_initialize(nullptr));
    type == XnnpackType::Qc8 ? make_qc8(layer) : make_f32(layer);
  }
  ~State() { xnn_delete_operator(op); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // The library may read some bytes past the end of an input.
  static size_t room(size_t elements) { return elements + XNN_EXTRA_BYTES; }

  void make_qc8(const Layer& layer) {
    const kernels::ConvolutionShape& s = layer.shape;
    const kernels::Window& w = s.window;
    const size_t groups = layer.depthwise ? static_cast<size_t>(s.channels) : 1,
                 per_group = groups > 1 ? 1 : s.channels;
    const auto out_channels = static_cast<size_t>(s.out_channels);
    codes = random_values<int8_t>(room(in_elements(s)));
    out_codes.resize(room(out_elements(s)));
    const auto kernel = random_values<int8_t>(out_channels * w.taps() * per_group);
    const std::vector<float> scales(out_channels, 1e-3f);
    const std::vector<int32_t> bias(out_channels);
    require(xnn_create_convolution2d_nhwc_qc8(
        w.pad_top, w.pad_right, w.pad_bottom, w.pad_left, w.kernel_height, w.kernel_width, w.stride_height,
        w.stride_width, 1, 1, static_cast<uint32_t>(groups), per_group, out_channels / groups, s.channels, out_channels,
        0, 1.0f, scales.data(), kernel.data(), bias.data(), 0, 1.0f, -128, 127, 0, &op));
    require(xnn_setup_convolution2d_nhwc_qc8(op, 1, s.height, s.width, codes.data(), out_codes.data(), nullptr));
  }

  void make_f32(const Layer& layer) {
    const kernels::ConvolutionShape& s = layer.shape;
    const kernels::Window& w = s.window;
    const size_t groups = layer.depthwise ? static_cast<size_t>(s.channels) : 1,
                 per_group = groups > 1 ? 1 : s.channels;
    const auto out_channels = static_cast<size_t>(s.out_channels);
    reals = random_values<float>(room(in_elements(s)));
    out_reals.resize(room(out_elements(s)));
    const auto kernel = random_values<float>(out_channels * w.taps() * per_group);
    const std::vector<float> bias(out_channels);
    require(xnn_create_convolution2d_nhwc_f32(w.pad_top, w.pad_right, w.pad_bottom, w.pad_left, w.kernel_height,
                                              w.kernel_width, w.stride_height, w.stride_width, 1, 1,
                                              static_cast<uint32_t>(groups), per_group, out_channels / groups,
                                              s.channels, out_channels, kernel.data(), bias.data(), 0, 1e30f, 0, &op));
    require(xnn_setup_convolution2d_nhwc_f32(op, 1, s.height, s.width, reals.data(), out_reals.data(), nullptr));
  }
};

XnnpackConvolution::XnnpackConvolution(const Layer& layer, XnnpackType type)
    : state_(std::make_unique<State>(layer, type)) {}
XnnpackConvolution::~XnnpackConvolution() = default;

void XnnpackConvolution::run() { require(xnn_run_operator(state_->op, nullptr)); }

}  // namespace tidbit::bench
