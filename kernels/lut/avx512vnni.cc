// Lookups with VPERMB: 64 channels in tables of up to 64 entries.
#include <immintrin.h>

#include <cstdint>

#include "kernels/lut/tiles.h"

namespace tidbit::kernels::lut {
namespace {

struct Tier {
  static constexpr Form kForm = {.tile = 64, .weight_bits = 6, .activation_bits = 8, .least_group = 2, .split = true};
  static constexpr int32_t kVectors = 8, kPanels = 2;
  // Cove loads two vectors a cycle, so that a table may serve one lookup, at some cost.
  static Cycles cycles(Core core) {
    const bool cove = core == Core::Cove;
    return {.index = cove ? 1.06 : 1.14,
            .alone = cove ? 1.45 : 1.55,
            .widen = 1.7,
            .panel = 12,
            .pack = 1.9,
            .row = cove ? 1.1 : 1.2,
            .pixels = 4};
  }

  using Vector = __m512i;

  template <size_t kEntries>
  static Vector table(const uint8_t* entries) {
    if constexpr (kEntries == 16) {
      return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(entries)));
    } else {
      return _mm512_load_si512(entries);
    }
  }
  static Vector load(const std::byte* bytes) { return _mm512_load_si512(bytes); }
  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector lookup(Vector table, Vector indices) { return _mm512_permutexvar_epi8(indices, table); }
  static Vector add8(Vector a, Vector b) { return _mm512_add_epi8(a, b); }
  // Two by two, and written out: Zen 4 hands additions to the shuffles' ports where both take turns (1.26 cycles a
  // lookup against 1.08).
  static void add_lookups(Vector& a, Vector table_a, Vector indices_a, Vector& b, Vector table_b, Vector indices_b) {
    Vector sum_a = a, sum_b = b, found_a, found_b;
    asm("vpermb %[table_a], %[indices_a], %[found_a]\n\t"
        "vpermb %[table_b], %[indices_b], %[found_b]\n\t"
        "vpaddb %[found_a], %[sum_a], %[sum_a]\n\t"
        "vpaddb %[found_b], %[sum_b], %[sum_b]"
        : [sum_a] "+v"(sum_a), [sum_b] "+v"(sum_b), [found_a] "=&v"(found_a), [found_b] "=&v"(found_b)
        : [table_a] "v"(table_a), [indices_a] "v"(indices_a), [table_b] "v"(table_b), [indices_b] "v"(indices_b));
    a = sum_a;
    b = sum_b;
  }
  static Vector add16(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  // A multiply: shuffles and shifts share their ports.
  static Vector odd(Vector bytes) { return _mm512_maddubs_epi16(bytes, _mm512_set1_epi16(0x100)); }

  static void store(Vector all, Vector odd, uint32_t scale, const int32_t* base, int32_t* sums, int32_t channels) {
    const Vector even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
    const __m256i parts[] = {_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64(even, 1),
                             _mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1)};
    __m512i terms[4];
    for (int32_t i = 0; i < 4; ++i) terms[i] = _mm512_cvtepu16_epi32(parts[i]);
    if (scale != 1) {
      const __m512i scales = _mm512_set1_epi32(static_cast<int32_t>(scale));
      for (__m512i& term : terms) term = _mm512_mullo_epi32(term, scales);
    }
    if (channels >= 64) {
      for (int32_t i = 0; i < 4; ++i) {
        _mm512_storeu_si512(sums + i * 16, _mm512_add_epi32(terms[i], _mm512_loadu_si512(base + i * 16)));
      }
      return;
    }
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t left = channels - i * 16;
      const auto lanes = static_cast<__mmask16>(left >= 16 ? 0xffff : left > 0 ? (1 << left) - 1 : 0);
      const __m512i total = _mm512_add_epi32(terms[i], _mm512_maskz_loadu_epi32(lanes, base + i * 16));
      _mm512_mask_storeu_epi32(sums + i * 16, lanes, total);
    }
  }

  static __mmask64 first_lanes(int32_t count) {
    return count >= 64 ? ~__mmask64{0} : count <= 0 ? 0 : ~__mmask64{0} >> (64 - count);
  }

  template <int32_t kGroup>
  static void pack_group(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                         ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const int32_t groups = layout.groups;
    const Vector filler = _mm512_set1_epi8(static_cast<char>(layout.activation_filler));
    const Vector mask = _mm512_set1_epi8(static_cast<char>((1 << layout.activation_bits) - 1));
    for (int32_t block = 0; block < groups; block += 64) {
      // The last 64 groups overlap the others, or the next pixels, which come after them.
      const int32_t begin = block + 64 <= groups || groups < 64 ? block : groups - 64;
      const __mmask64 lanes = first_lanes(groups - begin);
      const int32_t whole = groups < 64 ? count - (63 / groups) : count;
      __mmask64 present[kGroup];
      Vector shifts[kGroup];
      for (int32_t slot = 0; slot < kGroup; ++slot) {
        present[slot] = first_lanes(channels - slot * groups - begin) & lanes;
        shifts[slot] = _mm512_set1_epi16(static_cast<int16_t>(slot * bits));
      }
      const uint8_t* pixel = codes + begin;
      uint8_t* out = indices + begin;
      for (int32_t p = 0; p < count; ++p, pixel += pixel_stride, out += groups) {
        Vector packed = _mm512_mask_loadu_epi8(filler, present[0], pixel);
        for (int32_t slot = 1; slot < kGroup; ++slot) {
          const Vector part = _mm512_mask_loadu_epi8(filler, present[slot], pixel + slot * groups);
          packed = _mm512_or_si512(packed, _mm512_sllv_epi16(part, shifts[slot]));
        }
        packed = _mm512_and_si512(packed, mask);
        if (p < whole) {
          _mm512_storeu_si512(out, packed);
        } else {
          _mm512_mask_storeu_epi8(out, lanes, packed);
        }
      }
    }
  }

  static void pack_pixels(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                          ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const auto pack = layout.group == 6   ? pack_group<6>
                      : layout.group == 4 ? pack_group<4>
                      : layout.group == 3 ? pack_group<3>
                                          : pack_group<2>;
    pack(layout, bits, channels, codes, pixel_stride, count, indices);
  }
};

constexpr GemmKernel kTable[] = {{
    .name = "lut_avx512vnni_8x64",
    .family = Family::Lut,
    .isa = Isa::Avx512Vnni,
    .tile_pixels = 8,
    .tile_channels = Tier::kForm.tile,
    .supports = Tiles<Tier>::supports,
    .cost = Tiles<Tier>::cost,
    .packed_sizes = Tiles<Tier>::packed_sizes,
    .pack_weights = Tiles<Tier>::pack_weights,
    .pack_image = Tiles<Tier>::pack_image,
    .run = Tiles<Tier>::run,
    .operator_channels = 128,
}};

}  // namespace

constinit const std::span<const GemmKernel> kAvx512Vnni = kTable;

}  // namespace tidbit::kernels::lut
