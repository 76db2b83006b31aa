// What the NEON tiers share; for ISA files alone, so all of it is in an anonymous namespace.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace tidbit::kernels {
namespace {

#if defined(__aarch64__)
constexpr int32_t kNeonRegisters = 32;
#else
constexpr int32_t kNeonRegisters = 16;
#endif

[[maybe_unused]] inline uint8x16_t load_bytes(const std::byte* bytes) {
  return vld1q_u8(reinterpret_cast<const uint8_t*>(bytes));
}

/// Four bytes, aligned or not, in all lanes.
[[maybe_unused]] inline uint8x16_t broadcast_word(const void* bytes) {
  using Word = uint32_t __attribute__((aligned(1), may_alias));
  return vreinterpretq_u8_u32(vdupq_n_u32(*static_cast<const Word*>(bytes)));
}

/// The sums of neighbouring lanes of a, then of b.
[[maybe_unused]] inline uint8x16_t add_pairs(uint8x16_t a, uint8x16_t b) {
#if defined(__aarch64__)
  return vpaddq_u8(a, b);
#else
  return vcombine_u8(vpadd_u8(vget_low_u8(a), vget_high_u8(a)), vpadd_u8(vget_low_u8(b), vget_high_u8(b)));
#endif
}

[[maybe_unused]] inline int32x4_t add_pairs(int32x4_t a, int32x4_t b) {
#if defined(__aarch64__)
  return vpaddq_s32(a, b);
#else
  return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
#endif
}

/// table[index] for indices below 16.
[[maybe_unused]] inline uint8x16_t look_up_bytes(uint8x16_t table, uint8x16_t indices) {
#if defined(__aarch64__)
  return vqtbl1q_u8(table, indices);
#else
  const uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
  return vcombine_u8(vtbl2_u8(halves, vget_low_u8(indices)), vtbl2_u8(halves, vget_high_u8(indices)));
#endif
}

}  // namespace
}  // namespace tidbit::kernels
