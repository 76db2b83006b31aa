// Every GEMM kernel the host can run, layer by layer: packing the image and the whole convolution, on one thread.
//   gemm/LAYER/wWaA/KERNEL, two's complement weights of W bits and unsigned activations of A bits; GOPS counts a
//   multiply-accumulate as two.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/layers.h"
#include "bench/operands.h"
#include "kernels/gemm.h"

namespace {

using namespace tidbit;
using namespace tidbit::kernels;

/// A block of pixels whose sums, for all channels, stay in L1.
int32_t pixels_of_a_block(const GemmKernel& kernel, int32_t channels) {
  const int32_t fitting = std::max(1, 4096 / channels);
  return std::max(1, fitting / kernel.tile_pixels) * kernel.tile_pixels;
}

void run_layer(benchmark::State& state, const GemmKernel& kernel, const GemmProblem& problem) {
  const ConvolutionShape& shape = problem.shape;
  const auto weight_codes =
      bench::random_codes(static_cast<size_t>(shape.depth()) * shape.out_channels, problem.weights);
  const auto codes =
      bench::random_codes(static_cast<size_t>(shape.height) * shape.width * shape.channels, problem.activations);
  const PackedSizes sizes = kernel.packed_sizes(problem);
  bench::Buffer weights(sizes.weights), image(sizes.image);
  kernel.pack_weights(problem, weight_codes.data(), 0, shape.out_channels, weights.data());

  const auto pixels = static_cast<int32_t>(shape.pixels());
  const int32_t block = pixels_of_a_block(kernel, shape.out_channels);
  std::vector<int32_t> sums(static_cast<size_t>(block) * shape.out_channels);
  for (auto _ : state) {
    kernel.pack_image(problem, codes.data(), shape.channels, 0, shape.covered_height(), image.data());
    for (int32_t pixel = 0; pixel < pixels; pixel += block) {
      kernel.run({.problem = &problem,
                  .weights = weights.data(),
                  .image = sizes.image == 0 ? reinterpret_cast<const std::byte*>(codes.data()) : image.data(),
                  .pixel_begin = pixel,
                  .pixel_count = std::min(block, pixels - pixel),
                  .channel_begin = 0,
                  .channel_count = shape.out_channels,
                  .sums = sums.data(),
                  .sums_stride = shape.out_channels,
                  .pixel_stride = shape.channels});
      benchmark::DoNotOptimize(sums.data());
      benchmark::ClobberMemory();
    }
  }
  const double operations = 2e-9 * static_cast<double>(shape.macs()) * static_cast<double>(state.iterations());
  state.counters["GOPS"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
}

void register_layer(const bench::Layer& layer, int32_t weight_bits, int32_t activation_bits) {
  const GemmProblem problem = {.shape = layer.shape,
                               .weights = {.bits = weight_bits, .base = -(1 << (weight_bits - 1))},
                               .activations = {.bits = activation_bits}};
  const std::string bits =
      std::string("/w").append(std::to_string(weight_bits)) + "a" + std::to_string(activation_bits);
  for (const GemmKernel* kernel : gemm_kernels()) {
    if (!host_executes(kernel->isa) || !kernel->supports(problem)) continue;
    const std::string name = "gemm/" + std::string(layer.name) + bits + "/" + std::string(kernel->name);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run_layer(state, *kernel, problem); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int32_t kBits[][2] = {{1, 1}, {1, 2}, {2, 2}, {3, 3}, {4, 4}, {8, 8}};
  for (const bench::Layer& layer : bench::kLayers) {
    if (layer.depthwise) continue;
    for (const auto& [weight_bits, activation_bits] : kBits) register_layer(layer, weight_bits, activation_bits);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
