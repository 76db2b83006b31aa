// Depthwise convolution in AVX2, and in vectors of half its size where channels are few.
#include <immintrin.h>

#include "kernels/depthwise/lanes.h"

namespace tidbit::kernels::depthwise_tiers {
namespace {

struct Half {
  using Vector = __m128i;
  static constexpr bool kAddsPairs = true;
  static constexpr int64_t kMostNarrowCode = 255;
  static bool few(int32_t) { return false; }
  static const Tier& below() { return kScalar; }

  static Vector zero() { return _mm_setzero_si128(); }
  static Vector broadcast(int32_t value) { return _mm_set1_epi32(value); }
  static Vector load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static Vector load_words(const uint8_t* p) {
    return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static void store(int32_t* p, Vector v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }

  static void store_some(int32_t* p, int32_t count, Vector v) {
    _mm_maskstore_epi32(p, _mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3)), v);
  }

  static Vector add16(Vector a, Vector b) { return _mm_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm_add_epi32(a, b); }
  static Vector multiply32(Vector a, Vector b) { return _mm_mullo_epi32(a, b); }
  static Vector multiply_bytes(Vector codes, Vector weights) { return _mm_maddubs_epi16(codes, weights); }
  static Vector multiply_words(Vector codes, Vector weights) { return _mm_madd_epi16(codes, weights); }
  static Vector low_bytes(Vector a, Vector b) { return _mm_unpacklo_epi8(a, b); }
  static Vector high_bytes(Vector a, Vector b) { return _mm_unpackhi_epi8(a, b); }
  static Vector low_words(Vector a, Vector b) { return _mm_unpacklo_epi16(a, b); }
  static Vector high_words(Vector a, Vector b) { return _mm_unpackhi_epi16(a, b); }

  static void order_words(Vector low, Vector high, Vector (&sums)[2]) {
    sums[0] = low;
    sums[1] = high;
  }
  static void widen(Vector low, Vector high, Vector (&sums)[4]) {
    sums[0] = _mm_cvtepi16_epi32(low);
    sums[1] = _mm_cvtepi16_epi32(_mm_unpackhi_epi64(low, low));
    sums[2] = _mm_cvtepi16_epi32(high);
    sums[3] = _mm_cvtepi16_epi32(_mm_unpackhi_epi64(high, high));
  }
};

constexpr Tier kHalf = {Forms<Half>::weight_bytes, Forms<Half>::pack_weights, Forms<Half>::run};

struct Avx2 {
  using Vector = __m256i;
  static constexpr bool kAddsPairs = true;
  static constexpr int64_t kMostNarrowCode = 255;
  static bool few(int32_t channels) { return channels <= 16; }
  static const Tier& below() { return kHalf; }

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector broadcast(int32_t value) { return _mm256_set1_epi32(value); }
  static Vector load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Vector load_words(const uint8_t* p) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store(int32_t* p, Vector v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

  static void store_some(int32_t* p, int32_t count, Vector v) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_epi32(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes), v);
  }

  static Vector add16(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  static Vector multiply32(Vector a, Vector b) { return _mm256_mullo_epi32(a, b); }
  static Vector multiply_bytes(Vector codes, Vector weights) { return _mm256_maddubs_epi16(codes, weights); }
  static Vector multiply_words(Vector codes, Vector weights) { return _mm256_madd_epi16(codes, weights); }
  static Vector low_bytes(Vector a, Vector b) { return _mm256_unpacklo_epi8(a, b); }
  static Vector high_bytes(Vector a, Vector b) { return _mm256_unpackhi_epi8(a, b); }
  static Vector low_words(Vector a, Vector b) { return _mm256_unpacklo_epi16(a, b); }
  static Vector high_words(Vector a, Vector b) { return _mm256_unpackhi_epi16(a, b); }

  /// int32 sums in order, from what unpacking left in the low and high halves of each 16 bytes.
  static void order_words(Vector low, Vector high, Vector (&sums)[2]) {
    sums[0] = _mm256_permute2x128_si256(low, high, 0x20);
    sums[1] = _mm256_permute2x128_si256(low, high, 0x31);
  }
  static void widen(Vector low, Vector high, Vector (&sums)[4]) {
    sums[0] = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(low));
    sums[1] = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(high));
    sums[2] = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(low, 1));
    sums[3] = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(high, 1));
  }
};

}  // namespace

constinit const Tier kAvx2 = {Forms<Avx2>::weight_bytes, Forms<Avx2>::pack_weights, Forms<Avx2>::run};

}  // namespace tidbit::kernels::depthwise_tiers
