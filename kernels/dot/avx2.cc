// 256 bits: PMADDUBSW where sums fit int16, else PMADDWD.
#include <immintrin.h>

#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"

namespace tidbit::kernels::dot {
namespace {

struct Ymm {
  using Vec = __m256i;
  using Half = __m128i;
  using Words = uint16_t __attribute__((vector_size(32), may_alias));
  using HalfWords = uint16_t __attribute__((vector_size(16), may_alias));
  static constexpr int32_t kLanes = 8;
  static constexpr int32_t kVectors = 2;
  static constexpr int32_t kPixels = 6;

  static Vec load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Half load_half(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static void store(void* p, Vec v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  static Vec zero() { return _mm256_setzero_si256(); }
  static Vec broadcast_value(uint32_t value) { return _mm256_set1_epi32(static_cast<int32_t>(value)); }
  static Half half_of(uint32_t value) { return _mm_set1_epi32(static_cast<int32_t>(value)); }
  static Vec add(Vec x, Vec y) { return _mm256_add_epi32(x, y); }
  static Vec add16(Vec x, Vec y) { return _mm256_add_epi16(x, y); }
  static Vec mul16(Vec x, Vec y) { return _mm256_mullo_epi16(x, y); }
  static Vec madd(Vec x, Vec y) { return _mm256_madd_epi16(x, y); }
  static Vec maddubs(Vec a, Vec b) { return _mm256_maddubs_epi16(a, b); }
  static Vec both(Vec x, Vec y) { return _mm256_and_si256(x, y); }
  static Half both(Half x, Half y) { return _mm_and_si128(x, y); }
  static Vec shifted(Vec v, int32_t count) {
    return reinterpret_cast<Vec>(reinterpret_cast<Words>(v) >> static_cast<uint16_t>(count));
  }
  static Half shifted(Half v, int32_t count) {
    return reinterpret_cast<Half>(reinterpret_cast<HalfWords>(v) >> static_cast<uint16_t>(count));
  }
  static Vec lookup(Vec table, Vec codes) { return _mm256_shuffle_epi8(table, codes); }
  static Vec widened(Half bytes) { return _mm256_cvtepu8_epi16(bytes); }
};

// Measured on Zen 4, built by g++ 12; on Emerald Rapids they are within a tenth.
double narrow_cost(const GemmProblem& problem) noexcept {
  const double group = 0.65 + 2.5 / fitting_int16(problem, false);
  const PanelCycles cycles = {.group = group, .sums = 8, .unpack = 2, .direct = 1, .byte = 0.06, .pack = 0.06};
  return dot::cost(problem, kForm<Narrow<Ymm>>, cycles);
}

double wide_cost(const GemmProblem& problem) noexcept {
  constexpr PanelCycles kCycles = {.group = 0.68, .sums = 5, .unpack = 1.5, .direct = 0.9, .byte = 0.06, .pack = 0.08};
  return dot::cost(problem, kForm<Wide<Ymm>>, kCycles);
}

template <class Mode, class Value>
constexpr GemmKernel kernel(std::string_view name, double (*cost)(const GemmProblem&) noexcept) {
  return {
      .name = name,
      .family = Family::Dot,
      .isa = Isa::Avx2,
      .tile_pixels = Mode::kPixels,
      .tile_channels = kForm<Mode>.lanes * kForm<Mode>.vectors,
      .supports = supports_panels<Mode>,
      .cost = cost,
      .packed_sizes = packed_panels_sizes<Mode>,
      .pack_weights = pack_panels_weights<Mode>,
      .pack_image = pack_panels_image<Mode, Value>,
      .run = run_panels<Mode>,
  };
}

constexpr GemmKernel kTable[] = {
    kernel<Narrow<Ymm>, uint8_t>("dot_avx2_narrow_6x16", narrow_cost),
    kernel<Wide<Ymm>, int16_t>("dot_avx2_6x16", wide_cost),
};

}  // namespace

constinit const std::span<const GemmKernel> kAvx2 = kTable;

}  // namespace tidbit::kernels::dot
