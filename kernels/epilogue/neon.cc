// Epilogues in NEON: sixteen lanes are four vectors, or eight of doubles, which 32-bit ARM has none of.
//
// NEON of 32-bit ARM takes denormals for 0. An affine form of integers gives the same code: what a product loses with
// its denormal factor is below 2^-95, which is code 0 by itself and lost to rounding in a sum with what is not. Reals,
// which may be denormal and have large factors, are for the scalar tier.
#include <arm_neon.h>

#include <cstring>
#include <utility>

#include "kernels/epilogue/lanes.h"

namespace tidbit::kernels::epilogue_tiers {
namespace {

template <class Vector, size_t kCount>
struct Registers {
  Vector v[kCount];
};

template <class Out, size_t... i, class F, class... In>
Out each_of(std::index_sequence<i...>, F f, const In&... in) {
  const auto at = [&](auto index) { return f(in.v[index]...); };
  return {{at(std::integral_constant<size_t, i>())...}};
}

/// f of the vectors, one by one; no loop over an array, which g++ would leave in memory.
template <class Out, class F, class... In>
Out each(F f, const In&... in) {
  return each_of<Out>(std::make_index_sequence<sizeof(Out) / sizeof(Out::v[0])>(), f, in...);
}

struct Neon {
  using Ints = Registers<int32x4_t, 4>;
  using Floats = Registers<float32x4_t, 4>;

  struct All {};
  struct Some {
    int32_t count;
  };
  static Some some(int32_t count) { return {count}; }

  static Ints load(const int32_t* p, All) {
    return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
  }
  static Floats load(const float* p, All) {
    return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
  }
  static int32x4_t widened(uint16x4_t x) { return vreinterpretq_s32_u32(vmovl_u16(x)); }
  static Ints load(const uint8_t* p, All) {
    const uint8x16_t bytes = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    return {{widened(vget_low_u16(low)), widened(vget_high_u16(low)), widened(vget_low_u16(high)),
             widened(vget_high_u16(high))}};
  }
  template <class T>
  static auto load(const T* p, Some mask) {
    alignas(16) T lanes[16] = {};
    std::memcpy(lanes, p, static_cast<size_t>(mask.count) * sizeof(T));
    return load(lanes, All{});
  }

  static Floats broadcast(float value) {
    const float32x4_t v = vdupq_n_f32(value);
    return {{v, v, v, v}};
  }

  static Floats to(float, const Ints& x) {
    return each<Floats>([](int32x4_t a) { return vcvtq_f32_s32(a); }, x);
  }
  static Floats to(float, const Floats& x) { return x; }

  static Ints on_grid(const Ints& code, int32_t step, int32_t base) {
    const int32x4_t bases = vdupq_n_s32(base);
    return each<Ints>([&](int32x4_t a) { return vmlaq_n_s32(bases, a, step); }, code);
  }

  static Floats add(const Floats& a, const Floats& b) {
    return each<Floats>([](float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); }, a, b);
  }
  static Floats multiply(const Floats& a, const Floats& b) {
    return each<Floats>([](float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); }, a, b);
  }
  // NEON's own maximum and minimum have another NaN and another 0.
  static Floats maximum(const Floats& a, const Floats& b) {
    return each<Floats>([](float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }, a, b);
  }
  static Floats minimum(const Floats& a, const Floats& b) {
    return each<Floats>([](float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }, a, b);
  }

  static Floats less_choose(const Floats& a, const Floats& b, const Floats& yes, const Floats& no) {
    return each<Floats>(
        [](float32x4_t x, float32x4_t y, float32x4_t z, float32x4_t w) { return vbslq_f32(vcltq_f32(x, y), z, w); }, a,
        b, yes, no);
  }

  static Ints less_choose(const Ints& a, const Ints& b, const Ints& yes, const Ints& no) {
    return each<Ints>(
        [](int32x4_t x, int32x4_t y, int32x4_t z, int32x4_t w) { return vbslq_s32(vcltq_s32(x, y), z, w); }, a, b, yes,
        no);
  }

