// Epilogues in AVX-512: sixteen lanes are one vector, or two of doubles.
#include <immintrin.h>

#include "kernels/epilogue/lanes.h"

namespace tidbit::kernels::epilogue_tiers {
namespace {

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

struct Avx512 {
  static constexpr bool kReals = true;

  struct Ints {
    __m512i v;
  };
  struct Floats {
    __m512 v;
  };
  struct Doubles {
    __m512d low, high;
  };

  struct All {};
  struct Some {
    __mmask16 lanes;
    __mmask8 low() const { return static_cast<__mmask8>(lanes); }
    __mmask8 high() const { return static_cast<__mmask8>(lanes >> 8); }
  };
  static Some some(int32_t count) { return {static_cast<__mmask16>((1u << count) - 1)}; }

  static Ints load(const int32_t* p, All) { return {_mm512_loadu_si512(p)}; }
  static Ints load(const int32_t* p, Some mask) { return {_mm512_maskz_loadu_epi32(mask.lanes, p)}; }
  static Floats load(const float* p, All) { return {_mm512_loadu_ps(p)}; }
  static Floats load(const float* p, Some mask) { return {_mm512_maskz_loadu_ps(mask.lanes, p)}; }
  static Doubles load(const double* p, All) { return {_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)}; }
  static Doubles load(const double* p, Some mask) {
    return {_mm512_maskz_loadu_pd(mask.low(), p), _mm512_maskz_loadu_pd(mask.high(), p + 8)};
  }
  static Ints load(const uint8_t* p, All) {
    return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static Ints load(const uint8_t* p, Some mask) { return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask.lanes, p))}; }

  static Floats broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static Doubles broadcast(double value) { return {_mm512_set1_pd(value), _mm512_set1_pd(value)}; }

  static Floats to(float, Ints x) { return {_mm512_cvtepi32_ps(x.v)}; }
  static Floats to(float, Floats x) { return x; }
  static Floats to(float, Doubles x) {
    return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(x.low)), _mm512_cvtpd_ps(x.high), 1)};
  }
  static Doubles to(double, Ints x) {
    return {_mm512_cvtepi32_pd(_mm512_castsi512_si256(x.v)), _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(x.v, 1))};
  }
  static Doubles to(double, Floats x) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(x.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1))};
  }
  static Doubles to(double, Doubles x) { return x; }

  static Ints on_grid(Ints code, int32_t step, int32_t base) {
    return {_mm512_add_epi32(_mm512_mullo_epi32(code.v, _mm512_set1_epi32(step)), _mm512_set1_epi32(base))};
  }

  static Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
  static Floats multiply(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
  static Floats maximum(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
  static Floats minimum(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
  static Doubles add(Doubles a, Doubles b) { return {_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)}; }
  static Doubles multiply(Doubles a, Doubles b) { return {_mm512_mul_pd(a.low, b.low), _mm512_mul_pd(a.high, b.high)}; }
  static Doubles maximum(Doubles a, Doubles b) { return {_mm512_max_pd(a.low, b.low), _mm512_max_pd(a.high, b.high)}; }
  static Doubles minimum(Doubles a, Doubles b) { return {_mm512_min_pd(a.low, b.low), _mm512_min_pd(a.high, b.high)}; }

  static Floats less_choose(Floats a, Floats b, Floats yes, Floats no) {
    return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), yes.v)};
  }
  static Doubles less_choose(Doubles a, Doubles b, Doubles yes, Doubles no) {
    return {_mm512_mask_mov_pd(no.low, _mm512_cmp_pd_mask(a.low, b.low, _CMP_LT_OQ), yes.low),
            _mm512_mask_mov_pd(no.high, _mm512_cmp_pd_mask(a.high, b.high, _CMP_LT_OQ), yes.high)};
  }

  static Ints less_choose(Ints a, Ints b, Ints yes, Ints no) {
    return {_mm512_mask_mov_epi32(no.v, _mm512_cmplt_epi32_mask(a.v, b.v), yes.v)};
  }

  // Fixed point: products of even lanes and of odd ones.
  struct Lines {
    __m512i even_multiplier, odd_multiplier, even_offset, odd_offset, shift;
  };
  static Lines lines(const int32_t* multiplier, const int64_t* offset, const uint8_t* shift) {
    const __m512i m = _mm512_loadu_si512(multiplier), low = _mm512_loadu_si512(offset),
                  high = _mm512_loadu_si512(offset + 8);
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), one = _mm512_set1_epi64(1);
    return {m, _mm512_srli_epi64(m, 32), _mm512_permutex2var_epi64(low, even, high),
            _mm512_permutex2var_epi64(low, _mm512_or_si512(even, one), high),
            _mm512_sub_epi32(load(shift, All{}).v, _mm512_set1_epi32(32))};
  }
  static Ints on_lines(Ints sum, const Lines& l) {
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sum.v, l.even_multiplier), l.even_offset);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(sum.v, 32), l.odd_multiplier), l.odd_offset);
    const __m512i upper = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    return {_mm512_srav_epi32(upper, l.shift)};
  }

  /// Sums are cut to int16, and compare with a step that is one, but the least, as they did. Other steps: false.
  static constexpr int32_t kManyLanes = 64;
  template <int32_t kSteps>
  static bool count_many(const int32_t* sums, ptrdiff_t sums_stride, const int32_t (&steps)[kSteps][kManyLanes],
                         int32_t lowest, uint8_t* out, ptrdiff_t out_stride, int32_t pixels) {
    // Packing works within quarters, of sums and steps alike; this puts the codes back in order, four at a time.
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    const __m512i least = _mm512_set1_epi32(INT16_MIN), greatest = _mm512_set1_epi32(INT16_MAX);
    const __m512i one = _mm512_set1_epi8(1), base = _mm512_set1_epi8(static_cast<char>(lowest));
    __m512i low[kSteps], high[kSteps];
    for (int32_t k = 0; k < kSteps; ++k) {
      for (int32_t lane = 0; lane < kManyLanes; lane += 16) {
        const __m512i step = _mm512_load_si512(steps[k] + lane);
        if ((_mm512_cmple_epi32_mask(step, least) | _mm512_cmpgt_epi32_mask(step, greatest)) != 0) return false;
      }
      low[k] = packed(steps[k]);
      high[k] = packed(steps[k] + 32);
    }
    for (int32_t p = 0; p < pixels; ++p, sums += sums_stride, out += out_stride) {
      const __m512i first = packed(sums), second = packed(sums + 32);
      __m512i codes = base;
      for (int32_t k = 0; k < kSteps; ++k) {
        const __mmask32 reached = _mm512_cmpge_epi16_mask(first, low[k]);
        const __mmask64 all = _mm512_kunpackd(_mm512_cmpge_epi16_mask(second, high[k]), reached);
        codes = _mm512_mask_add_epi8(codes, all, codes, one);
      }
      _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, codes));
    }
    return true;
  }
  static __m512i packed(const int32_t* sums) {
    return _mm512_packs_epi32(_mm512_loadu_si512(sums), _mm512_loadu_si512(sums + 16));
  }

  // Thresholds: counts are bytes.
  static int32_t flip_of(int32_t, bool falls) { return falls ? -1 : 0; }
  static float flip_of(float, bool falls) { return falls ? -0.0f : 0.0f; }
  static double flip_of(double, bool falls) { return falls ? -0.0 : 0.0; }
  static Ints flipped(Ints x, Ints flip) { return {_mm512_xor_si512(x.v, flip.v)}; }
  static Floats flipped(Floats x, Floats flip) { return {_mm512_xor_ps(x.v, flip.v)}; }
  static Doubles flipped(Doubles x, Doubles flip) {
    return {_mm512_xor_pd(x.low, flip.low), _mm512_xor_pd(x.high, flip.high)};
  }
  template <class Lanes>
  static __m128i no_counts(const Lanes&, int32_t) {
    return _mm_setzero_si128();
  }
  static void count(__m128i& counts, __mmask16 reached) {
    counts = _mm_mask_add_epi8(counts, reached, counts, _mm_set1_epi8(1));
  }
  static void count(__m128i& counts, Ints x, Ints value) { count(counts, _mm512_cmpge_epi32_mask(x.v, value.v)); }
  static void count(__m128i& counts, Floats x, Floats value) {
    count(counts, _mm512_cmp_ps_mask(x.v, value.v, _CMP_GE_OQ));
  }
  static void count(__m128i& counts, Doubles x, Doubles value) {
    const uint32_t low = _mm512_cmp_pd_mask(x.low, value.low, _CMP_GE_OQ);
    const uint32_t high = _mm512_cmp_pd_mask(x.high, value.high, _CMP_GE_OQ);
    count(counts, static_cast<__mmask16>(low | high << 8));
  }
  template <class Mask>
  static void store_counts(uint8_t* out, Mask mask, __m128i counts, int32_t lowest) {
    store_bytes(out, mask, _mm_add_epi8(counts, _mm_set1_epi8(static_cast<char>(lowest))));
  }

  static void store_bytes(uint8_t* out, All, __m128i bytes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  }
  static void store_bytes(uint8_t* out, Some mask, __m128i bytes) { _mm_mask_storeu_epi8(out, mask.lanes, bytes); }

  template <class Mask>
  static void store_codes(uint8_t* out, Mask mask, Ints x, int32_t lowest, int32_t highest) {
    const __m512i raised = _mm512_max_epi32(x.v, _mm512_set1_epi32(lowest));
    store_bytes(out, mask, _mm512_cvtepi32_epi8(_mm512_min_epi32(raised, _mm512_set1_epi32(highest))));
  }
  /// 64 lanes as bytes. Packing works within quarters; the permutation puts codes back in order, four at a time.
  static __m512i packed_bytes(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)));
  }
  static void store_many_codes(uint8_t* out, Ints a, Ints b, Ints c, Ints d, int32_t lowest, int32_t highest) {
    const __m512i least = _mm512_set1_epi8(static_cast<char>(lowest)),
                  most = _mm512_set1_epi8(static_cast<char>(highest));
    _mm512_storeu_si512(out, _mm512_min_epu8(_mm512_max_epu8(packed_bytes(a.v, b.v, c.v, d.v), least), most));
  }

  // To nearest, halves to even, whatever MXCSR says. Codes are 0 to 255.
  static Ints nearest(Floats x) { return {_mm512_cvt_roundps_epi32(x.v, kNearest)}; }
  static Ints nearest(Doubles x) {
    const __m512i low = _mm512_castsi256_si512(_mm512_cvt_roundpd_epi32(x.low, kNearest));
    return {_mm512_inserti64x4(low, _mm512_cvt_roundpd_epi32(x.high, kNearest), 1)};
  }
  template <class Mask, class Reals>
  static void store_nearest_codes(uint8_t* out, Mask mask, Reals x) {
    store_bytes(out, mask, _mm512_cvtepi32_epi8(nearest(x).v));
  }

  static void store_floats(float* out, All, Doubles x) { _mm512_storeu_ps(out, to(0.0f, x).v); }
  static void store_floats(float* out, Some mask, Doubles x) { _mm512_mask_storeu_ps(out, mask.lanes, to(0.0f, x).v); }
};

}  // namespace

constinit const Tier kAvx512 = {Vectors<Avx512>::run<int32_t>, Vectors<Avx512>::run<double>,
                                Vectors<Avx512>::run<float>};

}  // namespace tidbit::kernels::epilogue_tiers
