// Pooling in NEON.
#include <arm_neon.h>

#include "kernels/pool/lanes.h"

namespace tidbit::kernels::pool_tiers {
namespace {

struct Neon {
  static const Tier& below() { return kScalar; }

  struct Bytes {
    static constexpr int32_t kCount = 16;
    static uint8x16_t lowest() { return vdupq_n_u8(0); }
    static uint8x16_t load(const uint8_t* p) { return vld1q_u8(p); }
    static uint8x16_t greater(uint8x16_t x, uint8x16_t most) { return vmaxq_u8(x, most); }
    static void store(uint8_t* p, uint8x16_t v) { vst1q_u8(p, v); }
  };

  struct FewBytes {
    static constexpr int32_t kCount = 8;
    static uint8x8_t lowest() { return vdup_n_u8(0); }
    static uint8x8_t load(const uint8_t* p) { return vld1_u8(p); }
    static uint8x8_t greater(uint8x8_t x, uint8x8_t most) { return vmax_u8(x, most); }
    static void store(uint8_t* p, uint8x8_t v) { vst1_u8(p, v); }
  };

  struct Floats {
    [[maybe_unused]] static constexpr int32_t kCount = 4;
    static float32x4_t lowest() { return vdupq_n_f32(-__builtin_inff()); }
    static float32x4_t load(const float* p) { return vld1q_f32(p); }
    static float32x4_t greater(float32x4_t x, float32x4_t most) {  // `most` where x is NaN
      return vbslq_f32(vcgtq_f32(x, most), x, most);
    }
    static void store(float* p, float32x4_t v) { vst1q_f32(p, v); }
  };

  struct Words {
    static constexpr int32_t kCount = 8;
    struct Sums {
      uint32x4_t low, high;
    };
    static Sums no_sums() { return {vdupq_n_u32(0), vdupq_n_u32(0)}; }
    static uint16x8_t zero() { return vdupq_n_u16(0); }
    static uint16x8_t load(const uint8_t* p) { return vmovl_u8(vld1_u8(p)); }
    static uint16x8_t add(uint16x8_t a, uint16x8_t b) { return vaddq_u16(a, b); }
    static void flush(Sums& total, uint16x8_t& part) {
      total.low = vaddw_u16(total.low, vget_low_u16(part));
      total.high = vaddw_u16(total.high, vget_high_u16(part));
      part = zero();
    }
    static void store(int32_t* p, const Sums& total, int32_t step, int32_t base) {
      vst1q_s32(p, on_grid(total.low, step, base));
      vst1q_s32(p + 4, on_grid(total.high, step, base));
    }
    static int32x4_t on_grid(uint32x4_t sum, int32_t step, int32_t base) {
      return vmlaq_n_s32(vdupq_n_s32(base), vreinterpretq_s32_u32(sum), step);
    }
  };
};

void max_reals(const ConvolutionShape& shape, const float* in, int32_t pixel_begin, int32_t pixel_count,
               float* out) noexcept {
#if defined(__aarch64__)
  Pools<Neon>::max_reals(shape, in, pixel_begin, pixel_count, out);
#else  // whose NEON takes denormals for 0
  kScalar.max_reals(shape, in, pixel_begin, pixel_count, out);
#endif
}

}  // namespace

constinit const Tier kNeon = {Pools<Neon>::max_codes, max_reals, Pools<Neon>::sum_codes};

}  // namespace tidbit::kernels::pool_tiers