  // Fixed point.
  struct Lines {
    Ints multiplier;
    Registers<int64x2_t, 4> low_offset, high_offset;  // of the first and the last two lanes of each vector
    Ints shift;                                       // to the left, so negative
  };
  static Lines lines(const int32_t* multiplier, const int64_t* offset, const uint8_t* shift) {
    return {load(multiplier, All{}),
            {{vld1q_s64(offset), vld1q_s64(offset + 4), vld1q_s64(offset + 8), vld1q_s64(offset + 12)}},
            {{vld1q_s64(offset + 2), vld1q_s64(offset + 6), vld1q_s64(offset + 10), vld1q_s64(offset + 14)}},
            each<Ints>([](int32x4_t x) { return vsubq_s32(vdupq_n_s32(32), x); }, load(shift, All{}))};
  }
  static Ints on_lines(const Ints& sum, const Lines& l) {
    return each<Ints>(
        [](int32x4_t x, int32x4_t m, int64x2_t low, int64x2_t high, int32x4_t shift) {
          const int64x2_t first = vmlal_s32(low, vget_low_s32(x), vget_low_s32(m));
          const int64x2_t last = vmlal_s32(high, vget_high_s32(x), vget_high_s32(m));
          const int32x4_t upper = vuzpq_s32(vreinterpretq_s32_s64(first), vreinterpretq_s32_s64(last)).val[1];
          return vshlq_s32(upper, shift);
        },
        sum, l.multiplier, l.low_offset, l.high_offset, l.shift);
  }

  // Thresholds: counts are int32.
  static constexpr int32_t kManyLanes = 16;
  static int32_t flip_of(int32_t, bool falls) { return falls ? -1 : 0; }
  static Ints flipped(const Ints& sum, const Ints& flip) {
    return each<Ints>([](int32x4_t x, int32x4_t y) { return veorq_s32(x, y); }, sum, flip);
  }
  template <class Lanes>
  static Ints no_counts(const Lanes&, int32_t) {
    const int32x4_t zero = vdupq_n_s32(0);
    return {{zero, zero, zero, zero}};
  }
  static int32x4_t counted(int32x4_t counts, uint32x4_t reached) {
    return vsubq_s32(counts, vreinterpretq_s32_u32(reached));
  }
  static void count(Ints& counts, const Ints& sum, const Ints& value) {
    counts = each<Ints>([](int32x4_t n, int32x4_t x, int32x4_t y) { return counted(n, vcgeq_s32(x, y)); }, counts, sum,
                        value);
  }

  static int16x8_t saturated(const int32_t* sums) {
    return vcombine_s16(vqmovn_s32(vld1q_s32(sums)), vqmovn_s32(vld1q_s32(sums + 4)));
  }

  /// Counts in 16 bits: where steps lie between the ends of int16, sums may be cut to it.
  template <int32_t kSteps>
  static bool count_many(const int32_t* sums, ptrdiff_t sums_stride, const int32_t (&steps)[kSteps][kManyLanes],
                         int32_t lowest, uint8_t* out, ptrdiff_t out_stride, int32_t pixels) {
    bool fit = true;
    int16x8_t low[kSteps], high[kSteps];
    for (int32_t k = 0; k < kSteps; ++k) {
      for (const int32_t step : steps[k]) fit &= step > INT16_MIN && step <= INT16_MAX;
      low[k] = saturated(steps[k]);
      high[k] = saturated(steps[k] + 8);
    }
    if (!fit) return false;
    const uint8x16_t lowest_codes = vdupq_n_u8(static_cast<uint8_t>(lowest));
    for (int32_t p = 0; p < pixels; ++p, sums += sums_stride, out += out_stride) {
      const int16x8_t low_sums = saturated(sums), high_sums = saturated(sums + 8);
      uint16x8_t low_counts = vcgeq_s16(low_sums, low[0]), high_counts = vcgeq_s16(high_sums, high[0]);  // negative
      for (int32_t k = 1; k < kSteps; ++k) {
        low_counts = vaddq_u16(low_counts, vcgeq_s16(low_sums, low[k]));
        high_counts = vaddq_u16(high_counts, vcgeq_s16(high_sums, high[k]));
      }
      vst1q_u8(out, vsubq_u8(lowest_codes, vcombine_u8(vmovn_u16(low_counts), vmovn_u16(high_counts))));
    }
    return true;
  }

