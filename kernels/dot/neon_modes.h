// What the NEON tiers multiply with, and their loop over a block; for ISA files alone.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <type_traits>

#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/neon_cycles.h"
#include "kernels/neon_vectors.h"

namespace tidbit::kernels::dot {
namespace {

int8x16_t load_weights(const uint8_t* b) { return vreinterpretq_s8_u8(vld1q_u8(b)); }

/// Channels of int32; bytes of a group of each.
struct NeonRegister {
  using Vec = int32x4_t;
  using CodeBytes = uint8_t __attribute__((vector_size(16), may_alias));
  static constexpr int32_t kLanes = 4;

  static Vec load(const void* p) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p))); }
  static void store(void* p, Vec v) { vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_s32(v)); }
  static Vec zero() { return vdupq_n_s32(0); }
  static Vec broadcast_value(uint32_t value) { return vreinterpretq_s32_u32(vdupq_n_u32(value)); }
  static Vec add(Vec x, Vec y) { return vaddq_s32(x, y); }
  static Vec both(Vec x, Vec y) { return vandq_s32(x, y); }
  static Vec shifted(Vec v, int32_t count) {
    return reinterpret_cast<Vec>(reinterpret_cast<CodeBytes>(v) >> static_cast<uint8_t>(count));
  }
  static Vec lookup(Vec table, Vec codes) {
    return vreinterpretq_s32_u8(look_up_bytes(vreinterpretq_u8_s32(table), vreinterpretq_u8_s32(codes)));
  }
};

/// Bytes, and their loop over a block. Products: a tier's sums of products of a block, which are
///   Register, Value                       of groups of bytes of channels; of a (dot/panels_multiply.h)
///   Sums, begin(from)                     sums to which a channel's int32 `from` may be added here or at the end
///   kStep                                 how many groups are multiplied at a time
///   add<kFirst, kEnd, G>(Sums (&)[P][V], x, at, w)
///                                         adds the products of G groups, from x[p] + at and w on, p in [kFirst, kEnd)
///   end(Sums, from)                       an int32 for each channel
///   kLimited, limit(problem)              whether, and how many groups may be added before sums are at their end
///   kTogether, exchange(a, b)             pixels multiplied together: two, an even and the next one, whose sums hold
///                                         both pixels' channels, exchanged; or one
template <class Products, int32_t P, int32_t V>
struct NeonBytes : Bytes<typename Products::Register> {
  using Register = typename Products::Register;
  using Vec = typename Register::Vec;
  using Value = typename Products::Value;
  static constexpr int32_t kLanes = Register::kLanes, kGroupBytes = sizeof(Vec) / kLanes;
  static constexpr int32_t kPixels = P, kVectors = V;
  static constexpr int32_t kImageBits = 4, kStrip = 256;  // a vector holds few channels: many pixels pay for unpacking
  static constexpr bool kNarrow = false;

  static int32_t limit(const GemmProblem& problem) { return Products::limit(problem); }

  /// Rows of sums: one a pixel, and one that no pixel has where they are multiplied together and kP is odd.
  template <int32_t kP>
  static constexpr int32_t kRows = (kP + Products::kTogether - 1) / Products::kTogether* Products::kTogether;

  template <int32_t kP, int32_t kV>
  [[gnu::always_inline]] static void exchange(typename Products::Sums (&acc)[kP][kV]) {
    if constexpr (Products::kTogether == 2) {
      unroll<0, kP / 2>([&](auto pair) __attribute__((always_inline)) {
        unroll<0, kV>([&](auto v) __attribute__((always_inline)) {
          Products::exchange(acc[2 * pair][v], acc[2 * pair + 1][v]);
        });
      });
    }
  }

  // Functions of arrays, not lambdas that capture each other: g++ would keep the sums in memory.
  template <int32_t kP, int32_t kV>
  [[gnu::always_inline]] static void begin(typename Products::Sums (&acc)[kRows<kP>][kV], const dot::Sums& sums) {
    unroll<0, kRows<kP>>([&](auto p) __attribute__((always_inline)) {
      unroll<0, kV>([&](auto v) __attribute__((always_inline)) {
        acc[p][v] = Products::begin(vld1q_s32(sums.from + smaller(p, kP - 1) * sums.from_stride + v * kLanes));
      });
    });
    exchange(acc);
  }
  template <int32_t kP, int32_t kV>
  [[gnu::always_inline]] static void end(typename Products::Sums (&acc)[kRows<kP>][kV], const dot::Sums& sums) {
    exchange(acc);
    unroll<0, kP>([&](auto p) __attribute__((always_inline)) {
      unroll<0, kV>([&](auto v) __attribute__((always_inline)) {
        const int32x4_t from = vld1q_s32(sums.from + p * sums.from_stride + v * kLanes);
        vst1q_s32(sums.to + p * sums.stride + v * kLanes, Products::end(acc[p][v], from));
      });
    });
  }

