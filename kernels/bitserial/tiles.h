// What the tiers of vectors with 32-bit lanes share: a lane is an output channel, a word is 32 bits of its row.
//
// Only templates on a tier's own types, so that no symbol is shared with another ISA (toolchains/isa_flags.cmake).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {

/// body(0) ... body(N - 1), whose argument is a constant: g++ 12 keeps an array in registers only where all its indices
/// are constants before loops are unrolled.
template <int32_t N, int32_t kFirst = 0, class Body>
__attribute__((always_inline)) inline void unroll(const Body& body) {
  if constexpr (kFirst < N) {
    body(std::integral_constant<int32_t, kFirst>{});
    unroll<N, kFirst + 1>(body);
  }
}

/// Makes what is read through the pointer be read again, from L1. Else g++ 12 moves such numbers out of loops and,
/// where it runs out of registers, parks them in vector registers: addresses then wait in the queue of vector
/// instructions.
template <class T>
__attribute__((always_inline)) inline void reread(T*& pointer) {
  asm("" : "+r"(pointer));
}

/// A block of a tile: pixels by vectors of one panel. What changes from block to block is little, so that it is written
/// and read again at once, while the vector units still work on the block before.
struct Block {
  const PlanePair* pairs;
  int32_t pair_count;
  int32_t kernel_rows, row_runs, words;  // kernel rows that are not all padding
  size_t first_row;                      // bytes from a window's start to the first of them
  size_t run_bytes;
  size_t left_end, right_begin;  // bytes of a run that the first pixel, and the last one, does without
  size_t run_gap;                // bytes from the end of a run to the next one
  size_t kernel_row_step;
  size_t line_bytes;
  uint32_t step;

  const std::byte* weights;  // of the panel
  size_t word_step;          // bytes from a word of the panel to its next one
  size_t plane_step;
  const std::byte* constants;
  int32_t channels;  // to write
  ptrdiff_t sums_stride;

  const std::byte* const* windows;  // [pixel]
  const uint32_t* window_terms;     // [pixel]
  int32_t* sums;
};

/// A tier: kForm, kPixels and kVectors of a block, and
///   template <int32_t P, int32_t V> static void run(const Block&);  // P is at most kPixels
///   Bits, count_run(bits, run, bytes) and total(bits)               // count the set bits of runs
///   pack_pixels, static Cycles cycles(Core)
template <class Tier>
struct Tiles {
  static constexpr int32_t kChunk = 64;  // pixels that go through all panels together
  static constexpr Form kForm = Tier::kForm;
  static_assert(kForm.tile == Tier::kVectors * kForm.vector && kForm.word_bytes == 4);

  struct Chunk {
    const GemmTile* tile;
    const Layout* layout;
    const PlanePair* pairs;
    int32_t pair_count;
    int32_t begin, count;  // of the tile's pixels
    const std::byte* windows[kChunk];
    uint32_t window_terms[kChunk];
    PixelBlock blocks[kChunk];
    int32_t block_count;
    size_t tap_bytes;  // 0 where taps are no whole words
  };

  /// The window terms: window_factor*S, S the sum of a window's codes.
  static void sum_windows(Chunk& chunk) {
    const Layout& layout = *chunk.layout;
    const PackedImage& image = layout.image;
    for (int32_t p = 0; p < chunk.count; ++p) chunk.window_terms[p] = 0;
    if (layout.window_factor == 0) return;
    for (int32_t plane = layout.activation_planes - 1; plane >= 0; --plane) {
      typename Tier::Bits bits[kChunk];
      for (int32_t p = 0; p < chunk.count; ++p) bits[p] = typename Tier::Bits{};
      for (int32_t row = 0; row < image.kernel_rows; ++row) {
        for (int32_t run = 0; run < image.row_runs; ++run) {
          const size_t at = plane * image.line_bytes + row * image.kernel_row_step + run * image.run_step;
          for (int32_t p = 0; p < chunk.count; ++p) Tier::count_run(bits[p], chunk.windows[p] + at, image.run_bytes);
        }
      }
      for (int32_t p = 0; p < chunk.count; ++p) {
        chunk.window_terms[p] = 2 * chunk.window_terms[p] + layout.window_factor * Tier::total(bits[p]);
      }
    }
  }

