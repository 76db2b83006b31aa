// Bit-serial with CNT. Counts are kept in bytes as long as these cannot overflow.
//
// Pairs of planes are counted in the order of falling exponents; sums are doubled when the exponent falls and negated
// when the sign changes: sum +-2^e * count by Horner's rule.
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
  static constexpr int32_t kWords = 31;  // until a byte, which grows by up to 8 a word, may overflow

  /// sums = factor * sums + the bytes of each lane.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void flush(const uint8x16_t (&bytes)[P][V], uint32_t factor, uint32_t* sums) {
    unroll<P * V>([&](auto i) __attribute__((always_inline)) {
      const uint32x4_t sum = vmulq_n_u32(vld1q_u32(sums + i * 4), factor);
      vst1q_u32(sums + i * 4, vpadalq_u16(sum, vpaddlq_u8(bytes[i / V][i % V])));
    });
  }

  /// Counts a word for P pixels and V vectors. Two pixels at a time, so that an in-order core need not wait for
  /// results.
  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void count(uint8x16_t (&bytes)[P][V], const std::byte* weights,
                                           const std::byte* const (&windows)[P], size_t at) {
    uint8x16_t panel[V];
    unroll<V>([&](auto v) { panel[v] = load_bytes(weights + v * 16); });
    constexpr int32_t kTogether = P % 2 == 0 ? 2 : 1;
    unroll<P / kTogether>([&](auto pair) {
      uint8x16_t both[kTogether][V];
      unroll<kTogether>([&](auto i) {
        const uint8x16_t word = broadcast_word(windows[pair * kTogether + i] + at);
        unroll<V>([&](auto v) { both[i][v] = vandq_u8(panel[v], word); });
      });
      unroll<kTogether>([&](auto i) { unroll<V>([&](auto v) { both[i][v] = vcntq_u8(both[i][v]); }); });
      unroll<kTogether>([&](auto i) {
        unroll<V>([&](auto v) {
          uint8x16_t& counts = bytes[pair * kTogether + i][v];
          counts = vaddq_u8(counts, both[i][v]);
        });
      });
    });
  }

  template <int32_t P, int32_t V>
  [[gnu::noinline]] static void run(const Block& block) {
    const size_t word_step = block.word_step;
    const std::byte* windows[P];
    unroll<P>([&](auto p) { windows[p] = block.windows[p]; });
    uint32_t storage[P * V * 4] = {};
    uint32_t* sums = storage;
    const PlanePair* before = block.pairs;
    for (const PlanePair* pair = block.pairs; pair < block.pairs + block.pair_count; ++pair) {
      uint32_t pair_factor = uint32_t{1} << (before->exponent - pair->exponent);
      if (before->negative != pair->negative) pair_factor = 0 - pair_factor;
      before = pair;
      const std::byte* weights = block.weights + pair->weights * block.plane_step;
      size_t row = block.first_row + pair->activations * block.line_bytes, at = row;
      int32_t rows_left = block.kernel_rows, runs_left = block.row_runs, left = block.words;
      while (rows_left > 0) {
        uint8x16_t bytes[P][V];
        unroll<P * V>([&](auto i) __attribute__((always_inline)) { bytes[i / V][i % V] = vdupq_n_u8(0); });
        for (int32_t room = kWords; room > 0 && rows_left > 0;) {
          const int32_t words = left < room ? left : room;
          left -= words;
          room -= words;
          for (const size_t end = at + static_cast<size_t>(words) * kForm.word_bytes; at != end;
               at += kForm.word_bytes, weights += word_step) {
            count(bytes, weights, windows, at);
          }
          if (left > 0) continue;
          left = block.words;
          at += block.run_gap;
          if (--runs_left > 0) continue;
          runs_left = block.row_runs;
          --rows_left;
          at = row += block.kernel_row_step;
        }
        reread(sums);  // from memory: the registers were the bytes'
        flush(bytes, pair_factor, sums);
        pair_factor = 1;
      }
    }
    store<P, V>(block, before->negative ? 0 - block.step : block.step, sums);
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
                          .pair = 4,
                          .vector = 8,
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