  /// A segment's groups of which the next is at `at` in the windows and at `w` among the weights.
  struct Place {
    ptrdiff_t at;
    const uint8_t* w;
  };

  /// Adds the products of `groups` groups for the pixels [kFirst, kLast).
  template <int32_t kFirst, int32_t kLast, int32_t kP, int32_t kV>
  [[gnu::always_inline]] static void add_groups(typename Products::Sums (&acc)[kRows<kP>][kV],
                                                const uint8_t* const (&x)[kP], Place& place, int32_t groups) {
    constexpr int32_t kStep = Products::kStep;
    ptrdiff_t at = place.at;
    const uint8_t* w = place.w;
    for (; groups >= kStep; groups -= kStep, at += kGroupBytes * kStep, w += kStep * kV * sizeof(Vec)) {
      Products::template add<kFirst, kLast, kStep>(acc, x, at, w);
    }
    if constexpr (kStep > 1) {
      for (; groups > 0; --groups, at += kGroupBytes, w += kV * sizeof(Vec)) {
        Products::template add<kFirst, kLast, 1>(acc, x, at, w);
      }
    }
    place = {at, w};
  }

  /// How many groups may be added before sums must be at their end.
  struct Limit {
    int32_t left, all;
  };

  /// The same, and takes the sums to their end as often as they must be.
  template <int32_t kFirst, int32_t kLast, int32_t kP, int32_t kV>
  [[gnu::always_inline]] static void add_groups(typename Products::Sums (&acc)[kRows<kP>][kV],
                                                const uint8_t* const (&x)[kP], Place& place, int32_t groups,
                                                Limit& limit, dot::Sums& sums) {
    if constexpr (!Products::kLimited) {
      add_groups<kFirst, kLast, kP, kV>(acc, x, place, groups);
    } else {
      while (groups > 0) {
        const int32_t now = smaller(groups, limit.left);
        groups -= now;
        limit.left -= now;
        add_groups<kFirst, kLast, kP, kV>(acc, x, place, now);
        if (limit.left > 0) continue;
        end<kP, kV>(acc, sums);
        sums = {sums.to, sums.stride, sums.to, sums.stride};
        begin<kP, kV>(acc, sums);
        limit.left = limit.all;
      }
    }
  }

  template <bool kEdge, int32_t kP, int32_t kV>
  static void multiply(const Segment* segments, int32_t count, const uint8_t* weights, const uint8_t* const* windows,
                       const Block& block, const dot::Sums& of_block, int32_t groups_within_limit) {
    dot::Sums sums = of_block;
    typename Products::Sums acc[kRows<kP>][kV];
    const uint8_t* x[kP];
    unroll<0, kP>([&](auto p) __attribute__((always_inline)) { x[p] = windows[p]; });
    begin<kP, kV>(acc, sums);
    Limit limit = {groups_within_limit, groups_within_limit};
    for (const Segment* segment = segments; segment < segments + count; ++segment) {
      if (segment->row < block.row_begin || segment->row >= block.row_end) continue;
      Place place = {segment->x, weights + segment->first * kV * sizeof(Vec)};
      if constexpr (!kEdge) {
        add_groups<0, kP, kP, kV>(acc, x, place, segment->groups, limit, sums);
      } else {
        const int32_t before = smaller(larger(block.left_end - segment->begin, 0), segment->groups);
        const int32_t inside = smaller(larger(block.right_begin - segment->begin, before), segment->groups);
        if constexpr (kP == 1) {
          place.at += kGroupBytes * ptrdiff_t{before};
          place.w += before * kV * sizeof(Vec);
        } else {
          add_groups<1, kP, kP, kV>(acc, x, place, before, limit, sums);
        }
        add_groups<0, kP, kP, kV>(acc, x, place, inside - before, limit, sums);
        if constexpr (kP > 1) add_groups<0, kP - 1, kP, kV>(acc, x, place, segment->groups - inside, limit, sums);
      }
    }
    end<kP, kV>(acc, sums);
  }
};

/// Bytes, both signed.
struct SignedProducts {
  using Register = NeonRegister;
  using Value = int8_t;
  static constexpr int32_t kTogether = 1;
};

template <class Products, int32_t P, int32_t V>
struct SignedBytes : NeonBytes<Products, P, V> {
  using Vec = NeonRegister::Vec;
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
};

/// `group` and `sums` as in PanelCycles.
PanelCycles panel_cycles(const NeonCycles& cycles, double group, double sums) {
  const double unpack = 2 * cycles.simple + cycles.lookup + 1;
  return {.group = group, .sums = sums, .unpack = unpack, .direct = 3, .byte = 0.25, .pack = 0.25};
}

}  // namespace
}  // namespace tidbit::kernels::dot
