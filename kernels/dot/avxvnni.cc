// VPDPBUSD, 256 bits.
#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/dot/ymm.h"

namespace tidbit::kernels::dot {
namespace {

struct Vnni : Bytes<Ymm> {
  static constexpr bool kNarrow = false;
  static Vec mac(Vec sums, Vec a, Vec b) { return _mm256_dpbusd_avx_epi32(sums, a, b); }
  static Vec widen(Vec sums) { return sums; }
};

// Measured on Emerald Rapids, built by g++ 12.
double cost(const GemmProblem& problem) noexcept {
  constexpr PanelCycles kCycles = {.group = 0.52, .sums = 4, .unpack = 2, .direct = 1, .byte = 0.06, .pack = 0.06};
  return dot::cost(problem, kForm<Vnni>, kCycles);
}

constexpr GemmKernel kTable[] = {panel_kernel<Vnni>("dot_avxvnni_6x16", Isa::AvxVnni, cost)};

}  // namespace

constinit const std::span<const GemmKernel> kAvxVnni = kTable;

}  // namespace tidbit::kernels::dot
