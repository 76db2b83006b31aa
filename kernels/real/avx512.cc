// Convolution of reals in AVX-512.
// g++ 12 takes what its own intrinsics leave undefined for a mistake.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/real/lanes.h"

namespace tidbit::kernels::real_tiers {
namespace {

struct Avx512 {
  using Vector = __m512d;
  static constexpr int32_t kLanes = 8;
  static constexpr int kPixels = 8;

  static __m512d zero() { return _mm512_setzero_pd(); }
  static __m512d load(const double* p) { return _mm512_loadu_pd(p); }
  static __m512d broadcast(double x) { return _mm512_set1_pd(x); }
  static __m512d widen(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static __m512d multiply_add(__m512d a, __m512d b, __m512d sum) { return _mm512_fmadd_pd(a, b, sum); }
  static void store(double* p, __m512d v) { _mm512_storeu_pd(p, v); }
};

}  // namespace

constinit const Tier kAvx512 = {RealConvolution<Avx512>::run, RealConvolution<Avx512>::run_depthwise};

}  // namespace tidbit::kernels::real_tiers
