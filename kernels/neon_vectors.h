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

/// The next four bytes, aligned or not, in all lanes. (Compilers would take a load, a copy and an addition.)
[[gnu::always_inline]] inline uint8x16_t broadcast_next_word(const std::byte*& bytes) {
  using Word = uint32_t __attribute__((aligned(1), may_alias));
  uint32x4_t lanes;
#if defined(__aarch64__)
  asm("ld1r {%0.4s}, [%1], #4" : "=w"(lanes), "+r"(bytes) : "m"(*reinterpret_cast<const Word*>(bytes)));
#else
  asm("vld1.32 {%e0[], %f0[]}, [%1]!" : "=w"(lanes), "+r"(bytes) : "m"(*reinterpret_cast<const Word*>(bytes)));
#endif
  return vreinterpretq_u8_u32(lanes);
}

/// Keeps g++ from loading from the pointer before the vector is there, and running out of registers.
template <class Byte, class Vector>
[[gnu::always_inline]] inline void load_after(const Byte*& pointer, Vector& vector) {
  asm("" : "+r"(pointer), "+w"(vector));
}

/// Keeps g++ from using `vector` before `other` is there, and running out of registers.
template <class Vector, class Other>
[[gnu::always_inline]] inline void use_after(Vector& vector, const Other& other) {
  asm("" : "+w"(vector) : "w"(other));
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
