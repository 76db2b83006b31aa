// Epilogues in AVX2: sixteen lanes are two vectors, or four of doubles.
#include <immintrin.h>

#include <cstring>

#include "kernels/epilogue/lanes.h"

namespace tidbit::kernels::epilogue_tiers {
namespace {

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

struct Avx2 {
  static constexpr bool kReals = true;

  struct Ints {
    __m256i low, high;
  };
  struct Floats {
    __m256 low, high;
  };
  struct Doubles {
    __m256d v0, v1, v2, v3;
  };

  struct All {};
  struct Some {
    __m256i low, high;  // lanes, as sign bits
    int32_t count;
    static __m256i wide(__m128i lanes) { return _mm256_cvtepi32_epi64(lanes); }
    __m256i quarter0() const { return wide(_mm256_castsi256_si128(low)); }
    __m256i quarter1() const { return wide(_mm256_extracti128_si256(low, 1)); }
    __m256i quarter2() const { return wide(_mm256_castsi256_si128(high)); }
    __m256i quarter3() const { return wide(_mm256_extracti128_si256(high, 1)); }
  };
  static Some some(int32_t count) {
    const __m256i all = _mm256_set1_epi32(count), first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_cmpgt_epi32(all, first), _mm256_cmpgt_epi32(all, _mm256_add_epi32(first, _mm256_set1_epi32(8))),
            count};
  }

  /// Less than sixteen bytes, in pieces of one size that may overlap.
  template <class Piece>
  static void copy_pieces(uint8_t* out, const uint8_t* in, int32_t count) {
    Piece first, last;
    std::memcpy(&first, in, sizeof(Piece));
    std::memcpy(&last, in + count - sizeof(Piece), sizeof(Piece));
    std::memcpy(out, &first, sizeof(Piece));
    std::memcpy(out + count - sizeof(Piece), &last, sizeof(Piece));
  }
  static void copy(uint8_t* out, const uint8_t* in, int32_t count) {
    if (count >= 8) return copy_pieces<uint64_t>(out, in, count);
    if (count >= 4) return copy_pieces<uint32_t>(out, in, count);
    for (int32_t i = 0; i < count; ++i) out[i] = in[i];
  }

