// Bit-serial with AVX2: four channels a byte, so that AND gives an index into a table of counts at once.
//
// Counts are kept in bytes as long as these cannot overflow, over several pairs of planes where their factors agree.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/bitserial/tiles.h"

namespace tidbit::kernels::bitserial {
namespace {

/// A word in all lanes.
__m256i broadcast_word(const std::byte* bytes) {
  int32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return _mm256_set1_epi32(word);
}

/// counts + set bits of (a & b), written out because g++ 12 copies and spills the registers of what it schedules
/// itself.
__attribute__((always_inline)) inline __m256i count(__m256i counts, __m256i a, __m256i b, __m256i table) {
  __m256i both;
  asm("vpand %[b], %[a], %[both]\n\t"
      "vpshufb %[both], %[table], %[both]\n\t"
      "vpaddb %[both], %[counts], %[counts]"
      : [counts] "+x"(counts), [both] "=&x"(both)
      : [a] "x"(a), [b] "x"(b), [table] "x"(table));
  return counts;
}

struct Tier {
  static constexpr Form kForm = {.tile = 16, .vector = 8, .word_bytes = 4, .byte_channels = 4};
  static constexpr int32_t kPixels = 4, kVectors = 2;
  static constexpr int32_t kWords = 63;  // until a byte, which grows by up to 4 a word, may overflow
  static Cycles cycles(Core core) {
    return {.word = core == Core::Cove ? 1 : 0.85,  // three instructions on three ports, or on four
            .lone_word = 1.4,
            .pair = 1.5,
            .vector = 5,
            .window = 6,
            .pack_pixel = 10,
            .pack_byte = 0.2,
            .panel = 10,
            .skips_rows = true};
  }

  /// Adds the bytes to the sums and clears them.
  template <int32_t P, int32_t V>
  __attribute__((always_inline)) static void flush(__m256i (&bytes)[P][V], __m256i (&sums)[P][V], int32_t factor) {
    const __m256i factors = _mm256_set1_epi16(static_cast<int16_t>(factor));
    unroll<P>([&](auto p) {
      unroll<V>([&](auto v) {
        const __m256i halves = _mm256_maddubs_epi16(bytes[p][v], _mm256_set1_epi8(1));
        sums[p][v] = _mm256_add_epi32(sums[p][v], _mm256_madd_epi16(halves, factors));
        bytes[p][v] = _mm256_setzero_si256();
      });
    });
  }

  /// Sums of bytes in 64-bit lanes.
  using Bits = __m256i;

  static void count_run(Bits& bits, const std::byte* run, size_t bytes) {
    for (; bytes >= 32; bytes -= 32, run += 32) {
      bits = add_bits(bits, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run)));
    }
    if (bytes == 0) return;
    const __m256i words = first_bytes((bytes + 3) / 4 * 4);  // lines have room for whole words
    const __m256i last = _mm256_maskload_epi32(reinterpret_cast<const int*>(run), words);
    bits = add_bits(bits, _mm256_and_si256(last, first_bytes(bytes)));
  }

  static __m256i first_bytes(size_t bytes) {
    static constexpr uint64_t kOnes = ~uint64_t{0};
    static constexpr uint64_t kMasks[8] = {kOnes, kOnes, kOnes, kOnes, 0, 0, 0, 0};
    __m256i mask;
    std::memcpy(&mask, reinterpret_cast<const std::byte*>(kMasks) + 32 - bytes, sizeof(mask));
    return mask;
  }

  static __m256i add_bits(__m256i bits, __m256i indices) {
    const __m256i counts = _mm256_shuffle_epi8(bits_of_index(), indices);
    return _mm256_add_epi64(bits, _mm256_sad_epu8(counts, _mm256_setzero_si256()));
  }

