// What the NEON tiers multiply with, and their loop over a block; for ISA files alone.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <type_traits>

#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/neon_vectors.h"

namespace tidbit::kernels::dot {
namespace {

int8x16_t load_weights(const uint8_t* b) { return vreinterpretq_s8_u8(vld1q_u8(b)); }

struct NeonRegister {
  using Vec = int32x4_t;
  static constexpr int32_t kLanes = 4;

  static Vec load(const void* p) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p))); }
  static void store(void* p, Vec v) { vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_s32(v)); }
  static Vec zero() { return vdupq_n_s32(0); }
  static Vec broadcast_value(uint32_t value) { return vreinterpretq_s32_u32(vdupq_n_u32(value)); }
  static Vec add(Vec x, Vec y) { return vaddq_s32(x, y); }
  static Vec both(Vec x, Vec y) { return vandq_s32(x, y); }
  static Vec shifted(Vec v, int32_t count) {
    return vreinterpretq_s32_u8(vshlq_u8(vreinterpretq_u8_s32(v), vdupq_n_s8(static_cast<int8_t>(-count))));
  }
  static Vec lookup(Vec table, Vec codes) {
    return vreinterpretq_s32_u8(look_up_bytes(vreinterpretq_u8_s32(table), vreinterpretq_u8_s32(codes)));
  }
};

/// Bytes, both signed. Products: a tier's sums of products of a block, which are
///   Sums, zero_sums(), kStep                     how many groups are multiplied at a time
///   add<G>(Sums (&)[P][V], x, at, w)             adds the products of G groups, from x[p] + at and w on
///   total(Sums)                                  an int32 for each channel
///   limit(problem)                               how many groups may be added before the total is taken
template <class Products, int32_t P, int32_t V>
struct SignedBytes : Bytes<NeonRegister> {
  using Value = int8_t;
  static constexpr int32_t kPixels = P, kVectors = V;
  static constexpr int32_t kImageBits = 0;  // a vector holds few channels: unpacking would take too much of the time
  static constexpr bool kNarrow = false;

  static int32_t limit(const GemmProblem& problem) { return Products::limit(problem); }

  static Vec mac(Vec sums, Vec a, Vec codes) {
    const int8x16_t x = vreinterpretq_s8_s32(a), w = vreinterpretq_s8_s32(codes);
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sums, x, w);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w));
    const int16x8_t high = vmull_s8(vget_high_s8(x), vget_high_s8(w));
    return vaddq_s32(sums, add_pairs(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
  }
  static Vec widen(Vec sums) { return sums; }

  template <int32_t kP, int32_t kV>
  static void multiply(const Segment* segments, int32_t count, const uint8_t* weights, const uint8_t* const* windows,
                       const Block& block, dot::Sums sums, int32_t limit) {
    typename Products::Sums acc[kP][kV];
    const uint8_t* x[kP];
    unroll<0, kP>([&](auto p) __attribute__((always_inline)) {
      x[p] = windows[p];
      unroll<0, kV>([&](auto v) __attribute__((always_inline)) { acc[p][v] = Products::zero_sums(); });
    });
    const auto flush = [&]() __attribute__((always_inline)) {
      unroll<0, kP>([&](auto p) __attribute__((always_inline)) {
        unroll<0, kV>([&](auto v) __attribute__((always_inline)) {
          const Vec from = load(sums.from + p * sums.from_stride + v * kLanes);
          store(sums.to + p * sums.stride + v * kLanes, add(from, Products::total(acc[p][v])));
          acc[p][v] = Products::zero_sums();
        });
      });
      sums.from = sums.to;
      sums.from_stride = sums.stride;
    };
    int32_t left = limit;
    for (const Segment* segment = segments; segment < segments + count; ++segment) {
      if (segment->row < block.row_begin || segment->row >= block.row_end) continue;
      const uint8_t* w = weights + segment->weights;
      ptrdiff_t at = segment->x;
      for (int32_t groups = segment->groups; groups > 0;) {
        int32_t now = smaller(groups, left);
        groups -= now;
        left -= now;
        for (; now >= Products::kStep; now -= Products::kStep) {
          Products::template add<Products::kStep>(acc, x, at, w);
          at += 4 * Products::kStep;
          w += Products::kStep * kV * sizeof(Vec);
        }
        if constexpr (Products::kStep > 1) {
          for (; now > 0; --now, at += 4, w += kV * sizeof(Vec)) Products::template add<1>(acc, x, at, w);
        }
        if (left > 0) continue;
        flush();
        left = limit;
      }
    }
    flush();
  }
};

}  // namespace
}  // namespace tidbit::kernels::dot
