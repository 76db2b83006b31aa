// Convolution in float32 in AVX2.
#include <immintrin.h>

#include "kernels/float32/lanes.h"

namespace tidbit::kernels::float32_tiers {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr int32_t kLanes = 8;
  static constexpr int kPixels = 6;  // 12 registers of sums

  static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
  static __m256 broadcast(float x) { return _mm256_set1_ps(x); }
  static __m256 multiply_add(__m256 a, __m256 b, __m256 sum) { return _mm256_fmadd_ps(a, b, sum); }
  // The second operand results where one is NaN.
  static __m256 minimum(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
  static __m256 maximum(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
  static void store(float* p, __m256 v) { _mm256_storeu_ps(p, v); }
};

}  // namespace

constinit const Float32Kernel kAvx2 = {"float32_avx2_6x16", Convolution<Avx2>::kPanel, Convolution<Avx2>::kMostPixels,
                                       Convolution<Avx2>::run};

}  // namespace tidbit::kernels::float32_tiers