  template <int32_t V>
  static void run_panel(const Chunk& chunk, int32_t first, int32_t width) {
    const GemmTile& tile = *chunk.tile;
    const Layout& layout = *chunk.layout;
    const PackedImage& image = layout.image;
    const int32_t channel = tile.channel_begin + first, left = tile.channel_count - first;
    const size_t run_bytes = static_cast<size_t>(layout.words) * kForm.word_bytes;
    Block block = {
        .pairs = chunk.pairs,
        .pair_count = chunk.pair_count,
        .kernel_rows = image.kernel_rows,
        .row_runs = image.row_runs,
        .words = layout.words,
        .first_row = 0,
        .run_bytes = run_bytes,
        .left_end = 0,
        .right_begin = run_bytes,
        .run_gap = image.run_step - run_bytes,
        .kernel_row_step = image.kernel_row_step,
        .line_bytes = image.line_bytes,
        .step = layout.step,
        .weights = nullptr,
        .word_step = static_cast<size_t>(width) * kForm.word_bytes,
        .plane_step = static_cast<size_t>(width) * layout.plane_bytes,
        .constants = tile.weights + channel * sizeof(int32_t),
        .channels = left < V * kForm.vector ? left : V * kForm.vector,
        .sums_stride = tile.sums_stride,
        .windows = nullptr,
        .window_terms = nullptr,
        .sums = nullptr,
    };
    const std::byte* weights = tile.weights + layout.panels + channel / kForm.tile * layout.panel_bytes;
    const size_t row_step = block.word_step * layout.words * image.row_runs;
    for (const PixelBlock* pixels = chunk.blocks; pixels < chunk.blocks + chunk.block_count; ++pixels) {
      // A window of nothing but padding: any row of it.
      const int32_t row = pixels->row_begin < pixels->row_end ? pixels->row_begin : 0;
      block.kernel_rows = pixels->row_begin < pixels->row_end ? pixels->row_end - row : 1;
      block.first_row = row * image.kernel_row_step;
      block.weights = weights + row * row_step;
      if (chunk.tap_bytes != 0) {
        block.left_end = pixels->tap_begin * chunk.tap_bytes;
        block.right_begin = pixels->tap_end * chunk.tap_bytes;
        if (block.right_begin < block.left_end) block.right_begin = block.left_end;
      }
      block.windows = chunk.windows + pixels->first;
      block.window_terms = chunk.window_terms + pixels->first;
      block.sums = tile.sums + (chunk.begin + pixels->first) * tile.sums_stride + first;
      run_block<V>(block, pixels->pixels);
    }
  }

  template <int32_t V>
  static void run_block(const Block& block, int32_t pixels) {
    const auto run = [&]<int32_t... P>(std::integer_sequence<int32_t, P...>) {
      ((pixels == P + 1 ? Tier::template run<P + 1, V>(block) : void()), ...);
    };
    run(std::make_integer_sequence<int32_t, Tier::kPixels>{});
  }

  static void run_chunk(const Chunk& chunk) {
    const GemmTile& tile = *chunk.tile;
    for (int32_t first = 0; first < tile.channel_count; first += kForm.tile) {
      const int32_t packed = chunk.layout->out_channels - (tile.channel_begin + first);
      const int32_t vectors = (packed + kForm.vector - 1) / kForm.vector;
      const int32_t width = (vectors < Tier::kVectors ? vectors : Tier::kVectors) * kForm.vector;
      const int32_t wanted = (tile.channel_count - first + kForm.vector - 1) / kForm.vector;
      if (wanted >= Tier::kVectors) {
        run_panel<Tier::kVectors>(chunk, first, width);
      } else if (wanted == 1) {
        run_panel<1>(chunk, first, width);
      } else if (wanted == 2) {
        run_panel<2 < Tier::kVectors ? 2 : 1>(chunk, first, width);
      } else {
        run_panel<3 < Tier::kVectors ? 3 : 1>(chunk, first, width);
      }
    }
  }

  static void run(const GemmTile& tile) noexcept {
    const Layout layout = bitserial::layout(*tile.problem, kForm);
    const PackedImage& image = layout.image;
    PlanePair pairs[kMaxBits * kMaxBits];
    Chunk chunk;
    chunk.tile = &tile;
    chunk.layout = &layout;
    chunk.pairs = pairs;
    chunk.pair_count = plane_pairs(layout, pairs);
    const bool skips = tile.problem->padded() && tile.problem->activations.zero_code() == 0;
    const bool words = image.row_runs == 1 && image.pixel_bytes % kForm.word_bytes == 0;
    chunk.tap_bytes = words ? image.pixel_bytes : 0;
    int32_t row = tile.pixel_begin / image.out_width, column = tile.pixel_begin % image.out_width;
    for (chunk.begin = 0; chunk.begin < tile.pixel_count; chunk.begin += kChunk) {
      const int32_t left = tile.pixel_count - chunk.begin;
      chunk.count = left < kChunk ? left : kChunk;
      for (int32_t p = 0; p < chunk.count; ++p) {
        chunk.windows[p] = tile.image + row * image.out_row_step + column * image.out_pixel_step;
        if (++column == image.out_width) column = 0, ++row;
      }
      chunk.block_count = pixel_blocks(tile.problem->shape, tile.pixel_begin + chunk.begin, chunk.count, Tier::kPixels,
                                       skips, chunk.blocks);
      sum_windows(chunk);
      run_chunk(chunk);
    }
  }

  static PackedSizes packed_sizes(const GemmProblem& problem) noexcept {
    return bitserial::packed_sizes(problem, kForm);
  }

  static void pack_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                           std::byte* packed) noexcept {
    bitserial::pack_weights(problem, kForm, codes, row_begin, row_count, packed);
  }

  static void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                         int32_t row_end, std::byte* packed) noexcept {
    bitserial::pack_image(problem, kForm, Tier::pack_pixels, codes, pixel_stride, row_begin, row_end, packed);
  }

  static double cost(const GemmProblem& problem) noexcept {
    return bitserial::cost(problem, kForm, Tier::cycles(host_core()));
  }
};

}  // namespace tidbit::kernels::bitserial
