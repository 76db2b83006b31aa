// 256 bits: PMADDUBSW where sums fit int16, else PMADDWD.
#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/dot/ymm.h"

namespace tidbit::kernels::dot {
namespace {

// Measured on Zen 4, built by g++ 12; on Emerald Rapids they are within a tenth.
double narrow_cost(const GemmProblem& problem) noexcept {
  const double group = 0.65 + 2.5 / fitting_int16(problem, false);
  const PanelCycles cycles = {.group = group, .sums = 8, .unpack = 2, .direct = 1, .byte = 0.06, .pack = 0.06};
  return dot::cost(problem, kForm<Narrow<Ymm>>, cycles);
}

double wide_cost(const GemmProblem& problem) noexcept {
  constexpr PanelCycles kCycles = {.group = 0.68, .sums = 5, .unpack = 1.5, .direct = 0.9, .byte = 0.06, .pack = 0.08};
  return dot::cost(problem, kForm<Wide<Ymm>>, kCycles);
}

template <class Mode, class Value>
constexpr GemmKernel kernel(std::string_view name, double (*cost)(const GemmProblem&) noexcept) {
  return {
      .name = name,
      .family = Family::Dot,
      .isa = Isa::Avx2,
      .tile_pixels = Mode::kPixels,
      .tile_channels = kForm<Mode>.lanes * kForm<Mode>.vectors,
      .supports = supports_panels<Mode>,
      .cost = cost,
      .packed_sizes = packed_panels_sizes<Mode>,
      .pack_weights = pack_panels_weights<Mode>,
      .pack_image = pack_panels_image<Mode, Value>,
      .run = run_panels<Mode>,
  };
}

constexpr GemmKernel kTable[] = {
    kernel<Narrow<Ymm>, uint8_t>("dot_avx2_narrow_6x16", narrow_cost),
    kernel<Wide<Ymm>, int16_t>("dot_avx2_6x16", wide_cost),
};

}  // namespace

constinit const std::span<const GemmKernel> kAvx2 = kTable;

}  // namespace tidbit::kernels::dot
