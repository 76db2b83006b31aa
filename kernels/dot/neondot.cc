// SDOT: four products and their sum for each channel, by lanes of a pixel's sixteen bytes.
#include "kernels/dot/neon_modes.h"
#include "kernels/neon_cycles.h"

namespace tidbit::kernels::dot {
namespace {

struct DotProducts {
  static constexpr int32_t kStep = 4;

  using Sums = int32x4_t;
  static Sums zero_sums() { return vdupq_n_s32(0); }

  template <int32_t G, int32_t P, int32_t V>
  [[gnu::always_inline]] static void add(Sums (&sums)[P][V], const uint8_t* const (&x)[P], ptrdiff_t at,
                                         const uint8_t* w) {
    int8x16_t a[P];
    unroll<0, P>([&](auto p) __attribute__((always_inline)) {
      a[p] = vreinterpretq_s8_u8(G == kStep ? vld1q_u8(x[p] + at) : broadcast_word(x[p] + at));
    });
    unroll<0, G>([&](auto g) __attribute__((always_inline)) {
      int8x16_t b[V];
      unroll<0, V>([&](auto v) __attribute__((always_inline)) { b[v] = load_weights(w + v * 16); });
      w += V * 16;
      unroll<0, P>([&](auto p) __attribute__((always_inline)) {
        if constexpr (p == P / 2) load_after(w, sums[p][0]);
        unroll<0, V>([&](auto v)
                         __attribute__((always_inline)) { sums[p][v] = vdotq_laneq_s32(sums[p][v], b[v], a[p], g); });
        if constexpr (p == (P - 1) / 2) asm("" : "+r"(w), "+w"(sums[p][V - 1]));
      });
    });
  }
  static int32x4_t total(Sums sums) { return sums; }
  static int32_t limit(const GemmProblem&) { return INT32_MAX; }
};

constexpr int32_t kPixels = 4, kVectors = 4;
using Mode = SignedBytes<DotProducts, kPixels, kVectors>;

double cost(const GemmProblem& problem) noexcept {
  const double group = neon_cycles(host_core()).dot;
  return dot::cost(problem, kForm<Mode>,
                   {.group = group, .sums = 2, .unpack = 4, .direct = 3, .byte = 0.25, .pack = 0.25});
}

constexpr GemmKernel kTable[] = {{
    .name = "dot_neondot_4x16",
    .family = Family::Dot,
    .isa = Isa::NeonDot,
    .tile_pixels = kPixels,
    .tile_channels = Mode::kLanes * kVectors,
    .supports = supports_panels<Mode>,
    .cost = cost,
    .packed_sizes = packed_panels_sizes<Mode>,
    .pack_weights = pack_panels_weights<Mode>,
    .pack_image = pack_panels_image<Mode, uint8_t>,
    .run = run_panels<Mode>,
}};

}  // namespace

constinit const std::span<const GemmKernel> kNeonDot = kTable;

}  // namespace tidbit::kernels::dot
