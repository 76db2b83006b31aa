#include "bench/onednn_convolution.h"

#include <dlfcn.h>

#include <cstdlib>
#include <dnnl.hpp>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/operands.h"
#include "kernels/isa.h"

namespace tidbit::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

memory filled(const memory::desc& desc, const dnnl::engine& engine, int lowest, int levels) {
  memory result(desc, engine);
  std::mt19937 random(2);
  auto* bytes = static_cast<uint8_t*>(result.get_data_handle());
  for (size_t i = 0; i < desc.get_size(); ++i)
    bytes[i] = static_cast<uint8_t>(lowest + static_cast<int>(random() % levels));
  return result;
}

/// Per-channel scales to u8, and a ReLU by the type's own lower bound.
dnnl::primitive_attr requantization(const kernels::ConvolutionShape& shape) {
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(1 << 1, std::vector<float>(static_cast<size_t>(shape.out_channels), 1e-4f));
  return attributes;
}

}  // namespace

struct OneDnnConvolution::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;

  explicit State(const Layer& layer) { layer.fully_connected ? make_inner_product(layer) : make_convolution(layer); }

  template <class Descriptor>
  void make(const Descriptor& descriptor, const memory::desc& plain_weights, int64_t out_channels) {
    arguments = {{DNNL_ARG_SRC, filled(descriptor.src_desc(), engine, 0, 256)},
                 {DNNL_ARG_DST, memory(descriptor.dst_desc(), engine)},
                 {DNNL_ARG_BIAS, memory({{out_channels}, Type::s32, Tag::a}, engine)}};
    memory plain = filled(plain_weights, engine, -128, 256);
    memory weights(descriptor.weights_desc(), engine);
    dnnl::reorder(plain, weights).execute(stream, plain, weights);
    stream.wait();
    arguments.emplace(DNNL_ARG_WEIGHTS, weights);
  }

  void make_convolution(const Layer& layer) {
    const kernels::ConvolutionShape& s = layer.shape;
    const kernels::Window& w = s.window;
    const memory::desc src({1, s.channels, s.height, s.width}, Type::u8, Tag::nhwc);
    const memory::desc dst({1, s.out_channels, s.out_height, s.out_width}, Type::u8, Tag::nhwc);
    const memory::desc bias({s.out_channels}, Type::s32, Tag::a);
    memory::dims dims = {s.out_channels, s.channels, w.kernel_height, w.kernel_width};
    if (layer.depthwise) dims = {s.channels, 1, 1, w.kernel_height, w.kernel_width};
    const memory::desc any(dims, Type::s8, Tag::any), plain(dims, Type::s8, layer.depthwise ? Tag::goihw : Tag::oihw);
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                               src, any, bias, dst, {w.stride_height, w.stride_width},
                                               {w.pad_top, w.pad_left}, {w.pad_bottom, w.pad_right});
    const dnnl::convolution_forward::primitive_desc descriptor(desc, requantization(s), engine);
    primitive = dnnl::convolution_forward(descriptor);
    make(descriptor, plain, s.out_channels);
  }

  void make_inner_product(const Layer& layer) {
    const kernels::ConvolutionShape& s = layer.shape;
    const memory::dims dims = {s.out_channels, s.channels};
    const dnnl::inner_product_forward::desc desc(
        dnnl::prop_kind::forward_inference, memory::desc({s.width, s.channels}, Type::u8, Tag::nc),
        memory::desc(dims, Type::s8, Tag::any), memory::desc({s.out_channels}, Type::s32, Tag::a),
        memory::desc({s.width, s.out_channels}, Type::u8, Tag::nc));
    const dnnl::inner_product_forward::primitive_desc descriptor(desc, requantization(s), engine);
    primitive = dnnl::inner_product_forward(descriptor);
    make(descriptor, memory::desc(dims, Type::s8, Tag::oi), s.out_channels);
  }
};

OneDnnConvolution::OneDnnConvolution(const Layer& layer) : state_(std::make_unique<State>(layer)) {}
OneDnnConvolution::~OneDnnConvolution() = default;

void OneDnnConvolution::run() {
  state_->primitive.execute(state_->stream, state_->arguments);
  state_->stream.wait();
}

std::string OneDnnConvolution::version() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + '.' + std::to_string(version->minor) + '.' + std::to_string(version->patch);
}

void OneDnnConvolution::cap() {
  // The library's thread pool is OpenMP's, which need not be linked here.
  if (auto* set_threads = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set_threads(1);
#if defined(__x86_64__)
  if (std::getenv("ONEDNN_MAX_CPU_ISA") != nullptr) return;  // the library reads it
  constexpr dnnl::cpu_isa kIsas[] = {dnnl::cpu_isa::sse41,
                                     dnnl::cpu_isa::avx2,
                                     dnnl::cpu_isa::avx2_vnni,
                                     dnnl::cpu_isa::avx512_core,
                                     dnnl::cpu_isa::avx512_core_vnni,
                                     dnnl::cpu_isa::avx512_core_amx};
  dnnl::set_max_cpu_isa(kIsas[static_cast<size_t>(kernels::host_isa())]);
#endif
}

std::string OneDnnConvolution::isa() {
  static constexpr std::pair<dnnl::cpu_isa, const char*> kNames[] = {
      {dnnl::cpu_isa::sse41, "SSE41"},
      {dnnl::cpu_isa::avx, "AVX"},
      {dnnl::cpu_isa::avx2, "AVX2"},
      {dnnl::cpu_isa::avx2_vnni, "AVX2_VNNI"},
      {dnnl::cpu_isa::avx512_core, "AVX512_CORE"},
      {dnnl::cpu_isa::avx512_core_vnni, "AVX512_CORE_VNNI"},
      {dnnl::cpu_isa::avx512_core_bf16, "AVX512_CORE_BF16"},
      {dnnl::cpu_isa::avx512_core_amx, "AVX512_CORE_AMX"},
  };
  for (const auto& [isa, isa_name] : kNames) {
    if (isa == dnnl::get_effective_cpu_isa()) return isa_name;
  }
  return "of unknown tier";
}

}  // namespace tidbit::bench
