// Bit-serial with CNT, whose counts UADALP adds up in 16 bits: it takes no more time than an addition in bytes, which
// would have to be widened every 31 words.
//
// Pairs of planes are counted in the order of falling exponents; sums are doubled when the exponent falls and negated
// when the sign changes: sum +-2^e * count by Horner's rule. In most layers the whole sum fits 16 bits.
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels/bitserial/tiles.h"
#include "kernels/neon_cycles.h"
#include "kernels/neon_vectors.h"

namespace tidbit::kernels::bitserial {
namespace {

struct Tier {
  static constexpr Form kForm = {.tile = 16, .vector = 4, .word_bytes = 4, .byte_channels = 8};
  static constexpr int32_t kPixels = kNeonRegisters / 8, kVectors = 4;
  static constexpr int32_t kWordCounts = 16;  // a word may add so much to 16 bits
  static constexpr int32_t kWords = UINT16_MAX / kWordCounts;

  template <int32_t P, int32_t V>
  using Counts = uint16x8_t[P][V];

  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void clear(Counts<P, V>& counts) {
    unroll<P * V>([&](auto i) __attribute__((always_inline)) { counts[i / V][i % V] = vdupq_n_u16(0); });
  }

  /// sums = factor * sums + the counts of each lane.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void flush(const Counts<P, V>& counts, uint32_t factor, uint32_t* sums) {
    unroll<P * V>([&](auto i) __attribute__((always_inline)) {
      const uint32x4_t sum = vmulq_n_u32(vld1q_u32(sums + i * 4), factor);
      vst1q_u32(sums + i * 4, vpadalq_u16(sum, counts[i / V][i % V]));
    });
  }

