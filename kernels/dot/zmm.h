// Registers of 512 bits, for the loops over panels; for ISA files alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace tidbit::kernels::dot {
namespace {

struct Zmm {
  using Vec = __m512i;
  using Half = __m256i;
  using Words = uint16_t __attribute__((vector_size(64), may_alias));
  using HalfWords = uint16_t __attribute__((vector_size(32), may_alias));
  static constexpr int32_t kLanes = 16;
  static constexpr int32_t kVectors = 2;
  static constexpr int32_t kLonePixels = 28;
  static constexpr int32_t kPixels = 14;

  static Vec load(const void* p) { return _mm512_loadu_si512(p); }
  static Half load_half(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, Vec v) { _mm512_storeu_si512(p, v); }
  static Vec zero() { return _mm512_setzero_si512(); }
  static Vec broadcast_value(uint32_t value) { return _mm512_set1_epi32(static_cast<int32_t>(value)); }
  static Half half_of(uint32_t value) { return _mm256_set1_epi32(static_cast<int32_t>(value)); }
  static Vec add(Vec x, Vec y) { return _mm512_add_epi32(x, y); }
  static Vec add16(Vec x, Vec y) { return _mm512_add_epi16(x, y); }
  static Vec mul16(Vec x, Vec y) { return _mm512_mullo_epi16(x, y); }
  static Vec madd(Vec x, Vec y) { return _mm512_madd_epi16(x, y); }
  static Vec maddubs(Vec a, Vec b) { return _mm512_maddubs_epi16(a, b); }
  static Vec both(Vec x, Vec y) { return _mm512_and_si512(x, y); }
  static Half both(Half x, Half y) { return _mm256_and_si256(x, y); }
  static Vec shifted(Vec v, int32_t count) {
    return reinterpret_cast<Vec>(reinterpret_cast<Words>(v) >> static_cast<uint16_t>(count));
  }
  static Half shifted(Half v, int32_t count) {
    return reinterpret_cast<Half>(reinterpret_cast<HalfWords>(v) >> static_cast<uint16_t>(count));
  }
  static Vec lookup(Vec table, Vec codes) { return _mm512_shuffle_epi8(table, codes); }
  static Vec widened(Half bytes) { return _mm512_cvtepu8_epi16(bytes); }
};

}  // namespace
}  // namespace tidbit::kernels::dot