  static uint8x16_t bytes(const Ints& x) {
    const int16x8_t low = vcombine_s16(vmovn_s32(x.v[0]), vmovn_s32(x.v[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(x.v[2]), vmovn_s32(x.v[3]));
    return vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
  }
  template <class Mask>
  static void store_codes(uint8_t* out, Mask mask, const Ints& x, int32_t lowest, int32_t highest) {
    const auto saturated = [&](size_t i) {
      return vqmovun_s16(vcombine_s16(vqmovn_s32(x.v[i]), vqmovn_s32(x.v[i + 1])));
    };
    const uint8x16_t least = vdupq_n_u8(static_cast<uint8_t>(lowest)), most = vdupq_n_u8(static_cast<uint8_t>(highest));
    store_bytes(out, mask, vminq_u8(vmaxq_u8(vcombine_u8(saturated(0), saturated(2)), least), most));
  }
  static void store_bytes(uint8_t* out, All, uint8x16_t bytes) { vst1q_u8(out, bytes); }
  static void store_bytes(uint8_t* out, Some mask, uint8x16_t bytes) {
    alignas(16) uint8_t codes[16];
    vst1q_u8(codes, bytes);
    std::memcpy(out, codes, static_cast<size_t>(mask.count));
  }
  template <class Mask>
  static void store_counts(uint8_t* out, Mask mask, const Ints& counts, int32_t lowest) {
    store_bytes(out, mask, vaddq_u8(bytes(counts), vdupq_n_u8(static_cast<uint8_t>(lowest))));
  }

  /// To nearest, halves to even, whatever FPCR says, in the last byte of each lane. Codes are 0 to 255.
  static int32x4_t nearest(float32x4_t x) {
#if defined(__aarch64__)
    return vcvtnq_s32_f32(x);
#else
    return vreinterpretq_s32_f32(vaddq_f32(x, vdupq_n_f32(0x1p23f)));  // NEON of 32-bit ARM always rounds so
#endif
  }
  template <class Mask>
  static void store_nearest_codes(uint8_t* out, Mask mask, const Floats& x) {
    store_bytes(out, mask, bytes(each<Ints>([](float32x4_t a) { return nearest(a); }, x)));
  }

#if defined(__aarch64__)
  static constexpr bool kReals = true;
  using Doubles = Registers<float64x2_t, 8>;

  static Doubles load(const double* p, All) {
    return {{vld1q_f64(p), vld1q_f64(p + 2), vld1q_f64(p + 4), vld1q_f64(p + 6), vld1q_f64(p + 8), vld1q_f64(p + 10),
             vld1q_f64(p + 12), vld1q_f64(p + 14)}};
  }
  static Doubles broadcast(double value) {
    const float64x2_t v = vdupq_n_f64(value);
    return {{v, v, v, v, v, v, v, v}};
  }

  static float32x4_t narrowed(float64x2_t low, float64x2_t high) { return vcvt_high_f32_f64(vcvt_f32_f64(low), high); }
  static Floats to(float, const Doubles& x) {
    return {{narrowed(x.v[0], x.v[1]), narrowed(x.v[2], x.v[3]), narrowed(x.v[4], x.v[5]), narrowed(x.v[6], x.v[7])}};
  }
  static float64x2_t low(int32x4_t x) { return vcvtq_f64_s64(vmovl_s32(vget_low_s32(x))); }
  static float64x2_t high(int32x4_t x) { return vcvtq_f64_s64(vmovl_high_s32(x)); }
  static float64x2_t low(float32x4_t x) { return vcvt_f64_f32(vget_low_f32(x)); }
  static float64x2_t high(float32x4_t x) { return vcvt_high_f64_f32(x); }
  template <class Vector>
  static Doubles to(double, const Registers<Vector, 4>& x) {
    return {
        {low(x.v[0]), high(x.v[0]), low(x.v[1]), high(x.v[1]), low(x.v[2]), high(x.v[2]), low(x.v[3]), high(x.v[3])}};
  }
  static Doubles to(double, const Doubles& x) { return x; }

  static Doubles add(const Doubles& a, const Doubles& b) {
    return each<Doubles>([](float64x2_t x, float64x2_t y) { return vaddq_f64(x, y); }, a, b);
  }
  static Doubles multiply(const Doubles& a, const Doubles& b) {
    return each<Doubles>([](float64x2_t x, float64x2_t y) { return vmulq_f64(x, y); }, a, b);
  }
  static Doubles maximum(const Doubles& a, const Doubles& b) {
    return each<Doubles>([](float64x2_t x, float64x2_t y) { return vbslq_f64(vcgtq_f64(x, y), x, y); }, a, b);
  }
  static Doubles minimum(const Doubles& a, const Doubles& b) {
    return each<Doubles>([](float64x2_t x, float64x2_t y) { return vbslq_f64(vcltq_f64(x, y), x, y); }, a, b);
  }

  static Doubles less_choose(const Doubles& a, const Doubles& b, const Doubles& yes, const Doubles& no) {
    return each<Doubles>(
        [](float64x2_t x, float64x2_t y, float64x2_t z, float64x2_t w) { return vbslq_f64(vcltq_f64(x, y), z, w); }, a,
        b, yes, no);
  }

  static float flip_of(float, bool falls) { return falls ? -0.0f : 0.0f; }
  static double flip_of(double, bool falls) { return falls ? -0.0 : 0.0; }
  static Floats flipped(const Floats& sum, const Floats& flip) {
    return each<Floats>(
        [](float32x4_t x, float32x4_t y) {
          return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(y)));
        },
        sum, flip);
  }
  static Doubles flipped(const Doubles& sum, const Doubles& flip) {
    return each<Doubles>(
        [](float64x2_t x, float64x2_t y) {
          return vreinterpretq_f64_u64(veorq_u64(vreinterpretq_u64_f64(x), vreinterpretq_u64_f64(y)));
        },
        sum, flip);
  }
  static void count(Ints& counts, const Floats& sum, const Floats& value) {
    counts = each<Ints>([](int32x4_t n, float32x4_t x, float32x4_t y) { return counted(n, vcgeq_f32(x, y)); }, counts,
                        sum, value);
  }
  static void count(Ints& counts, const Doubles& sum, const Doubles& value) {
    using Reached = Registers<uint64x2_t, 8>;
    const auto r = each<Reached>([](float64x2_t x, float64x2_t y) { return vcgeq_f64(x, y); }, sum, value);
    const auto narrow = [&](size_t i) { return vcombine_u32(vmovn_u64(r.v[i]), vmovn_u64(r.v[i + 1])); };
    counts = {{counted(counts.v[0], narrow(0)), counted(counts.v[1], narrow(2)), counted(counts.v[2], narrow(4)),
               counted(counts.v[3], narrow(6))}};
  }

