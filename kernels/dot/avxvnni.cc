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

constexpr GemmKernel kTable[] = {{
    .name = "dot_avxvnni_6x16",
    .family = Family::Dot,
    .isa = Isa::AvxVnni,
    .tile_pixels = Vnni::kPixels,
    .tile_channels = kForm<Vnni>.lanes * kForm<Vnni>.vectors,
    .supports = supports_panels<Vnni>,
    .cost = cost,
    .packed_sizes = packed_panels_sizes<Vnni>,
    .pack_weights = pack_panels_weights<Vnni>,
    .pack_image = pack_panels_image<Vnni, uint8_t>,
    .run = run_panels<Vnni>,
}};

}  // namespace

constinit const std::span<const GemmKernel> kAvxVnni = kTable;

}  // namespace tidbit::kernels::dot
