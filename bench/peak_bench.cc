// The machine's peak for each mix of instructions that kernels are made of: products (of bytes; of bits in bitserial) a
// second, operands in L1.
//   peak/MIX
#include <benchmark/benchmark.h>

#include <string>

#include "bench/peak.h"

int main(int argc, char** argv) {
  using namespace tidbit;
  for (const bench::Mix& mix : bench::mixes()) {
    if (!kernels::host_executes(mix.isa)) continue;
    const std::string name = "peak/" + std::string(mix.name);
    benchmark::RegisterBenchmark(name.c_str(), [&mix](benchmark::State& state) {
      constexpr int kIterations = 1000;
      for (auto _ : state) mix.run(kIterations);
      const double products = mix.products * kIterations * static_cast<double>(state.iterations());
      state.counters["GOPS"] = benchmark::Counter(2e-9 * products, benchmark::Counter::kIsRate);
    });
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
