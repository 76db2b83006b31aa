// Registers of 256 bits, for the loops over panels; for ISA files alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace tidbit::kernels::dot {
namespace {

struct Ymm {
  using Vec = __m256i;
  using Half = __m128i;
  using Words = uint16_t __attribute__((vector_size(32), may_alias));
  using HalfWords = uint16_t __attribute__((vector_size(16), may_alias));
  static constexpr int32_t kLanes = 8;
  static constexpr int32_t kVectors = 2;
  static constexpr int32_t kLonePixels = 12;
  static constexpr int32_t kPixels = 6;

  static Vec load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Half load_half(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static void store(void* p, Vec v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  static Vec zero() { return _mm256_setzero_si256(); }
  static Vec broadcast_value(uint32_t value) { return _mm256_set1_epi32(static_cast<int32_t>(value)); }
  static Half half_of(uint32_t value) { return _mm_set1_epi32(static_cast<int32_t>(value)); }
  static Vec add(Vec x, Vec y) { return _mm256_add_epi32(x, y); }
  static Vec add16(Vec x, Vec y) { return _mm256_add_epi16(x, y); }
  static Vec mul16(Vec x, Vec y) { return _mm256_mullo_epi16(x, y); }
  static Vec madd(Vec x, Vec y) { return _mm256_madd_epi16(x, y); }
  static Vec maddubs(Vec a, Vec b) { return _mm256_maddubs_epi16(a, b); }
  static Vec both(Vec x, Vec y) { return _mm256_and_si256(x, y); }
  static Half both(Half x, Half y) { return _mm_and_si128(x, y); }
  static Vec shifted(Vec v, int32_t count) {
    return reinterpret_cast<Vec>(reinterpret_cast<Words>(v) >> static_cast<uint16_t>(count));
  }
  static Half shifted(Half v, int32_t count) {
    return reinterpret_cast<Half>(reinterpret_cast<HalfWords>(v) >> static_cast<uint16_t>(count));
  }
  static Vec lookup(Vec table, Vec codes) { return _mm256_shuffle_epi8(table, codes); }
  static Vec widened(Half bytes) { return _mm256_cvtepu8_epi16(bytes); }
};

}  // namespace
}  // namespace tidbit::kernels::dot
