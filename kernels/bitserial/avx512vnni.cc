// Bit-serial with VPOPCNTD.
//
// Pairs of planes are counted in the order of falling exponents, in the same registers, which are doubled whenever the
// exponent falls and negated whenever the sign changes: sum 2^e * count_e by Horner's rule.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/bitserial/planes_avx512.h"
#include "kernels/bitserial/tiles.h"

namespace tidbit::kernels::bitserial {
namespace {

/// A word in all lanes.
__m512i broadcast_word(const std::byte* bytes) {
  int32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return _mm512_set1_epi32(word);
}

/// counts + popcount(a & b), written out because g++ 12 copies and spills the registers of what it schedules itself.
__attribute__((always_inline)) inline __m512i count(__m512i counts, __m512i a, __m512i b) {
  __m512i both;
  asm("vpandd %[b], %[a], %[both]\n\t"
      "vpopcntd %[both], %[both]\n\t"
      "vpaddd %[both], %[counts], %[counts]"
      : [counts] "+v"(counts), [both] "=&v"(both)
      : [a] "v"(a), [b] "v"(b));
  return counts;
}

struct Tier {
  static constexpr Form kForm = {.tile = 64, .vector = 16, .word_bytes = 4, .byte_channels = 8};
  static constexpr int32_t kPixels = 4, kVectors = 4;
  // Three instructions a word, of which one is a popcount, on two ports: the same on both kinds of cores.
  static Cycles cycles(Core /*core*/) {
    return {.word = 1.54,
            .lone_word = 2.2,
            .pair = 0.5,
            .vector = 1,
            .window = 4,
            .pack_pixel = 1.5,
            .pack_byte = 0.3,
            .panel = 18,
            .skips_rows = true,
            .skips_taps = true};
  }
  static constexpr PackPixels pack_pixels = pack_pixels_avx512;

  using Bits = __m256i;

  static void count_run(Bits& bits, const std::byte* run, size_t bytes) {
    for (; bytes > 32; bytes -= 32, run += 32) {
      bits = _mm256_add_epi64(bits, _mm256_popcnt_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(run))));
    }
    const __m256i last = _mm256_maskz_loadu_epi8(static_cast<__mmask32>(~uint32_t{0} >> (32 - bytes)), run);
    bits = _mm256_add_epi64(bits, _mm256_popcnt_epi64(last));
  }

  static uint32_t total(Bits bits) {
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    return static_cast<uint32_t>(_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half))));
  }

  template <int32_t P, int32_t V>
  __attribute__((noinline)) static void run(const Block& block) {
    constexpr std::integral_constant<int32_t, 0> kFirst{};
    constexpr std::integral_constant<int32_t, 1> kSecond{};
    constexpr std::integral_constant<int32_t, P - 1> kLast{};
    constexpr std::integral_constant<int32_t, P> kPast{};
    const size_t word_step = block.word_step;
    const std::byte* windows[P];
    unroll<P>([&](auto p) { windows[p] = block.windows[p]; });
    __m512i counts[P][V];
    const auto for_each_count = [&](auto&& body) __attribute__((always_inline)) {
      unroll<P>([&](auto p) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) { body(p, v); });
      });
    };
    for_each_count([&](auto p, auto v) { counts[p][v] = _mm512_setzero_si512(); });
    const Block* source = &block;
    int32_t exponent = block.pairs->exponent;
    bool negative = block.pairs->negative;
    int32_t i = 0;
    do {
      reread(source);
      const PlanePair& pair = source->pairs[i];
      if (pair.exponent != exponent) {
        exponent = pair.exponent;
        for_each_count([&](auto p, auto v) { counts[p][v] = _mm512_add_epi32(counts[p][v], counts[p][v]); });
      }
      if (pair.negative != negative) {
        negative = pair.negative;
        for_each_count([&](auto p, auto v) { counts[p][v] = _mm512_sub_epi32(_mm512_setzero_si512(), counts[p][v]); });
      }
      const std::byte* weights = source->weights + pair.weights * source->plane_step;
      size_t kernel_row = source->first_row + pair.activations * source->line_bytes;
      int32_t row = 0;
      // The words up to `end` for the pixels [begin, past).
      const auto add = [&](auto begin, auto past, size_t& at, size_t end) __attribute__((always_inline)) {
        for (; at != end; at += kForm.word_bytes) {
          __m512i panel[V];
          unroll<V>([&](auto v) { panel[v] = _mm512_load_si512(weights + v * 64); });
          weights += word_step;
          unroll<decltype(past)::value, decltype(begin)::value>([&](auto p) {
            const __m512i words = broadcast_word(windows[p] + at);
            unroll<V>([&](auto v) { counts[p][v] = count(counts[p][v], panel[v], words); });
          });
        }
      };
      do {
        size_t at = kernel_row;
        int32_t run = 0;
        do {
          const size_t begin = at;
          if (source->left_end > 0) add(kSecond, kPast, at, begin + source->left_end);
          add(kFirst, kPast, at, begin + source->right_begin);
          if (source->right_begin < source->run_bytes) add(kFirst, kLast, at, begin + source->run_bytes);
          reread(source);
          at += source->run_gap;
        } while (++run < source->row_runs);
        kernel_row += source->kernel_row_step;
      } while (++row < source->kernel_rows);
    } while (++i < source->pair_count);
    const __m512i step = _mm512_set1_epi32(static_cast<int32_t>(negative ? 0 - block.step : block.step));
    unroll<V>([&](auto v) {
      const __m512i constants = _mm512_load_si512(block.constants + v * 64);
      unroll<P>([&](auto p) {
        const __m512i window_term = _mm512_set1_epi32(static_cast<int32_t>(block.window_terms[p]));
        counts[p][v] =
            _mm512_add_epi32(_mm512_mullo_epi32(counts[p][v], step), _mm512_add_epi32(constants, window_term));
      });
    });
    int32_t* const sums = block.sums;
    const ptrdiff_t stride = block.sums_stride;
    if (block.channels == V * 16) {
      for_each_count([&](auto p, auto v) { _mm512_storeu_si512(sums + p * stride + v * 16, counts[p][v]); });
    } else {
      const auto last = static_cast<__mmask16>((1u << (block.channels - (V - 1) * 16)) - 1);
      for_each_count([&](auto p, auto v) {
        const __mmask16 lanes = v == V - 1 ? last : static_cast<__mmask16>(0xffff);
        _mm512_mask_storeu_epi32(sums + p * stride + v * 16, lanes, counts[p][v]);
      });
    }
  }
};

constexpr GemmKernel kTable[] = {{
    .name = "bitserial_avx512vnni_4x64",
    .family = Family::BitSerial,
    .isa = Isa::Avx512Vnni,
    .tile_pixels = Tier::kPixels,
    .tile_channels = Tier::kForm.tile,
    .supports = supports,
    .cost = Tiles<Tier>::cost,
    .packed_sizes = Tiles<Tier>::packed_sizes,
    .pack_weights = Tiles<Tier>::pack_weights,
    .pack_image = Tiles<Tier>::pack_image,
    .run = Tiles<Tier>::run,
}};

}  // namespace

constinit const std::span<const GemmKernel> kAvx512Vnni = kTable;

}  // namespace tidbit::kernels::bitserial
