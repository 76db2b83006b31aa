// Runs one layer some times, for tools that count what it executes (bench/arm_model):
//   run_layer LAYER WEIGHT_BITS ACTIVATION_BITS                 lists the kernels that can run it, cheapest first
//   run_layer LAYER WEIGHT_BITS ACTIVATION_BITS KERNEL TIMES
// KERNEL is a GEMM kernel's name, "chosen" for the one that the runtime takes, or "xnnpack" for XNNPACK's qc8 (whatever
// the bits). Prints the kernel's name and the layer's multiply-accumulates; for XNNPACK, where its library is loaded.
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "bench/layer_operator.h"
#include "bench/layers.h"
#include "kernels/gemm.h"
#ifdef TIDBIT_HAVE_XNNPACK
#include <dlfcn.h>
#include <xnnpack.h>

#include "bench/xnnpack_convolution.h"
#endif

namespace {

using namespace tidbit;
using bench::Layer;

[[noreturn]] void fail(const char* what, std::string_view name) {
  std::fprintf(stderr, "run_layer: %s '%.*s'\n", what, static_cast<int>(name.size()), name.data());
  std::exit(2);
}

int32_t number(const char* text, int32_t most) {
  char* end = nullptr;
  const int64_t value = std::strtol(text, &end, 10);
  if (*end != '\0' || value < 1 || value > most) fail("not a number in its range:", text);
  return static_cast<int32_t>(value);
}

const Layer& layer_named(std::string_view name) {
  for (const Layer& layer : bench::kLayers) {
    if (layer.name == name && !layer.depthwise) return layer;
  }
  fail("no such layer (bench/layers.h):", name);
}

const kernels::GemmKernel& kernel_named(std::string_view name, const kernels::GemmProblem& problem) {
  if (name == "chosen") return *select_gemm_kernel(problem, kernels::host_isa());
  for (const kernels::GemmKernel* kernel : usable_gemm_kernels(problem, kernels::host_isa())) {
    if (kernel->name == name) return *kernel;
  }
  fail("no such kernel for the layer on this machine:", name);
}

void run_xnnpack([[maybe_unused]] const Layer& layer, [[maybe_unused]] int32_t times) {
#ifdef TIDBIT_HAVE_XNNPACK
  bench::XnnpackConvolution convolution(layer, bench::XnnpackType::Qc8);
  for (int32_t i = 0; i < times; ++i) convolution.run();
  Dl_info library;
  dladdr(reinterpret_cast<const void*>(&xnn_initialize), &library);
  std::printf("xnnpack %.0f %p\n", bench::macs(layer), library.dli_fbase);
#else
  fail("built without", "xnnpack");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) {
    std::fputs("usage: run_layer LAYER WEIGHT_BITS ACTIVATION_BITS [KERNEL TIMES]\n", stderr);
    return 2;
  }
  const Layer& layer = layer_named(argv[1]);
  const int32_t weight_bits = number(argv[2], 8), activation_bits = number(argv[3], 8);
  const kernels::GemmProblem problem = {
      layer.shape, {.bits = weight_bits, .base = -(1 << (weight_bits - 1))}, {.bits = activation_bits}};
  if (argc == 4) {
    for (const kernels::GemmKernel* kernel : usable_gemm_kernels(problem, kernels::host_isa())) {
      std::printf("%.*s\n", static_cast<int>(kernel->name.size()), kernel->name.data());
    }
    return 0;
  }
  const int32_t times = number(argv[5], 1000);
  if (std::string_view(argv[4]) == "xnnpack") {
    run_xnnpack(layer, times);
    return 0;
  }
  const kernels::GemmKernel& kernel = kernel_named(argv[4], problem);
  bench::ConvolutionOperator convolution(kernel, problem);
  for (int32_t i = 0; i < times; ++i) convolution.run();
  std::printf("%.*s %.0f\n", static_cast<int>(kernel.name.size()), kernel.name.data(), bench::macs(layer));
  return 0;
}
