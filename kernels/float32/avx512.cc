// Convolution in float32 in AVX-512.
#include <immintrin.h>

#include "kernels/float32/lanes.h"

namespace tidbit::kernels::float32_tiers {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr int32_t kLanes = 16;
  static constexpr int kPixels = 14;  // 28 registers of sums

  static __m512 load(const float* p) { return _mm512_loadu_ps(p); }
  static __m512 broadcast(float x) { return _mm512_set1_ps(x); }
  static __m512 multiply_add(__m512 a, __m512 b, __m512 sum) { return _mm512_fmadd_ps(a, b, sum); }
  // The second operand results where one is NaN.
  static __m512 minimum(__m512 a, __m512 b) { return _mm512_min_ps(a, b); }
  static __m512 maximum(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
  static void store(float* p, __m512 v) { _mm512_storeu_ps(p, v); }
};

}  // namespace

constinit const Float32Kernel kAvx512 = {"float32_avx512_14x32", Convolution<Avx512>::kPanel,
                                         Convolution<Avx512>::kMostPixels, Convolution<Avx512>::run};

}  // namespace tidbit::kernels::float32_tiers