  static Ints load(const int32_t* p, All) {
    const auto* v = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  static Ints load(const int32_t* p, const Some& mask) {
    return {_mm256_maskload_epi32(p, mask.low), _mm256_maskload_epi32(p + 8, mask.high)};
  }
  static Floats load(const float* p, All) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Floats load(const float* p, const Some& mask) {
    return {_mm256_maskload_ps(p, mask.low), _mm256_maskload_ps(p + 8, mask.high)};
  }
  static Doubles load(const double* p, All) {
    return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4), _mm256_loadu_pd(p + 8), _mm256_loadu_pd(p + 12)};
  }
  static Doubles load(const double* p, const Some& mask) {
    return {_mm256_maskload_pd(p, mask.quarter0()), _mm256_maskload_pd(p + 4, mask.quarter1()),
            _mm256_maskload_pd(p + 8, mask.quarter2()), _mm256_maskload_pd(p + 12, mask.quarter3())};
  }
  static Ints load(const uint8_t* p, All) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes))};
  }
  static Ints load(const uint8_t* p, const Some& mask) {
    alignas(16) uint8_t bytes[16] = {};
    copy(bytes, p, mask.count);
    return load(bytes, All{});
  }

  static Floats broadcast(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static Doubles broadcast(double value) {
    const __m256d v = _mm256_set1_pd(value);
    return {v, v, v, v};
  }

  static Floats to(float, Ints x) { return {_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
  static Floats to(float, Floats x) { return x; }
  static Floats to(float, Doubles x) {
    return {_mm256_set_m128(_mm256_cvtpd_ps(x.v1), _mm256_cvtpd_ps(x.v0)),
            _mm256_set_m128(_mm256_cvtpd_ps(x.v3), _mm256_cvtpd_ps(x.v2))};
  }
  static Doubles to(double, Ints x) {
    return {_mm256_cvtepi32_pd(_mm256_castsi256_si128(x.low)), _mm256_cvtepi32_pd(_mm256_extracti128_si256(x.low, 1)),
            _mm256_cvtepi32_pd(_mm256_castsi256_si128(x.high)),
            _mm256_cvtepi32_pd(_mm256_extracti128_si256(x.high, 1))};
  }
  static Doubles to(double, Floats x) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(x.low)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.low, 1)),
            _mm256_cvtps_pd(_mm256_castps256_ps128(x.high)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.high, 1))};
  }
  static Doubles to(double, const Doubles& x) { return x; }

  static Ints on_grid(Ints code, int32_t step, int32_t base) {
    const __m256i steps = _mm256_set1_epi32(step), bases = _mm256_set1_epi32(base);
    return {_mm256_add_epi32(_mm256_mullo_epi32(code.low, steps), bases),
            _mm256_add_epi32(_mm256_mullo_epi32(code.high, steps), bases)};
  }

  static Floats add(Floats a, Floats b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  static Floats multiply(Floats a, Floats b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static Floats maximum(Floats a, Floats b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
  static Floats minimum(Floats a, Floats b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
  static Doubles add(const Doubles& a, const Doubles& b) {
    return {_mm256_add_pd(a.v0, b.v0), _mm256_add_pd(a.v1, b.v1), _mm256_add_pd(a.v2, b.v2), _mm256_add_pd(a.v3, b.v3)};
  }
  static Doubles multiply(const Doubles& a, const Doubles& b) {
    return {_mm256_mul_pd(a.v0, b.v0), _mm256_mul_pd(a.v1, b.v1), _mm256_mul_pd(a.v2, b.v2), _mm256_mul_pd(a.v3, b.v3)};
  }
  static Doubles maximum(const Doubles& a, const Doubles& b) {
    return {_mm256_max_pd(a.v0, b.v0), _mm256_max_pd(a.v1, b.v1), _mm256_max_pd(a.v2, b.v2), _mm256_max_pd(a.v3, b.v3)};
  }
  static Doubles minimum(const Doubles& a, const Doubles& b) {
    return {_mm256_min_pd(a.v0, b.v0), _mm256_min_pd(a.v1, b.v1), _mm256_min_pd(a.v2, b.v2), _mm256_min_pd(a.v3, b.v3)};
  }

  static __m256 less_choose(__m256 a, __m256 b, __m256 yes, __m256 no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static __m256d less_choose(__m256d a, __m256d b, __m256d yes, __m256d no) {
    return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_LT_OQ));
  }
  static Floats less_choose(Floats a, Floats b, Floats yes, Floats no) {
    return {less_choose(a.low, b.low, yes.low, no.low), less_choose(a.high, b.high, yes.high, no.high)};
  }
  static Doubles less_choose(const Doubles& a, const Doubles& b, const Doubles& yes, const Doubles& no) {
    return {less_choose(a.v0, b.v0, yes.v0, no.v0), less_choose(a.v1, b.v1, yes.v1, no.v1),
            less_choose(a.v2, b.v2, yes.v2, no.v2), less_choose(a.v3, b.v3, yes.v3, no.v3)};
  }

  static __m256i less_choose(__m256i a, __m256i b, __m256i yes, __m256i no) {
    return _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(b, a));
  }
  static Ints less_choose(Ints a, Ints b, Ints yes, Ints no) {
    return {less_choose(a.low, b.low, yes.low, no.low), less_choose(a.high, b.high, yes.high, no.high)};
  }

  // Fixed point: products of even lanes and of odd ones.
  struct HalfLines {
    __m256i even_multiplier, odd_multiplier, even_offset, odd_offset, shift;
  };
  struct Lines {
    HalfLines low, high;
  };
  static HalfLines half_lines(const int32_t* multiplier, const int64_t* offset, __m256i shift) {
    const auto at = [](const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); };
    const __m256i m = at(multiplier), low = at(offset), high = at(offset + 4);
    const auto in_order = [](__m256i x) { return _mm256_permute4x64_epi64(x, 0xd8); };
    return {m, _mm256_srli_epi64(m, 32), in_order(_mm256_unpacklo_epi64(low, high)),
            in_order(_mm256_unpackhi_epi64(low, high)), _mm256_sub_epi32(shift, _mm256_set1_epi32(32))};
  }
  static Lines lines(const int32_t* multiplier, const int64_t* offset, const uint8_t* shift) {
    const Ints shifts = load(shift, All{});
    return {half_lines(multiplier, offset, shifts.low), half_lines(multiplier + 8, offset + 8, shifts.high)};
  }
  static __m256i on_lines(__m256i sum, const HalfLines& l) {
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(sum, l.even_multiplier), l.even_offset);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(sum, 32), l.odd_multiplier), l.odd_offset);
    return _mm256_srav_epi32(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa), l.shift);
  }
  static Ints on_lines(Ints sum, const Lines& l) { return {on_lines(sum.low, l.low), on_lines(sum.high, l.high)}; }

  static constexpr int32_t kManyLanes = 0;  // channels are counted sixteen at a time

  // Thresholds: counts are negative int32, or int64 in the lanes of doubles.
  struct WideCounts {
    __m256i v0, v1, v2, v3;
  };
  static int32_t flip_of(int32_t, bool falls) { return falls ? -1 : 0; }
  static float flip_of(float, bool falls) { return falls ? -0.0f : 0.0f; }
  static double flip_of(double, bool falls) { return falls ? -0.0 : 0.0; }
  static Ints flipped(Ints x, Ints flip) {
    return {_mm256_xor_si256(x.low, flip.low), _mm256_xor_si256(x.high, flip.high)};
  }
  static Floats flipped(Floats x, Floats flip) {
    return {_mm256_xor_ps(x.low, flip.low), _mm256_xor_ps(x.high, flip.high)};
  }
  static Doubles flipped(const Doubles& x, const Doubles& flip) {
    return {_mm256_xor_pd(x.v0, flip.v0), _mm256_xor_pd(x.v1, flip.v1), _mm256_xor_pd(x.v2, flip.v2),
            _mm256_xor_pd(x.v3, flip.v3)};
  }
  /// What integers do not reach is taken off the number of steps: there is no comparison but "greater".
  static Ints no_counts(const Ints&, int32_t steps) {
    const __m256i all = _mm256_set1_epi32(-steps);
    return {all, all};
  }
  static Ints no_counts(const Floats&, int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static WideCounts no_counts(const Doubles&, int32_t) {
    const __m256i zero = _mm256_setzero_si256();
    return {zero, zero, zero, zero};
  }
  static void count(Ints& counts, Ints x, Ints value) {
    counts.low = _mm256_sub_epi32(counts.low, _mm256_cmpgt_epi32(value.low, x.low));
    counts.high = _mm256_sub_epi32(counts.high, _mm256_cmpgt_epi32(value.high, x.high));
  }
  static __m256i reached(__m256 x, __m256 value) { return _mm256_castps_si256(_mm256_cmp_ps(x, value, _CMP_GE_OQ)); }
  static __m256i reached(__m256d x, __m256d value) { return _mm256_castpd_si256(_mm256_cmp_pd(x, value, _CMP_GE_OQ)); }
  static void count(Ints& counts, Floats x, Floats value) {
    counts.low = _mm256_add_epi32(counts.low, reached(x.low, value.low));
    counts.high = _mm256_add_epi32(counts.high, reached(x.high, value.high));
  }
  static void count(WideCounts& counts, const Doubles& x, const Doubles& value) {
    counts.v0 = _mm256_add_epi64(counts.v0, reached(x.v0, value.v0));
    counts.v1 = _mm256_add_epi64(counts.v1, reached(x.v1, value.v1));
    counts.v2 = _mm256_add_epi64(counts.v2, reached(x.v2, value.v2));
    counts.v3 = _mm256_add_epi64(counts.v3, reached(x.v3, value.v3));
  }
  static __m256i narrowed(__m256i a, __m256i b) {
    const __m256 even = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xd8);
  }
  template <class Mask>
  static void store_counts(uint8_t* out, const Mask& mask, const WideCounts& counts, int32_t lowest) {
    store_counts(out, mask, Ints{narrowed(counts.v0, counts.v1), narrowed(counts.v2, counts.v3)}, lowest);
  }
  template <class Mask>
  static void store_counts(uint8_t* out, const Mask& mask, Ints counts, int32_t lowest) {
    const __m256i all = _mm256_set1_epi32(lowest);
    store_codes(out, mask, _mm256_sub_epi32(all, counts.low), _mm256_sub_epi32(all, counts.high));
  }

  template <class Mask>
  static void store_codes(uint8_t* out, const Mask& mask, __m256i low, __m256i high) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    store_bytes(out, mask, _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  template <class Mask>
  static void store_codes(uint8_t* out, const Mask& mask, Ints x, int32_t lowest, int32_t highest) {
    const __m256i least = _mm256_set1_epi32(lowest), most = _mm256_set1_epi32(highest);
    store_codes(out, mask, _mm256_min_epi32(_mm256_max_epi32(x.low, least), most),
                _mm256_min_epi32(_mm256_max_epi32(x.high, least), most));
  }
  static void store_bytes(uint8_t* out, All, __m128i bytes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  }
  static void store_bytes(uint8_t* out, const Some& mask, __m128i bytes) {
    alignas(16) uint8_t codes[16];
    store_bytes(codes, All{}, bytes);
    copy(out, codes, mask.count);
  }

  // To nearest, halves to even, whatever MXCSR says. Codes are 0 to 255.
  static __m128i nearest(__m256d x) { return _mm256_cvttpd_epi32(_mm256_round_pd(x, kNearest)); }
  template <class Mask>
  static void store_nearest_codes(uint8_t* out, const Mask& mask, Floats x) {
    store_codes(out, mask, _mm256_cvttps_epi32(_mm256_round_ps(x.low, kNearest)),
                _mm256_cvttps_epi32(_mm256_round_ps(x.high, kNearest)));
  }
  template <class Mask>
  static void store_nearest_codes(uint8_t* out, const Mask& mask, const Doubles& x) {
    store_codes(out, mask, _mm256_set_m128i(nearest(x.v1), nearest(x.v0)),
                _mm256_set_m128i(nearest(x.v3), nearest(x.v2)));
  }

  static void store_floats(float* out, All, const Doubles& x) {
    const Floats floats = to(0.0f, x);
    _mm256_storeu_ps(out, floats.low);
    _mm256_storeu_ps(out + 8, floats.high);
  }
  static void store_floats(float* out, const Some& mask, const Doubles& x) {
    const Floats floats = to(0.0f, x);
    _mm256_maskstore_ps(out, mask.low, floats.low);
    _mm256_maskstore_ps(out + 8, mask.high, floats.high);
  }
};

}  // namespace

constinit const Tier kAvx2 = {Vectors<Avx2>::run<int32_t>, Vectors<Avx2>::run<double>, Vectors<Avx2>::run<float>};

}  // namespace tidbit::kernels::epilogue_tiers