  /// Counts a word for P pixels and V vectors. Two pixels at a time, so that an in-order core need not wait for
  /// results; and no more, or g++ would run out of registers.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void count(Counts<P, V>& counts, const std::byte* weights, const std::byte* (&x)[P]) {
    uint8x16_t panel[V];
    unroll<V>([&](auto v) __attribute__((always_inline)) { panel[v] = load_bytes(weights + v * 16); });
    constexpr int32_t kTogether = P % 2 == 0 ? 2 : 1;
    unroll<P / kTogether>([&](auto group) __attribute__((always_inline)) {
      constexpr int32_t kFirst = group * kTogether;
      uint8x16_t both[kTogether][V];
      unroll<kTogether>([&](auto i) __attribute__((always_inline)) {
        uint8x16_t word = broadcast_next_word(x[kFirst + i]);
        if constexpr (kFirst > 0) {
          unroll<V>([&](auto v) __attribute__((always_inline)) { use_after(word, counts[kFirst - kTogether + i][v]); });
        }
        unroll<V>([&](auto v) __attribute__((always_inline)) { both[i][v] = vandq_u8(panel[v], word); });
      });
      unroll<kTogether>([&](auto i) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) { both[i][v] = vcntq_u8(both[i][v]); });
      });
      unroll<kTogether>([&](auto i) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) {
          counts[kFirst + i][v] = vpadalq_u8(counts[kFirst + i][v], both[i][v]);
        });
      });
    });
  }

  /// Where a pair of planes is counted: the next word.
  template <int32_t P>
  struct Place {
    const Block& block;
    const std::byte* weights;
    size_t row;
    int32_t rows_left, runs_left, words_left;
    const std::byte* x[P];

    [[gnu::always_inline]] Place(const Block& of, const PlanePair& pair)
        : block(of),
          weights(of.weights + pair.weights * of.plane_step),
          row(of.first_row + pair.activations * of.line_bytes),
          rows_left(of.kernel_rows),
          runs_left(of.row_runs),
          words_left(of.words) {
      start_row();
    }
    [[gnu::always_inline]] void start_row() {
      unroll<P>([&](auto p) __attribute__((always_inline)) { x[p] = block.windows[p] + row; });
    }
    /// To the next run, past the last word of one. Returns whether there is one.
    [[gnu::always_inline]] bool next_run() {
      words_left = block.words;
      if (--runs_left > 0) {
        unroll<P>([&](auto p) __attribute__((always_inline)) { x[p] += block.run_gap; });
        return true;
      }
      if (--rows_left == 0) return false;
      runs_left = block.row_runs;
      row += block.kernel_row_step;
      start_row();
      return true;
    }
  };

  /// Counts up to `room` words; returns whether there are more.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static bool count_words(Counts<P, V>& counts, Place<P>& place, int32_t room) {
    const size_t word_step = place.block.word_step;
    while (room > 0) {
      const int32_t words = place.words_left < room ? place.words_left : room;
      place.words_left -= words;
      room -= words;
      const std::byte* weights = place.weights;
      for (const std::byte* end = weights + words * word_step; weights != end; weights += word_step) {
        count<P, V>(counts, weights, place.x);
      }
      place.weights = weights;
      if (place.words_left == 0 && !place.next_run()) return false;
    }
    return true;
  }

  static const PlanePair& before(const Block& block, int32_t pair) { return block.pairs[pair > 0 ? pair - 1 : 0]; }

  /// Sums in 16 bits.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void sum_narrow(const Block& block, uint32_t* sums) {
    Counts<P, V> counts;
    clear<P, V>(counts);
    for (int32_t i = 0; i < block.pair_count; ++i) {
      if (before(block, i).exponent > block.pairs[i].exponent) {
        unroll<P * V>([&](auto k) __attribute__((always_inline)) {
          uint16x8_t& sum = counts[k / V][k % V];
          sum = vaddq_u16(sum, sum);
        });
      }
      if (before(block, i).negative != block.pairs[i].negative) {
        unroll<P * V>([&](auto k) __attribute__((always_inline)) {
          uint16x8_t& sum = counts[k / V][k % V];
          sum = vreinterpretq_u16_s16(vnegq_s16(vreinterpretq_s16_u16(sum)));
        });
      }
      Place<P> place(block, block.pairs[i]);
      count_words<P, V>(counts, place, INT32_MAX);
    }
    unroll<P * V>([&](auto k) __attribute__((always_inline)) {
      const int16x8_t sum = vreinterpretq_s16_u16(counts[k / V][k % V]);
      vst1q_u32(sums + k * 4, vreinterpretq_u32_s32(vpaddlq_s16(sum)));
    });
  }

  /// Counts in 16 bits for as long as they fit, sums in 32.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void sum_wide(const Block& block, uint32_t* sums) {
    std::memset(sums, 0, P * V * sizeof(uint32x4_t));
    for (int32_t i = 0; i < block.pair_count; ++i) {
      uint32_t factor = uint32_t{1} << (before(block, i).exponent - block.pairs[i].exponent);
      if (before(block, i).negative != block.pairs[i].negative) factor = 0 - factor;
      Place<P> place(block, block.pairs[i]);
      for (bool more = true; more; factor = 1) {
        Counts<P, V> counts;
        clear<P, V>(counts);
        more = count_words<P, V>(counts, place, kWords);
        flush<P, V>(counts, factor, sums);
      }
    }
  }

  /// Whether whatever a window's codes are, the sums of half a lane fit 16 bits.
  static bool fits_16_bits(const Block& block) {
    const int64_t words = int64_t{block.kernel_rows} * block.row_runs * block.words;
    int64_t most = 0;
    for (int32_t i = 0; i < block.pair_count; ++i) most += kWordCounts * words << block.pairs[i].exponent;
    return most <= INT16_MAX;
  }

  template <int32_t P, int32_t V>
  [[gnu::noinline]] static void run(const Block& block) {
    uint32_t sums[P * V * 4];
    if (fits_16_bits(block)) {
      sum_narrow<P, V>(block, sums);
    } else {
      sum_wide<P, V>(block, sums);
    }
    const bool negative = block.pairs[block.pair_count - 1].negative;
    store<P, V>(block, negative ? 0 - block.step : block.step, sums);
  }

  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void store(const Block& block, uint32_t step, const uint32_t* sums) {
    for (int32_t v = 0; v < V; ++v) {
      const int32_t left = block.channels - v * 4;
      const uint32x4_t constants = vreinterpretq_u32_u8(load_bytes(block.constants + v * 16));
      for (int32_t p = 0; p < P; ++p) {
        const uint32x4_t start = vaddq_u32(constants, vdupq_n_u32(block.window_terms[p]));
        const uint32x4_t total = vmlaq_n_u32(start, vld1q_u32(sums + (p * V + v) * 4), step);
        int32_t* out = block.sums + p * block.sums_stride + v * 4;
        if (left >= 4) {
          vst1q_s32(out, vreinterpretq_s32_u32(total));
        } else {
          std::memcpy(out, &total, static_cast<size_t>(left) * sizeof(int32_t));
        }
      }
    }
  }

  using Bits = uint32x4_t;

  static void add_bits(Bits& bits, uint8x16_t bytes) { bits = vpadalq_u16(bits, vpaddlq_u8(vcntq_u8(bytes))); }

  static void count_run(Bits& bits, const std::byte* run, size_t bytes) {
    for (; bytes >= 16; bytes -= 16, run += 16) add_bits(bits, load_bytes(run));
    for (; bytes > 0; bytes -= bytes < 4 ? bytes : 4, run += 4) {
      uint32_t word;  // lines have room for whole words
      std::memcpy(&word, run, sizeof(word));
      if (bytes < 4) word &= (1u << 8 * bytes) - 1;
      add_bits(bits, vreinterpretq_u8_u32(vsetq_lane_u32(word, vdupq_n_u32(0), 0)));
    }
  }

  static uint32_t total(Bits bits) {
    const uint32x2_t half = vadd_u32(vget_low_u32(bits), vget_high_u32(bits));
    return vget_lane_u32(vpadd_u32(half, half), 0);
  }

  /// The bits of a plane of sixteen codes, each at its place in a byte.
  static uint8x16_t plane_bits(uint8x16_t codes, uint8x16_t plane) {
    const uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
    return vandq_u8(vtstq_u8(codes, plane), places);
  }

  template <int32_t kPlanes>
  static void pack_pixel(const uint8_t* codes, int32_t channels, std::byte* packed, size_t line_bytes) {
    for (; channels >= 64; channels -= 64, codes += 64, packed += 8) {
      uint8x16_t groups[4];
      for (int32_t i = 0; i < 4; ++i) groups[i] = vld1q_u8(codes + i * 16);
      for (int32_t plane = 0; plane < kPlanes; ++plane) {
        const uint8x16_t mask = vdupq_n_u8(static_cast<uint8_t>(1 << plane));
        const uint8x16_t first = add_pairs(plane_bits(groups[0], mask), plane_bits(groups[1], mask));
        const uint8x16_t second = add_pairs(plane_bits(groups[2], mask), plane_bits(groups[3], mask));
        const uint8x16_t quads = add_pairs(first, second);
        vst1_u8(reinterpret_cast<uint8_t*>(packed + plane * line_bytes), vget_low_u8(add_pairs(quads, quads)));
      }
    }
    for (; channels > 0; channels -= 16, codes += 16, packed += 2) {
      uint8_t last[16] = {};
      if (channels < 16) std::memcpy(last, codes, static_cast<size_t>(channels));
      const uint8x16_t group = vld1q_u8(channels < 16 ? last : codes);
      for (int32_t plane = 0; plane < kPlanes; ++plane) {
        const uint8x16_t bits = plane_bits(group, vdupq_n_u8(static_cast<uint8_t>(1 << plane)));
        const uint8x16_t quads = add_pairs(add_pairs(bits, bits), bits);
        const uint16_t two = vgetq_lane_u16(vreinterpretq_u16_u8(add_pairs(quads, quads)), 0);
        std::memcpy(packed + plane * line_bytes, &two, channels > 8 ? 2 : 1);
      }
    }
  }

  template <int32_t kPlanes>
  static void pack_planes(const PixelRow& row) {
    if (row.pixel_stride == row.channels && row.channels % 8 == 0) {
      return pack_pixel<kPlanes>(row.codes, row.pixels * row.channels, row.packed, row.line_bytes);
    }
    for (int32_t pixel = 0; pixel < row.pixels; ++pixel) {
      pack_pixel<kPlanes>(row.codes + pixel * row.pixel_stride, row.channels, row.packed + pixel * row.pixel_bytes,
                          row.line_bytes);
    }
  }

  static void pack_pixels(const PixelRow& row) noexcept {
    using Pack = void (*)(const PixelRow&);
    static constexpr Pack kPacks[kMaxBits] = {pack_planes<1>, pack_planes<2>, pack_planes<3>, pack_planes<4>,
                                              pack_planes<5>, pack_planes<6>, pack_planes<7>, pack_planes<8>};
    kPacks[row.planes - 1](row);
  }
};