  template <class Mask>
  static void store_nearest_codes(uint8_t* out, Mask mask, const Doubles& x) {
    const auto n = [&](size_t i) {
      return vcombine_s32(vmovn_s64(vcvtnq_s64_f64(x.v[i])), vmovn_s64(vcvtnq_s64_f64(x.v[i + 1])));
    };
    store_bytes(out, mask, bytes(Ints{{n(0), n(2), n(4), n(6)}}));
  }

  static void store_floats(float* out, All, const Doubles& x) {
    const Floats floats = to(0.0f, x);
    vst1q_f32(out, floats.v[0]);
    vst1q_f32(out + 4, floats.v[1]);
    vst1q_f32(out + 8, floats.v[2]);
    vst1q_f32(out + 12, floats.v[3]);
  }
  static void store_floats(float* out, Some mask, const Doubles& x) {
    alignas(16) float lanes[16];
    store_floats(lanes, All{}, x);
    std::memcpy(out, lanes, static_cast<size_t>(mask.count) * sizeof(float));
  }
#else
  static constexpr bool kReals = false;
  struct Doubles;
#endif
};

#if !defined(__aarch64__)
void doubles_below(const Epilogue& epilogue, const EpilogueBlock<double>& block) noexcept {
  kScalar.of_doubles(epilogue, block);
}
void floats_below(const Epilogue& epilogue, const EpilogueBlock<float>& block) noexcept {
  kScalar.of_floats(epilogue, block);
}
#endif

}  // namespace

#if defined(__aarch64__)
constinit const Tier kNeon = {Vectors<Neon>::run<int32_t>, Vectors<Neon>::run<double>, Vectors<Neon>::run<float>};
#else
constinit const Tier kNeon = {Vectors<Neon>::run<int32_t>, doubles_below, floats_below};
#endif

}  // namespace tidbit::kernels::epilogue_tiers
