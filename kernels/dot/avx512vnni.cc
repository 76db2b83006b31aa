// VPDPBUSD, 512 bits.
#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/dot/zmm.h"

namespace tidbit::kernels::dot {
namespace {

struct Vnni : Bytes<Zmm> {
  static constexpr bool kNarrow = false;
  static Vec mac(Vec sums, Vec a, Vec b) { return _mm512_dpbusd_epi32(sums, a, b); }
  static Vec widen(Vec sums) { return sums; }
};

// Measured on Zen 4 and Emerald Rapids, built by g++ 12.
double cost(const GemmProblem& problem) noexcept {
  const bool cove = host_core() == Core::Cove;
  // A lone vector of channels takes a broadcast for each multiply.
  const double cove_group = problem.shape.out_channels > Vnni::kLanes ? 0.5 : 0.62;
  const PanelCycles cycles = {.group = cove ? cove_group : 1,
                              .sums = cove ? 3.5 : 9.0,
                              .unpack = 4.5,
                              .direct = 1,
                              .byte = 0.055,
                              .pack = 0.09};
  return dot::cost(problem, kForm<Vnni>, cycles);
}

constexpr GemmKernel kTable[] = {panel_kernel<Vnni>("dot_avx512vnni_14x32", Isa::Avx512Vnni, cost)};

}  // namespace

constinit const std::span<const GemmKernel> kAvx512Vnni = kTable;

}  // namespace tidbit::kernels::dot