double cost(const GemmProblem& problem) noexcept {
  const NeonCycles cycles = neon_cycles(host_core());
  return bitserial::cost(problem, Tier::kForm,
                         {.word = 3 * cycles.simple + cycles.broadcast / Tier::kVectors,
                          .lone_word = 3 * cycles.simple + 2 * cycles.broadcast,
                          .pair = 2,
                          .vector = 6,
                          .window = 4,
                          .pack_pixel = 4,
                          .pack_byte = 2.5 * cycles.simple});
}

constexpr GemmKernel kTable[] = {{
#if defined(__aarch64__)
    .name = "bitserial_neon_4x16",
#else
    .name = "bitserial_neon_2x16",
#endif
    .family = Family::BitSerial,
    .isa = Isa::Neon,
    .tile_pixels = Tier::kPixels,
    .tile_channels = Tier::kForm.tile,
    .supports = supports,
    .cost = cost,
    .packed_sizes = Tiles<Tier>::packed_sizes,
    .pack_weights = Tiles<Tier>::pack_weights,
    .pack_image = Tiles<Tier>::pack_image,
    .run = Tiles<Tier>::run,
}};

}  // namespace

constinit const std::span<const GemmKernel> kNeon = kTable;

}  // namespace tidbit::kernels::bitserial
