// SDOT: four products and their sum for each channel, by lanes of a pixel's sixteen bytes.
#include "kernels/dot/neon_modes.h"

namespace tidbit::kernels::dot {
namespace {

struct DotProducts : SignedProducts {
  static constexpr int32_t kStep = 4;
  static constexpr bool kLimited = false;

  using Sums = int32x4_t;
  static Sums begin(int32x4_t from) { return from; }
  static int32x4_t end(Sums sums, int32x4_t) { return sums; }

  template <int32_t kFirst, int32_t kEnd, int32_t G, int32_t P, int32_t V>
  [[gnu::always_inline]] static void add(Sums (&sums)[P][V], const uint8_t* const (&x)[P], ptrdiff_t at,
                                         const uint8_t* w) {
    int8x16_t a[P];
    unroll<kFirst, kEnd>([&](auto p) __attribute__((always_inline)) {
      a[p] = vreinterpretq_s8_u8(G == kStep ? vld1q_u8(x[p] + at) : broadcast_word(x[p] + at));
    });
    unroll<0, G>([&](auto g) __attribute__((always_inline)) {
      int8x16_t b[V];
      unroll<0, V>([&](auto v) __attribute__((always_inline)) { b[v] = load_weights(w + v * 16); });
      w += V * 16;
      unroll<kFirst, kEnd>([&](auto p) __attribute__((always_inline)) {
        if constexpr (p == (kFirst + kEnd) / 2) load_after(w, sums[p][0]);
        unroll<0, V>([&](auto v)
                         __attribute__((always_inline)) { sums[p][v] = vdotq_laneq_s32(sums[p][v], b[v], a[p], g); });
        if constexpr (p == (kFirst + kEnd - 1) / 2) asm("" : "+r"(w), "+w"(sums[p][V - 1]));
      });
    });
  }
  static int32_t limit(const GemmProblem&) { return INT32_MAX; }
};

constexpr int32_t kPixels = 4, kVectors = 4;
using Mode = SignedBytes<DotProducts, kPixels, kVectors>;

double cost(const GemmProblem& problem) noexcept {
  const NeonCycles cycles = neon_cycles(host_core());
  return dot::cost(problem, kForm<Mode>, panel_cycles(cycles, cycles.dot, 2));
}

constexpr GemmKernel kTable[] = {panel_kernel<Mode>("dot_neondot_4x16", Isa::NeonDot, cost, Mode::kLanes* kVectors)};

}  // namespace

constinit const std::span<const GemmKernel> kNeonDot = kTable;

}  // namespace tidbit::kernels::dot
