// 512 bits without VNNI: PMADDUBSW where sums fit int16, else PMADDWD.
#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/dot/zmm.h"

namespace tidbit::kernels::dot {
namespace {

// Measured on Zen 4, built by g++ 12; on Emerald Rapids they are within a tenth.
double narrow_cost(const GemmProblem& problem) noexcept {
  const double group = 1.16 + 4.0 / fitting_int16(problem, false);
  const PanelCycles cycles = {.group = group, .sums = 9, .unpack = 4.5, .direct = 0.9, .byte = 0.06, .pack = 0.08};
  return dot::cost(problem, kForm<Narrow<Zmm>>, cycles);
}

double wide_cost(const GemmProblem& problem) noexcept {
  constexpr PanelCycles kCycles = {.group = 1.2, .sums = 9, .unpack = 3, .direct = 1, .byte = 0.06, .pack = 0.06};
  return dot::cost(problem, kForm<Wide<Zmm>>, kCycles);
}

constexpr GemmKernel kTable[] = {
    panel_kernel<Narrow<Zmm>>("dot_avx512_narrow_14x32", Isa::Avx512, narrow_cost),
    panel_kernel<Wide<Zmm>>("dot_avx512_14x32", Isa::Avx512, wide_cost),
};

}  // namespace

constinit const std::span<const GemmKernel> kAvx512 = kTable;

}  // namespace tidbit::kernels::dot
