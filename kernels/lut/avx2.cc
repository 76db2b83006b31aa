// Lookups with PSHUFB: 32 channels in tables of 16 entries.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/lut/tiles.h"

namespace tidbit::kernels::lut {
namespace {

struct Tier {
  static constexpr Form kForm = {.tile = 32, .weight_bits = 4, .activation_bits = 8, .least_group = 2, .split = true};
  static constexpr int32_t kVectors = 8, kPanels = 4;
  static Cycles cycles(Core /*core*/) {  // the same on both kinds
    return {.index = 0.68, .alone = 1, .widen = 1.5, .panel = 12, .pack = 4, .row = 0.66, .pixels = 2};
  }

  using Vector = __m256i;

  template <size_t kEntries>
  static Vector table(const uint8_t* entries) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(entries)));
  }
  static Vector load(const std::byte* bytes) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes)); }
  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector lookup(Vector table, Vector indices) { return _mm256_shuffle_epi8(table, indices); }
  static Vector add8(Vector a, Vector b) { return _mm256_add_epi8(a, b); }
  static void add_lookups(Vector& a, Vector table_a, Vector indices_a, Vector& b, Vector table_b, Vector indices_b) {
    a = add8(a, lookup(table_a, indices_a));
    b = add8(b, lookup(table_b, indices_b));
    asm("" : "+x"(a), "+x"(b));  // g++ would add in another order, and copy registers
  }
  static Vector add16(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
  // A multiply: shuffles and shifts share their ports.
  static Vector odd(Vector bytes) { return _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(0x100)); }

  static void store(Vector all, Vector odd, uint32_t scale, const int32_t* base, int32_t* sums, int32_t channels) {
    const Vector even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    const __m128i parts[] = {_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1),
                             _mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1)};
    __m256i terms[4];
    for (int32_t i = 0; i < 4; ++i) terms[i] = _mm256_cvtepu16_epi32(parts[i]);
    if (scale != 1) {
      const __m256i scales = _mm256_set1_epi32(static_cast<int32_t>(scale));
      for (__m256i& term : terms) term = _mm256_mullo_epi32(term, scales);
    }
    const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t left = channels - i * 8;
      if (left >= 8) {
        const __m256i from = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(base + i * 8));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i * 8), _mm256_add_epi32(terms[i], from));
      } else if (left > 0) {
        const __m256i lanes = _mm256_cmpgt_epi32(_mm256_set1_epi32(left), numbers);
        const __m256i from = _mm256_maskload_epi32(base + i * 8, lanes);
        _mm256_maskstore_epi32(sums + i * 8, lanes, _mm256_add_epi32(terms[i], from));
      }
    }
  }

  /// 32 groups of a pixel, all of whose slots are channels.
  template <int32_t kGroup>
  static void pack_32(const uint8_t* codes, int32_t groups, const __m128i (&shifts)[4], Vector mask, uint8_t* out) {
    Vector packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    for (int32_t slot = 1; slot < kGroup; ++slot) {
      const Vector part = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + slot * groups));
      packed = _mm256_or_si256(packed, _mm256_sll_epi16(part, shifts[slot]));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_and_si256(packed, mask));
  }

  /// As many groups as Word has bytes.
  template <class Word, int32_t kGroup>
  static void pack_word(const uint8_t* codes, int32_t groups, int32_t bits, uint64_t mask, uint8_t* out) {
    Word packed = 0;
    for (int32_t slot = 0; slot < kGroup; ++slot) {
      Word part;
      std::memcpy(&part, codes + slot * groups, sizeof(Word));
      packed |= part << slot * bits;
    }
    packed &= static_cast<Word>(mask);
    std::memcpy(out, &packed, sizeof(Word));
  }

  /// The groups [begin, full) in words, of which the last two may overlap, if they are as many.
  template <class Word, int32_t kGroup>
  static int32_t pack_words(const uint8_t* codes, int32_t groups, int32_t bits, uint64_t mask, int32_t begin,
                            int32_t full, uint8_t* out) {
    constexpr auto kBytes = static_cast<int32_t>(sizeof(Word));
    if (full < kBytes) return begin;
    for (; begin + kBytes <= full; begin += kBytes) {
      pack_word<Word, kGroup>(codes + begin, groups, bits, mask, out + begin);
    }
    if (begin < full) pack_word<Word, kGroup>(codes + full - kBytes, groups, bits, mask, out + full - kBytes);
    return full;
  }

  template <int32_t kGroup>
  static void pack_group(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                         ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const int32_t groups = layout.groups;
    const int32_t full = channels - (kGroup - 1) * groups;  // groups without fillers; the last block of them overlaps
    const int32_t mask = (1 << layout.activation_bits) - 1;
    const Vector masks = _mm256_set1_epi8(static_cast<char>(mask));
    const uint64_t mask_8 = 0x0101010101010101u * static_cast<uint64_t>(mask);
    __m128i shifts[4];
    for (int32_t slot = 0; slot < 4; ++slot) shifts[slot] = _mm_cvtsi32_si128(slot * bits);
    for (int32_t p = 0; p < count; ++p, codes += pixel_stride, indices += groups) {
      int32_t c = 0;
      if (full >= 32) {
        for (; c + 32 <= full; c += 32) pack_32<kGroup>(codes + c, groups, shifts, masks, indices + c);
      }
      c = pack_words<uint64_t, kGroup>(codes, groups, bits, mask_8, c, full, indices);
      c = pack_words<uint32_t, kGroup>(codes, groups, bits, mask_8, c, full, indices);
      for (; c < groups; ++c) {
        int32_t packed = 0;
        for (int32_t slot = 0; slot < kGroup; ++slot) {
          const int32_t channel = slot * groups + c;
          packed |= (channel < channels ? codes[channel] : layout.activation_filler) << slot * bits;
        }
        indices[c] = static_cast<uint8_t>(packed & mask);
      }
    }
  }

  static void pack_pixels(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                          ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const auto pack = layout.group == 4 ? pack_group<4> : pack_group<2>;
    pack(layout, bits, channels, codes, pixel_stride, count, indices);
  }
};

constexpr GemmKernel kTable[] = {{
    .name = "lut_avx2_8x32",
    .family = Family::Lut,
    .isa = Isa::Avx2,
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

constinit const std::span<const GemmKernel> kAvx2 = kTable;

}  // namespace tidbit::kernels::lut
