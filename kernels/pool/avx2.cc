// Pooling in AVX2.
#include <immintrin.h>

#include "kernels/pool/lanes.h"

namespace tidbit::kernels::pool_tiers {
namespace {

struct Avx2 {
  static const Tier& below() { return kScalar; }

  struct Bytes {
    static constexpr int32_t kCount = 32;
    static __m256i lowest() { return _mm256_setzero_si256(); }
    static __m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static __m256i greater(__m256i x, __m256i most) { return _mm256_max_epu8(x, most); }
    static void store(uint8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  };

  struct FewBytes {
    static constexpr int32_t kCount = 8;
    static __m128i lowest() { return _mm_setzero_si128(); }
    static __m128i load(const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
    static __m128i greater(__m128i x, __m128i most) { return _mm_max_epu8(x, most); }
    static void store(uint8_t* p, __m128i v) { _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v); }
  };

  struct Floats {
    static constexpr int32_t kCount = 8;
    static __m256 lowest() { return _mm256_set1_ps(-__builtin_inff()); }
    static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
    static __m256 greater(__m256 x, __m256 most) { return _mm256_max_ps(x, most); }  // `most` where x is NaN
    static void store(float* p, __m256 v) { _mm256_storeu_ps(p, v); }
  };

  struct Words {
    static constexpr int32_t kCount = 16;
    struct Sums {
      __m256i low, high;
    };
    static Sums no_sums() { return {zero(), zero()}; }
    static __m256i zero() { return _mm256_setzero_si256(); }
    static __m256i load(const uint8_t* p) {
      return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static __m256i add(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
    static void flush(Sums& total, __m256i& part) {
      total.low = _mm256_add_epi32(total.low, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(part)));
      total.high = _mm256_add_epi32(total.high, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(part, 1)));
      part = zero();
    }
    static void store(int32_t* p, const Sums& total, int32_t step, int32_t base) {
      auto* out = reinterpret_cast<__m256i*>(p);
      _mm256_storeu_si256(out, on_grid(total.low, step, base));
      _mm256_storeu_si256(out + 1, on_grid(total.high, step, base));
    }
    static __m256i on_grid(__m256i sum, int32_t step, int32_t base) {
      return _mm256_add_epi32(_mm256_mullo_epi32(sum, _mm256_set1_epi32(step)), _mm256_set1_epi32(base));
    }
  };
};

}  // namespace

constinit const Tier kAvx2 = {Pools<Avx2>::max_codes, Pools<Avx2>::max_reals, Pools<Avx2>::sum_codes};

}  // namespace tidbit::kernels::pool_tiers
