// Pooling in AVX-512.
#include <immintrin.h>

#include "kernels/pool/lanes.h"

namespace tidbit::kernels::pool_tiers {
namespace {

struct Avx512 {
  static const Tier& below() { return kAvx2; }

  struct Bytes {
    static constexpr int32_t kCount = 64;
    static __m512i lowest() { return _mm512_setzero_si512(); }
    static __m512i load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static __m512i greater(__m512i x, __m512i most) { return _mm512_max_epu8(x, most); }
    static void store(uint8_t* p, __m512i v) { _mm512_storeu_si512(p, v); }
  };

  struct FewBytes {
    static constexpr int32_t kCount = 16;
    static __m128i lowest() { return _mm_setzero_si128(); }
    static __m128i load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
    static __m128i greater(__m128i x, __m128i most) { return _mm_max_epu8(x, most); }
    static void store(uint8_t* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
  };

  struct Floats {
    static constexpr int32_t kCount = 16;
    static __m512 lowest() { return _mm512_set1_ps(-__builtin_inff()); }
    static __m512 load(const float* p) { return _mm512_loadu_ps(p); }
    static __m512 greater(__m512 x, __m512 most) { return _mm512_max_ps(x, most); }  // `most` where x is NaN
    static void store(float* p, __m512 v) { _mm512_storeu_ps(p, v); }
  };

  struct Words {
    static constexpr int32_t kCount = 32;
    struct Sums {
      __m512i low, high;
    };
    static Sums no_sums() { return {zero(), zero()}; }
    static __m512i zero() { return _mm512_setzero_si512(); }
    static __m512i load(const uint8_t* p) {
      return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
    static void flush(Sums& total, __m512i& part) {
      total.low = _mm512_add_epi32(total.low, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(part)));
      total.high = _mm512_add_epi32(total.high, _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(part, 1)));
      part = zero();
    }
    static void store(int32_t* p, const Sums& total, int32_t step, int32_t base) {
      _mm512_storeu_si512(p, on_grid(total.low, step, base));
      _mm512_storeu_si512(p + 16, on_grid(total.high, step, base));
    }
    static __m512i on_grid(__m512i sum, int32_t step, int32_t base) {
      return _mm512_add_epi32(_mm512_mullo_epi32(sum, _mm512_set1_epi32(step)), _mm512_set1_epi32(base));
    }
  };
};

}  // namespace

constinit const Tier kAvx512 = {Pools<Avx512>::max_codes, Pools<Avx512>::max_reals, Pools<Avx512>::sum_codes};

}  // namespace tidbit::kernels::pool_tiers
