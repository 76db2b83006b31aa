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

constexpr GemmKernel kTable[] = {
    panel_kernel<Narrow<Ymm>>("dot_avx2_narrow_6x16", Isa::Avx2, narrow_cost),
    panel_kernel<Wide<Ymm>>("dot_avx2_6x16", Isa::Avx2, wide_cost),
};

}  // namespace

constinit const std::span<const GemmKernel> kAvx2 = kTable;

}  // namespace tidbit::kernels::dot
