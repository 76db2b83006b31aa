// The forms of epilogues on a tile of 4096 sums, at the host's tier (TIDBIT_ISA caps it), on one thread.
//   epilogue/FORM/CHANNELS[/residual][/bent]; per_64 is the time of 64 codes.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/epilogue/epilogue.h"

namespace {

using namespace tidbit;
using namespace tidbit::kernels;

constexpr int32_t kTileSums = 4096;

/// Each form's parameters for sums of about 17 bits and 8-bit codes (2-bit ones of thresholds).
struct Parameters {
  std::vector<int32_t> steps, fixed_multiplier, fixed_knee;
  std::vector<int64_t> fixed_offset;
  std::vector<uint8_t> shift;
  std::vector<float> multiplier32, offset32, zero32, slope32;
  std::vector<double> multiplier64, offset64, zero64, slope64;

  explicit Parameters(size_t channels)
      : fixed_multiplier(channels, 1 << 30),
        fixed_knee(channels, 0),
        fixed_offset(channels, int64_t{1} << 41),
        shift(channels, 40),
        multiplier32(channels, 0x1p-10F),
        offset32(channels, 2),
        zero32(channels, 0),
        slope32(channels, 0.25F),
        multiplier64(channels, 0x1p-10),
        offset64(channels, 2),
        zero64(channels, 0),
        slope64(channels, 0.25) {
    for (size_t c = 0; c < channels; ++c) steps.insert(steps.end(), {-4000, 1000, 9000});
  }

  Epilogue epilogue(EpilogueForm form, bool bent) const {
    Epilogue e = {.form = form, .per_channel = true, .lowest = 0, .highest = 255};
    const auto set = [&](const auto& multiplier, const auto& offset, const auto& knee, const auto& slope) {
      e.multiplier = multiplier.data();
      e.offset = offset.data();
      if (!bent) return;
      e.knee = knee.data();
      e.slope_below = slope.data();
      e.offset_below = offset.data();
    };
    switch (form) {
      case EpilogueForm::Thresholds:
        e.values = steps.data();
        e.steps = 3;
        break;
      case EpilogueForm::FixedPoint:
        set(fixed_multiplier, fixed_offset, fixed_knee, fixed_multiplier);
        e.shift = e.shift_below = shift.data();
        break;
      case EpilogueForm::Affine32:
        set(multiplier32, offset32, zero32, slope32);
        break;
      case EpilogueForm::Affine64:
      case EpilogueForm::Real:
        set(multiplier64, offset64, zero64, slope64);
        break;
    }
    return e;
  }
};

void run(benchmark::State& state, EpilogueForm form, int32_t channels, bool residual, bool bent) {
  const Parameters parameters(static_cast<size_t>(channels));
  Epilogue epilogue = parameters.epilogue(form, bent);
  epilogue.residual_multiplier = residual ? 0.7 : 0;
  std::vector<int32_t> sums(kTileSums);
  for (int32_t i = 0; i < kTileSums; ++i) sums[i] = i * 7919 % 200'000 - 50'000;
  const std::vector<uint8_t> codes(kTileSums, 7);
  std::vector<uint8_t> out(kTileSums);
  EpilogueBlock<int32_t> block = {.sums = sums.data(),
                                  .sums_stride = channels,
                                  .residual = {},
                                  .out = out.data(),
                                  .out_stride = channels,
                                  .pixels = kTileSums / channels,
                                  .channel_begin = 0,
                                  .channels = channels};
  if (residual) block.residual = {.codes = codes.data(), .reals = nullptr, .stride = channels, .grid = Grid{}};
  for (auto _ : state) {
    apply(epilogue, block);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const double blocks = static_cast<double>(state.iterations()) * kTileSums / 64;
  state.counters["per_64"] = benchmark::Counter(blocks, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_form(const char* name, EpilogueForm form, bool residual, bool bent) {
  for (const int32_t channels : {64, 256}) {
    const std::string of = std::string("epilogue/") + name + "/" + std::to_string(channels) +
                           (residual ? "/residual" : "") + (bent ? "/bent" : "");
    benchmark::RegisterBenchmark(of.c_str(),
                                 [=](benchmark::State& state) { run(state, form, channels, residual, bent); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("tier", std::string(name(host_isa())));
  register_form("thresholds3", EpilogueForm::Thresholds, false, false);
  for (const bool bent : {false, true}) {
    register_form("float32", EpilogueForm::Affine32, false, bent);
    register_form("fixed_point", EpilogueForm::FixedPoint, false, bent);
    register_form("float64", EpilogueForm::Affine64, false, bent);
  }
  register_form("float32", EpilogueForm::Affine32, true, false);
  register_form("float64", EpilogueForm::Affine64, true, false);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
