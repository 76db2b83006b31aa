// Whole layers on one thread, byte codes in to byte codes out (packing, multiplying, epilogue), beside int8 and float
// libraries' in the same run:
//   conv/LAYER/wWaA/KERNEL      each kernel that the host can run; two's complement weights, unsigned activations
//   conv/LAYER/wWaA/chosen      the one that the runtime takes
//   conv/LAYER/u8s8/onednn, conv/LAYER/qc8/xnnpack, conv/LAYER/f32/xnnpack
//   conv/LAYER/f32/KERNEL       ours in float32
// Counters: GOPS (a multiply-accumulate is two operations), bytes of packed weights and codes a second, and `of_peak`,
// the share of what the kernel's innermost instructions could do (bench/peak.h). bench/ratios.py makes a table.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "bench/layer_operator.h"
#include "bench/layers.h"
#include "bench/peak.h"
#include "kernels/gemm.h"
#ifdef TIDBIT_HAVE_ONEDNN
#include "bench/onednn_convolution.h"
#endif
#ifdef TIDBIT_HAVE_XNNPACK
#include "bench/xnnpack_convolution.h"
#endif

namespace {

using namespace tidbit;
using namespace tidbit::kernels;
using bench::Layer;

constexpr int32_t kBits[][2] = {{1, 1}, {1, 2}, {2, 2}, {3, 3}, {4, 4}, {2, 8}, {4, 8}, {8, 8}};

Grid weights_of(int32_t bits) { return {.bits = bits, .base = -(1 << (bits - 1))}; }

void count(benchmark::State& state, const Layer& layer) {
  const double operations = 2e-9 * bench::macs(layer) * static_cast<double>(state.iterations());
  state.counters["GOPS"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
}

/// Registers a benchmark whose operator is made when it first runs, and then kept: repetitions find it warm.
template <class Operator, class Make>
void add(const std::string& name, const Layer& layer, const Make& make,
         const std::function<void(benchmark::State&, Operator&)>& count_more) {
  auto made = std::make_shared<std::unique_ptr<Operator>>();
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (*made == nullptr) *made = make();
    for (auto _ : state) {
      (*made)->run();
      benchmark::ClobberMemory();
    }
    count(state, layer);
    count_more(state, **made);
  });
}

void count_bytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * static_cast<int64_t>(state.iterations()));
}

void add_kernel(const std::string& name, const Layer& layer, const GemmKernel& kernel, const GemmProblem& problem) {
  using Operator = bench::ConvolutionOperator;
  add<Operator>(
      name, layer, [&kernel, problem] { return std::make_unique<Operator>(kernel, problem); },
      [&kernel, problem, layer](benchmark::State& state, const Operator& convolution) {
        count_bytes(state, convolution.bytes());
        const double peak = bench::peak_macs(kernel, problem);
        if (peak == 0) return;
        const double share = bench::macs(layer) * static_cast<double>(state.iterations()) / peak;
        state.counters["of_peak"] = benchmark::Counter(share, benchmark::Counter::kIsRate);
      });
}

void add_depthwise(const std::string& prefix, const Layer& layer, int32_t weight_bits, int32_t activation_bits) {
  using Operator = bench::DepthwiseOperator;
  const DepthwiseProblem problem = {layer.shape, weights_of(weight_bits), {.bits = activation_bits}};
  for (const std::string_view name : {"depthwise", "chosen"}) {
    add<Operator>(
        prefix + std::string(name), layer, [problem] { return std::make_unique<Operator>(problem); },
        [](benchmark::State& state, const Operator& convolution) { count_bytes(state, convolution.bytes()); });
  }
}

void add_layer(const Layer& layer, int32_t weight_bits, int32_t activation_bits) {
  const std::string prefix = "conv/" + std::string(layer.name) + "/w" + std::to_string(weight_bits) + "a" +
                             std::to_string(activation_bits) + "/";
  if (layer.depthwise) return add_depthwise(prefix, layer, weight_bits, activation_bits);
  const GemmProblem problem = {layer.shape, weights_of(weight_bits), {.bits = activation_bits}};
  for (const GemmKernel* kernel : gemm_kernels()) {
    if (!host_executes(kernel->isa) || !kernel->supports(problem)) continue;
    add_kernel(prefix + std::string(kernel->name), layer, *kernel, problem);
  }
  const GemmKernel* chosen = select_gemm_kernel(problem, host_isa());
  add_kernel(prefix + "chosen", layer, *chosen, problem);
  benchmark::AddCustomContext(prefix + "chosen", std::string(chosen->name));
}

/// In float32: each kernel that the host can run.
void add_float32(const Layer& layer) {
  if (layer.depthwise) return;
  using Operator = bench::Float32Operator;
  const Float32Kernel* last = nullptr;
  for (Isa isa = Isa::Scalar; isa <= host_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1)) {
    const Float32Kernel* const kernel = float32_kernel(isa);
    if (kernel == nullptr || kernel == last) continue;
    last = kernel;
    add<Operator>(
        "conv/" + std::string(layer.name) + "/f32/" + std::string(kernel->name), layer,
        [kernel, layer] { return std::make_unique<Operator>(*kernel, layer.shape); },
        [](benchmark::State& state, const Operator& convolution) { count_bytes(state, convolution.bytes()); });
  }
}

template <class Operator, class... Arguments>
void add_baseline(const Layer& layer, const std::string& name, Arguments... arguments) {
  add<Operator>(
      "conv/" + std::string(layer.name) + name, layer,
      [layer, arguments...] { return std::make_unique<Operator>(layer, arguments...); },
      [](benchmark::State&, const Operator&) {});
}

void add_baselines([[maybe_unused]] const Layer& layer) {
#ifdef TIDBIT_HAVE_ONEDNN
  add_baseline<bench::OneDnnConvolution>(layer, "/u8s8/onednn");
#endif
#ifdef TIDBIT_HAVE_XNNPACK
  add_baseline<bench::XnnpackConvolution>(layer, "/qc8/xnnpack", bench::XnnpackType::Qc8);
  add_baseline<bench::XnnpackConvolution>(layer, "/f32/xnnpack", bench::XnnpackType::F32);
#endif
}

void add_context() {
  benchmark::AddCustomContext("isa", std::string(name(host_isa())));
#if defined(__clang__)
  benchmark::AddCustomContext("compiler", "clang " __clang_version__);
#else
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
#ifdef TIDBIT_HAVE_ONEDNN
  bench::OneDnnConvolution::cap();
  benchmark::AddCustomContext("onednn", bench::OneDnnConvolution::version() + ' ' + bench::OneDnnConvolution::isa());
#endif
#ifdef TIDBIT_HAVE_XNNPACK
  benchmark::AddCustomContext("xnnpack", TIDBIT_XNNPACK_VERSION);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  add_context();
  for (const Layer& layer : bench::kLayers) {
    add_baselines(layer);
    add_float32(layer);
    for (const auto& [weight_bits, activation_bits] : kBits) add_layer(layer, weight_bits, activation_bits);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
