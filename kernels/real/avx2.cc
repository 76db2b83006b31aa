// Convolution of reals in AVX2.
#include <immintrin.h>

#include "kernels/real/lanes.h"

namespace tidbit::kernels::real_tiers {
namespace {

struct Avx2 {
  using Vector = __m256d;
  static constexpr int32_t kLanes = 4;
  static constexpr int kPixels = 2;

  static __m256d zero() { return _mm256_setzero_pd(); }
  static __m256d load(const double* p) { return _mm256_loadu_pd(p); }
  static __m256d broadcast(double x) { return _mm256_set1_pd(x); }
  static __m256d widen(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
  static __m256d multiply_add(__m256d a, __m256d b, __m256d sum) { return _mm256_fmadd_pd(a, b, sum); }
  static void store(double* p, __m256d v) { _mm256_storeu_pd(p, v); }
};

}  // namespace

constinit const Tier kAvx2 = {RealConvolution<Avx2>::run, RealConvolution<Avx2>::run_depthwise};

}  // namespace tidbit::kernels::real_tiers