  static uint32_t total(Bits bits) {
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    return static_cast<uint32_t>(_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half))));
  }

  static __m256i bits_of_index() {
    return _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  }

  static int32_t factor(const PlanePair& pair) {
    const int32_t power = 1 << pair.exponent;
    return pair.negative ? -power : power;
  }

  template <int32_t P, int32_t V>
  __attribute__((noinline)) static void run(const Block& block) {
    const size_t word_step = block.word_step;
    const std::byte* windows[P];
    unroll<P>([&](auto p) { windows[p] = block.windows[p]; });
    __m256i table = bits_of_index();
    asm("" : "+x"(table));  // not a constant, which g++ would load for each use
    __m256i bytes[P][V];
    __m256i sums[P][V] = {};
    unroll<P>([&](auto p) { unroll<V>([&](auto v) { bytes[p][v] = _mm256_setzero_si256(); }); });
    const Block* source = &block;
    int32_t current = factor(block.pairs[0]), room = kWords;
    int32_t i = 0;
    do {
      reread(source);
      const PlanePair& pair = source->pairs[i];
      if (factor(pair) != current) {
        flush(bytes, sums, current);
        current = factor(pair);
        room = kWords;
      }
      const std::byte* weights = source->weights + pair.weights * source->plane_step;
      size_t kernel_row = source->first_row + pair.activations * source->line_bytes;
      int32_t row = 0;
      do {
        size_t at = kernel_row;
        int32_t run = 0;
        do {
          int32_t left = source->words;
          do {
            if (room == 0) {
              flush(bytes, sums, current);
              room = kWords;
            }
            const int32_t words = left < room ? left : room;
            left -= words;
            room -= words;
            for (const size_t end = at + static_cast<size_t>(words) * kForm.word_bytes; at != end;
                 at += kForm.word_bytes) {
              __m256i panel[V];
              unroll<V>(
                  [&](auto v) { panel[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + v * 32)); });
              weights += word_step;
              unroll<P>([&](auto p) {
                const __m256i word = broadcast_word(windows[p] + at);
                unroll<V>([&](auto v) { bytes[p][v] = count(bytes[p][v], panel[v], word, table); });
              });
            }
          } while (left > 0);
          reread(source);
          at += source->run_gap;
        } while (++run < source->row_runs);
        kernel_row += source->kernel_row_step;
      } while (++row < source->kernel_rows);
    } while (++i < source->pair_count);
    flush(bytes, sums, current);
    store(block, sums);
  }

  template <int32_t P, int32_t V>
  __attribute__((always_inline)) static void store(const Block& block, const __m256i (&sums)[P][V]) {
    const __m256i step = _mm256_set1_epi32(static_cast<int32_t>(block.step));
    unroll<V>([&](auto v) {
      const int32_t left = block.channels - v * 8;
      const __m256i constants = _mm256_load_si256(reinterpret_cast<const __m256i*>(block.constants + v * 32));
      unroll<P>([&](auto p) {
        const __m256i window_term = _mm256_set1_epi32(static_cast<int32_t>(block.window_terms[p]));
        const __m256i total =
            _mm256_add_epi32(_mm256_mullo_epi32(sums[p][v], step), _mm256_add_epi32(constants, window_term));
        int32_t* out = block.sums + p * block.sums_stride + v * 8;
        if (left >= 8) {
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), total);
        } else {
          std::memcpy(out, &total, static_cast<size_t>(left) * sizeof(int32_t));
        }
      });
    });
  }

  static void pack_pixels(const PixelRow& row) noexcept;
};

/// Packs sizeof(Words) bytes of a pixel's planes. The codes of the four channels of a byte are `pixel_bytes` apart.
template <class Words, int32_t kPlanes>
void pack_bytes(const uint8_t* codes, size_t pixel_bytes, std::byte* packed, size_t line_bytes) {
  Words each_byte;
  std::memset(&each_byte, 1, sizeof(each_byte));
  Words groups[4];
  unroll<4>([&](auto k) { std::memcpy(&groups[k], codes + k * pixel_bytes, sizeof(Words)); });
  unroll<kPlanes>([&](auto of_plane) {
    constexpr int32_t kPlane = of_plane;
    Words bits = {};
    unroll<4>([&](auto of_byte) {
      constexpr int32_t kShift = of_byte - kPlane;
      const Words codes_of_bit = groups[of_byte];
      bits |= (kShift > 0 ? codes_of_bit << (kShift & 7) : codes_of_bit >> (-kShift & 7)) & each_byte
                                                                                                << int32_t{of_byte};
    });
    std::memcpy(packed + kPlane * line_bytes, &bits, sizeof(bits));
  });
}

template <int32_t kPlanes>
void pack_planes(const PixelRow& row) {
  using Words4 = uint64_t __attribute__((vector_size(32)));
  using Words2 = uint64_t __attribute__((vector_size(16)));
  const int32_t bytes = (row.channels + 3) / 4;
  const int32_t whole = row.channels - 3 * bytes;  // bytes of which all four channels exist
  for (int32_t pixel = 0; pixel < row.pixels; ++pixel) {
    const uint8_t* codes = row.codes + pixel * row.pixel_stride;
    std::byte* packed = row.packed + pixel * row.pixel_bytes;
    int32_t byte = 0;
    const auto pack = [&]<class Words>(Words) {
      constexpr auto kBytes = static_cast<int32_t>(sizeof(Words));
      for (; byte + kBytes <= whole; byte += kBytes) {
        pack_bytes<Words, kPlanes>(codes + byte, row.pixel_bytes, packed + byte, row.line_bytes);
      }
    };
    pack(Words4{});
    pack(Words2{});
    pack(uint64_t{});
    pack(uint32_t{});
    for (; byte < bytes; ++byte) {
      for (int32_t plane = 0; plane < kPlanes; ++plane) {
        int32_t bits = 0;
        for (int32_t k = 0; k < 4 && k * bytes + byte < row.channels; ++k) {
          bits |= (codes[k * bytes + byte] >> plane & 1) << k;
        }
        packed[plane * row.line_bytes + byte] = static_cast<std::byte>(bits);
      }
    }
  }
}

void Tier::pack_pixels(const PixelRow& row) noexcept {
  using Pack = void (*)(const PixelRow&);
  static constexpr Pack kPacks[kMaxBits] = {pack_planes<1>, pack_planes<2>, pack_planes<3>, pack_planes<4>,
                                            pack_planes<5>, pack_planes<6>, pack_planes<7>, pack_planes<8>};
  kPacks[row.planes - 1](row);
}

constexpr GemmKernel kTable[] = {{
    .name = "bitserial_avx2_4x16",
    .family = Family::BitSerial,
    .isa = Isa::Avx2,
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

constinit const std::span<const GemmKernel> kAvx2 = kTable;

}  // namespace tidbit::kernels::bitserial
