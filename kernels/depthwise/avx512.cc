// Depthwise convolution in AVX-512.
#include <immintrin.h>

#include "kernels/depthwise/lanes.h"

namespace tidbit::kernels::depthwise_tiers {
namespace {

struct Avx512 {
  using Vector = __m512i;
  static constexpr bool kAddsPairs = true;
  static constexpr int64_t kMostNarrowCode = 255;
  static bool few(int32_t channels) { return channels <= 32 || (channels > 64 && channels <= 96); }  // measured
  static const Tier& below() { return kAvx2; }

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector broadcast(int32_t value) { return _mm512_set1_epi32(value); }
  static Vector load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static Vector load_words(const uint8_t* p) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store(int32_t* p, Vector v) { _mm512_storeu_si512(p, v); }

  static void store_some(int32_t* p, int32_t count, Vector v) {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << count) - 1), v);
  }

  static Vector add16(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  static Vector multiply32(Vector a, Vector b) { return _mm512_mullo_epi32(a, b); }
  static Vector multiply_bytes(Vector codes, Vector weights) { return _mm512_maddubs_epi16(codes, weights); }
  static Vector multiply_words(Vector codes, Vector weights) { return _mm512_madd_epi16(codes, weights); }
  static Vector low_bytes(Vector a, Vector b) { return _mm512_unpacklo_epi8(a, b); }
  static Vector high_bytes(Vector a, Vector b) { return _mm512_unpackhi_epi8(a, b); }
  static Vector low_words(Vector a, Vector b) { return _mm512_unpacklo_epi16(a, b); }
  static Vector high_words(Vector a, Vector b) { return _mm512_unpackhi_epi16(a, b); }

  /// int32 sums in order, from what unpacking left in the low and high halves of each 16 bytes.
  static void order_words(Vector low, Vector high, Vector (&sums)[2]) {
    sums[0] = _mm512_permutex2var_epi64(low, first_lanes(), high);
    sums[1] = _mm512_permutex2var_epi64(low, last_lanes(), high);
  }
  static void widen(Vector low, Vector high, Vector (&sums)[4]) {
    Vector words[2];
    order_words(low, high, words);
    for (int32_t half = 0; half < 2; ++half) {
      sums[2 * half] = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(words[half]));
      sums[2 * half + 1] = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(words[half], 1));
    }
  }

  static Vector first_lanes() { return _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11); }
  static Vector last_lanes() { return _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15); }
};

}  // namespace

constinit const Tier kAvx512 = {Forms<Avx512>::weight_bytes, Forms<Avx512>::pack_weights, Forms<Avx512>::run};

}  // namespace tidbit::kernels::depthwise_tiers
