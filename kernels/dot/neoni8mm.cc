// USMMLA: eight products and their sum for two pixels by two channels. Activations are unsigned, as most codes are.
#include "kernels/dot/neon_modes.h"

namespace tidbit::kernels::dot {
namespace {

/// Four channels, a group of eight bytes of each: the first two channels' and the last two's.
struct RegisterPair {
  using Vec = int32x4x2_t;
  static constexpr int32_t kLanes = NeonRegister::kLanes;

  static Vec load(const void* p) {
    const auto* bytes = static_cast<const uint8_t*>(p);
    return {{NeonRegister::load(bytes), NeonRegister::load(bytes + 16)}};
  }
  static void store(void* p, Vec v) {
    auto* bytes = static_cast<uint8_t*>(p);
    NeonRegister::store(bytes, v.val[0]);
    NeonRegister::store(bytes + 16, v.val[1]);
  }
  static Vec zero() { return {{NeonRegister::zero(), NeonRegister::zero()}}; }
  static Vec broadcast_value(uint32_t value) {
    return {{NeonRegister::broadcast_value(value), NeonRegister::broadcast_value(value)}};
  }
  static Vec both(Vec x, Vec y) {
    return {{NeonRegister::both(x.val[0], y.val[0]), NeonRegister::both(x.val[1], y.val[1])}};
  }
  static Vec shifted(Vec v, int32_t count) {
    return {{NeonRegister::shifted(v.val[0], count), NeonRegister::shifted(v.val[1], count)}};
  }
  static Vec lookup(Vec table, Vec codes) {
    return {{NeonRegister::lookup(table.val[0], codes.val[0]), NeonRegister::lookup(table.val[0], codes.val[1])}};
  }
};

uint8x16_t zip_low(uint8x16_t a, uint8x16_t b) {
  return vreinterpretq_u8_u64(vzip1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}
uint8x16_t zip_high(uint8x16_t a, uint8x16_t b) {
  return vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}

struct MatrixProducts {
  using Register = RegisterPair;
  using Value = uint8_t;
  static constexpr int32_t kStep = 2, kTogether = 2;
  static constexpr bool kLimited = false;

  // Two pixels' sums of two channels; a pixel's of four, outside of the loops.
  using Sums = int32x4_t;
  static Sums begin(int32x4_t from) { return from; }
  static int32x4_t end(Sums sums, int32x4_t) { return sums; }
  static void exchange(Sums& a, Sums& b) {
    const int64x2_t first = vreinterpretq_s64_s32(a), second = vreinterpretq_s64_s32(b);
    a = vreinterpretq_s32_s64(vzip1q_s64(first, second));
    b = vreinterpretq_s32_s64(vzip2q_s64(first, second));
  }

  /// A pixel's G groups; 0 for pixels that do without.
  template <bool kWith, int32_t G>
  [[gnu::always_inline]] static uint8x16_t load_groups(const uint8_t* x) {
    if constexpr (!kWith) return vdupq_n_u8(0);
    return G == 2 ? vld1q_u8(x) : vcombine_u8(vld1_u8(x), vdup_n_u8(0));
  }

  template <int32_t kFirst, int32_t kEnd, int32_t G, int32_t R, int32_t V, int32_t P>
  [[gnu::always_inline]] static void add(Sums (&sums)[R][V], const uint8_t* const (&x)[P], ptrdiff_t at,
                                         const uint8_t* w) {
    constexpr int32_t kFirstPair = kFirst / 2, kEndPair = (kEnd + 1) / 2;
    uint8x16_t a[R / 2][2];
    unroll<kFirstPair, kEndPair>([&](auto pair) __attribute__((always_inline)) {
      constexpr int32_t kEven = 2 * pair, kOdd = kEven + 1;
      const uint8x16_t even = load_groups<kEven >= kFirst, G>(x[kEven] + at);
      const uint8x16_t odd = load_groups<(kOdd < kEnd), G>(x[smaller(kOdd, P - 1)] + at);
      a[pair][0] = zip_low(even, odd);
      a[pair][1] = zip_high(even, odd);
    });
    unroll<0, G * V>([&](auto i) __attribute__((always_inline)) {
      constexpr int32_t g = i / V, v = i % V;
      const int8x16_t first = load_weights(w), second = load_weights(w + 16);
      w += 32;
      unroll<kFirstPair, kEndPair>([&](auto pair) __attribute__((always_inline)) {
        sums[2 * pair][v] = vusmmlaq_s32(sums[2 * pair][v], a[pair][g], first);
        sums[2 * pair + 1][v] = vusmmlaq_s32(sums[2 * pair + 1][v], a[pair][g], second);
      });
      load_after(w, sums[2 * kFirstPair][v]);
    });
  }
  static int32_t limit(const GemmProblem&) { return INT32_MAX; }
};

constexpr int32_t kPixels = 4, kVectors = 4;

struct Mode : NeonBytes<MatrixProducts, kPixels, kVectors> {
  static Vec broadcast(const uint8_t* bytes) {
    const int32x4_t group = vreinterpretq_s32_u8(vcombine_u8(vld1_u8(bytes), vld1_u8(bytes)));
    return {{group, group}};
  }
  static Vec mac(Vec sums, Vec a, Vec codes) {
    for (int32_t i = 0; i < 2; ++i) {
      sums.val[i] = vusdotq_s32(sums.val[i], vreinterpretq_u8_s32(a.val[i]), vreinterpretq_s8_s32(codes.val[i]));
    }
    return sums;
  }
  static int32x4_t widen(Vec sums) { return add_pairs(sums.val[0], sums.val[1]); }
  static int32x4_t load_sums(const int32_t* sums) { return vld1q_s32(sums); }
  static int32x4_t add(int32x4_t a, int32x4_t b) { return vaddq_s32(a, b); }
  using RegisterPair::store;
  static void store(int32_t* sums, int32x4_t v) { vst1q_s32(sums, v); }
};

double cost(const GemmProblem& problem) noexcept {
  const NeonCycles cycles = neon_cycles(host_core());
  PanelCycles panel = panel_cycles(cycles, cycles.matrix + cycles.simple / 8, 2.5);
  panel.unpack *= 2;
  panel.direct *= 2;
  return dot::cost(problem, kForm<Mode>, panel);
}

constexpr GemmKernel kTable[] = {panel_kernel<Mode>("dot_neoni8mm_4x16", Isa::NeonI8mm, cost, Mode::kLanes* kVectors)};

}  // namespace

constinit const std::span<const GemmKernel> kNeonI8mm = kTable;

}  // namespace tidbit::kernels::dot
