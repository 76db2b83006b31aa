// Depthwise convolution in NEON.
#include <arm_neon.h>

#include "kernels/depthwise/lanes.h"

namespace tidbit::kernels::depthwise_tiers {
namespace {

struct Neon {
  using Vector = int32x4_t;
  static constexpr bool kAddsPairs = false;
  static constexpr int64_t kMostNarrowCode = INT8_MAX;  // SMLAL takes them as int8
  static bool few(int32_t) { return false; }
  static const Tier& below() { return kScalar; }

  static Vector zero() { return vdupq_n_s32(0); }
  static Vector broadcast(int32_t value) { return vdupq_n_s32(value); }
  static void store(int32_t* p, Vector v) { vst1q_s32(p, v); }
  static void store_some(int32_t* p, int32_t count, Vector v) {
    alignas(16) int32_t lanes[4];
    store(lanes, v);
    std::memcpy(p, lanes, static_cast<size_t>(count) * sizeof(int32_t));
  }

  static Vector add32(Vector a, Vector b) { return vaddq_s32(a, b); }
  static Vector multiply32(Vector a, Vector b) { return vmulq_s32(a, b); }

  /// Adds u*v_w of a tap: sixteen channels in int16, or eight in int32.
  template <class Weight>
  static void add_products(Vector& low, Vector& high, const uint8_t* codes, Vector weights) {
    if constexpr (sizeof(Weight) == 1) {
      const int8x16_t x = vreinterpretq_s8_u8(vld1q_u8(codes)), w = vreinterpretq_s8_s32(weights);
      const int16x8_t low_sums = vreinterpretq_s16_s32(low), high_sums = vreinterpretq_s16_s32(high);
      low = vreinterpretq_s32_s16(vmlal_s8(low_sums, vget_low_s8(x), vget_low_s8(w)));
      high = vreinterpretq_s32_s16(vmlal_s8(high_sums, vget_high_s8(x), vget_high_s8(w)));
    } else {
      const int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(codes))), w = vreinterpretq_s16_s32(weights);
      low = vmlal_s16(low, vget_low_s16(x), vget_low_s16(w));
      high = vmlal_s16(high, vget_high_s16(x), vget_high_s16(w));
    }
  }

  static void order_words(Vector low, Vector high, Vector (&sums)[2]) {
    sums[0] = low;
    sums[1] = high;
  }
  static void widen(Vector low, Vector high, Vector (&sums)[4]) {
    const int16x8_t low_words = vreinterpretq_s16_s32(low), high_words = vreinterpretq_s16_s32(high);
    sums[0] = vmovl_s16(vget_low_s16(low_words));
    sums[1] = vmovl_s16(vget_high_s16(low_words));
    sums[2] = vmovl_s16(vget_low_s16(high_words));
    sums[3] = vmovl_s16(vget_high_s16(high_words));
  }
};

}  // namespace

constinit const Tier kNeon = {Forms<Neon>::weight_bytes, Forms<Neon>::pack_weights, Forms<Neon>::run};

}  // namespace tidbit::kernels::depthwise_tiers
