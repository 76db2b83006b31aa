// What the vector tiers share: a byte lane is an output channel, and a pixel's index selects the table for all lanes.
//
// Only templates on a tier's own types, so that no symbol is shared with another ISA (toolchains/isa_flags.cmake).
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/lut/family.h"

namespace tidbit::kernels::lut {

/// Keeps the compiler from computing a vector again, or in another order.
template <class Vector>
[[gnu::always_inline]] inline void keep(Vector& vector) {
#if defined(__x86_64__)
  asm("" : "+v"(vector));
#else
  asm("" : "+w"(vector));
#endif
}

/// A block of a tile: up to P pixels by V panels of one vector each.
template <int32_t P>
struct Block {
  const Layout* layout;
  const uint8_t* tables;
  const uint8_t* windows[P];
  int32_t byte_sums;              // how many entries a byte holds the sum of
  int32_t widened_sums;           // how many such sums 16 bits hold the sum of
  const std::byte* panel;         // the first
  const int32_t* corrections[4];  // [panel]
  int32_t row_begin, row_end;     // of the kernel
  int32_t pixels, channels;       // to write
  int32_t* sums;
  ptrdiff_t sums_stride;
};

/// Tier: kForm, kVectors (of a block), kPanels (at most), cycles(Core), pack_pixels, Vector, and
///   template <size_t kEntries> static Vector table(const uint8_t*);  // 16 entries: in each quarter of the vector
///   static Vector load(const std::byte*), zero(), lookup(Vector table, Vector indices), add8, add16(Vector, Vector),
///     odd(Vector): the odd bytes, as 16 bits
///   static void add_lookups(Vector& a, Vector table_a, Vector indices_a, Vector& b, Vector table_b, Vector indices_b)
///   static void store(Vector all, Vector odd, uint32_t scale, const int32_t* base, int32_t* sums, int32_t channels):
///     sums = base + scale * the 16-bit sums, of which odd are the odd bytes' and all 256 times that more than the even
template <class Tier>
struct Tiles {
  using Vector = typename Tier::Vector;
  static constexpr Form kForm = Tier::kForm;

  /// Adds the lookups of `kSteps` indices. More than one a time where loads are the limit: a load of the pixel's
  /// indices.
  template <size_t kEntries, int32_t kSteps, int32_t P, int32_t V>
  [[gnu::always_inline]] static void look_up(Vector (&bytes)[P][V], const uint8_t* tables,
                                             const uint8_t* const (&windows)[P], size_t at, const std::byte* weights,
                                             size_t panel_bytes) {
    Vector indices[kSteps][V];
    for (int32_t k = 0; k < kSteps; ++k) {
      for (int32_t v = 0; v < V; ++v) {
        indices[k][v] = Tier::load(weights + k * kForm.tile + v * panel_bytes);
        keep(indices[k][v]);  // g++ would load it for each pixel again
      }
    }
    static_assert(V == 1 || V % 2 == 0);
    for (int32_t p = 0; p < P; ++p) {
      uint32_t selectors = 0;
      std::memcpy(&selectors, windows[p] + at, kSteps);
      for (int32_t k = 0; k < kSteps; ++k) {
        const Vector table = Tier::template table<kEntries>(tables + (selectors >> 8 * k & 0xff) * kEntries);
        if constexpr (V == 1) {
          bytes[p][0] = Tier::add8(bytes[p][0], Tier::lookup(table, indices[k][0]));
        } else {
          for (int32_t v = 0; v < V; v += 2) {
            Tier::add_lookups(bytes[p][v], table, indices[k][v], bytes[p][v + 1], table, indices[k][v + 1]);
          }
        }
      }
    }
  }

  /// Sums of 16 bits: of all bytes, where an even one has 256 times the next added, and of the odd bytes.
  template <int32_t P, int32_t V>
  struct Widened {
    Vector all[P][V], odd[P][V];

    [[gnu::always_inline]] void clear() {
      for (int32_t p = 0; p < P; ++p) {
        for (int32_t v = 0; v < V; ++v) all[p][v] = odd[p][v] = Tier::zero();
      }
    }

    [[gnu::always_inline]] void add(const Vector (&bytes)[P][V]) {
      for (int32_t p = 0; p < P; ++p) {
        for (int32_t v = 0; v < V; ++v) {
          all[p][v] = Tier::add16(all[p][v], bytes[p][v]);
          odd[p][v] = Tier::add16(odd[p][v], Tier::odd(bytes[p][v]));
        }
      }
    }

    /// To the tile's sums, on top of the corrections or of what is there.
    [[gnu::always_inline]] void store(const Block<P>& block, bool first) const {
#pragma GCC unroll 8  // or the arrays would live in memory
      for (int32_t p = 0; p < P; ++p) {
        if (p >= block.pixels) break;
#pragma GCC unroll 4
        for (int32_t v = 0; v < V; ++v) {
          int32_t* sums = block.sums + p * block.sums_stride + v * kForm.tile;
          Tier::store(all[p][v], odd[p][v], block.layout->scale, first ? block.corrections[v] : sums, sums,
                      block.channels - v * kForm.tile);
        }
      }
    }
  };

  template <int32_t P, int32_t V>
  [[gnu::always_inline]] static void clear(Vector (&bytes)[P][V]) {
    for (int32_t p = 0; p < P; ++p) {
      for (int32_t v = 0; v < V; ++v) bytes[p][v] = Tier::zero();
    }
  }

  template <size_t kEntries, int32_t P, int32_t V>
  [[gnu::noinline]] static void run_block(const Block<P>& block) {
    const PackedImage& image = block.layout->image;
    const size_t panel_bytes = block.layout->panel_bytes;
    const uint8_t* tables = block.tables;
    const std::byte* weights = block.panel + block.layout->head_bytes;
    const uint8_t* windows[P];
    for (int32_t p = 0; p < P; ++p) windows[p] = block.windows[p];

    const int32_t run_bytes = static_cast<int32_t>(image.run_bytes);
    int32_t rows_left = image.kernel_rows, runs_left = image.row_runs, left = run_bytes;
    size_t row = 0, at = 0;
    for (bool first = true; rows_left > 0; first = false) {
      Widened<P, V> widened;
      widened.clear();
      for (int32_t widenings = block.widened_sums; widenings > 0 && rows_left > 0; --widenings) {
        Vector bytes[P][V];
        clear(bytes);
        for (int32_t room = block.byte_sums; room > 0 && rows_left > 0;) {
          const int32_t count = room < left ? room : left;
          room -= count;
          left -= count;
          const size_t end = at + static_cast<size_t>(count);
          if constexpr (V == 1) {
            for (; end - at >= 2; at += 2, weights += 2 * kForm.tile) {
              look_up<kEntries, 2>(bytes, tables, windows, at, weights, panel_bytes);
            }
          }
          for (; at != end; ++at, weights += kForm.tile) {
            look_up<kEntries, 1>(bytes, tables, windows, at, weights, panel_bytes);
          }
          if (left > 0) continue;
          left = run_bytes;
          at += image.run_step - image.run_bytes;
          if (--runs_left > 0) continue;
          runs_left = image.row_runs;
          --rows_left;
          at = row += image.kernel_row_step;
        }
        widened.add(bytes);
      }
      widened.store(block, first);
    }
  }

  static constexpr int32_t kTaps = kSharingTaps;

  /// Whether neighbours in a row of the output share the tables of their kTaps taps.
  static bool neighbours_share(const Layout& layout) {
    const PackedImage& image = layout.image;
    return image.run_taps == kTaps && image.out_pixel_step == image.pixel_bytes && image.out_width >= kLeastRow &&
           255 / layout.highest >= kTaps;
  }

  /// A block of P such neighbours: a table serves up to kTaps lookups.
  template <size_t kEntries, int32_t P>
  [[gnu::noinline]] static void run_neighbours(const Block<P>& block) {
    const PackedImage& image = block.layout->image;
    const auto groups = static_cast<ptrdiff_t>(image.pixel_bytes);
    const auto tap_bytes = static_cast<ptrdiff_t>(groups * kForm.tile);
    const uint8_t* tables = block.tables;
    const std::byte* weights = block.panel + block.layout->head_bytes + block.row_begin * kTaps * tap_bytes;
    const uint8_t* row = block.windows[0] + block.row_begin * image.kernel_row_step;
    const ptrdiff_t byte_groups = block.byte_sums / kTaps;
    int32_t rows_left = block.row_end - block.row_begin;
    ptrdiff_t left = groups;
    const uint8_t* at = row;
    for (bool first = true; rows_left > 0; first = false) {
      Widened<P, 1> widened;
      widened.clear();
      for (int32_t widenings = block.widened_sums; widenings > 0 && rows_left > 0; --widenings) {
        Vector bytes[P][1];
        clear(bytes);
        const ptrdiff_t count = byte_groups < left ? byte_groups : left;
        left -= count;
        for (const uint8_t* end = at + count; at != end; ++at, weights += kForm.tile) {
          Vector indices[kTaps];
          for (int32_t tap = 0; tap < kTaps; ++tap) {
            indices[tap] = Tier::load(weights + tap * tap_bytes);
            keep(indices[tap]);
          }
          Vector shared[P + kTaps - 1];
          for (int32_t tap = 0; tap < kTaps - 1; ++tap) {
            shared[tap] = Tier::template table<kEntries>(tables + at[tap * groups] * kEntries);
          }
#pragma GCC unroll 8  // clang would keep the arrays in memory
          for (int32_t p = 0; p < P; ++p) {
            const ptrdiff_t newest = p + kTaps - 1;
            shared[newest] = Tier::template table<kEntries>(tables + at[newest * groups] * kEntries);
            if (p % 2 == 0) continue;
            for (int32_t tap = 0; tap < kTaps; ++tap) {
              Tier::add_lookups(bytes[p - 1][0], shared[p - 1 + tap], indices[tap], bytes[p][0], shared[p + tap],
                                indices[tap]);
            }
          }
          if constexpr (P % 2 != 0) {
            for (int32_t tap = 0; tap < kTaps; ++tap) {
              bytes[P - 1][0] = Tier::add8(bytes[P - 1][0], Tier::lookup(shared[P - 1 + tap], indices[tap]));
            }
          }
        }
        widened.add(bytes);
        if (left > 0) continue;
        left = groups;
        --rows_left;
        weights += (kTaps - 1) * tap_bytes;
        at = row += image.kernel_row_step;
      }
      widened.store(block, first);
    }
  }

  /// What the blocks of a tile share, of V panels from channel `first` of the tile on.
  template <int32_t P, int32_t V>
  static Block<P> block_of(const GemmTile& tile, const Layout& layout, int32_t first) {
    const int32_t left = tile.channel_count - first;
    Block<P> block = {};
    block.layout = &layout;
    block.tables = reinterpret_cast<const uint8_t*>(tile.weights);
    block.byte_sums = static_cast<int32_t>(255 / layout.highest);
    block.widened_sums = static_cast<int32_t>(65535 / (layout.highest * block.byte_sums));
    block.panel = tile.weights + layout.table_bytes + (tile.channel_begin + first) / kForm.tile * layout.panel_bytes;
    for (int32_t v = 0; v < V; ++v) {
      block.corrections[v] = reinterpret_cast<const int32_t*>(block.panel + v * layout.panel_bytes);
    }
    block.channels = left < V * kForm.tile ? left : V * kForm.tile;
    block.sums_stride = tile.sums_stride;
    return block;
  }

  static const uint8_t* window(const GemmTile& tile, const PackedImage& image, int32_t pixel) {
    const int32_t row = (tile.pixel_begin + pixel) / image.out_width;
    const int32_t column = (tile.pixel_begin + pixel) % image.out_width;
    return reinterpret_cast<const uint8_t*>(tile.image) + row * image.out_row_step + column * image.out_pixel_step;
  }

  /// All pixels by V panels.
  template <size_t kEntries, int32_t P, int32_t V>
  static void run_panels(const GemmTile& tile, const Layout& layout, int32_t first) {
    const PackedImage& image = layout.image;
    Block<P> block = block_of<P, V>(tile, layout, first);
    int32_t row = tile.pixel_begin / image.out_width, column = tile.pixel_begin % image.out_width;
    for (int32_t pixel = 0; pixel < tile.pixel_count; pixel += P) {
      block.pixels = tile.pixel_count - pixel < P ? tile.pixel_count - pixel : P;
      block.sums = tile.sums + pixel * tile.sums_stride + first;
      for (int32_t p = 0; p < P; ++p) {
        if (p >= block.pixels) {
          block.windows[p] = block.windows[0];
          continue;
        }
        block.windows[p] =
            reinterpret_cast<const uint8_t*>(tile.image) + row * image.out_row_step + column * image.out_pixel_step;
        if (++column == image.out_width) column = 0, ++row;
      }
      run_block<kEntries, P, V>(block);
    }
  }

  static constexpr int32_t kChunk = 64;  // pixels that go through all panels together
  static constexpr int32_t kAlone = 8;   // pixels of a block of one panel: more would leave no registers for tables
  static_assert(Tier::kVectors >= kAlone);

  /// A panel's corrections, of kernel rows that are not padding.
  struct Corrections {
    alignas(64) int32_t of_rows[kForm.tile];
    int32_t row_begin = -1, row_end = -1;

    const int32_t* of(const Layout& layout, const std::byte* panel, const PixelBlock& pixels) {
      const auto* all = reinterpret_cast<const int32_t*>(panel);
      const int32_t rows = layout.image.kernel_rows;
      if (pixels.row_begin == 0 && pixels.row_end == rows) return all;
      if (pixels.row_begin == row_begin && pixels.row_end == row_end) return of_rows;
      row_begin = pixels.row_begin;
      row_end = pixels.row_end;
      for (int32_t c = 0; c < kForm.tile; ++c) {
        auto sum = static_cast<uint32_t>(all[c]);
        for (int32_t row = 0; row < rows; ++row) {
          if (row < row_begin || row >= row_end) sum -= static_cast<uint32_t>(all[(1 + row) * kForm.tile + c]);
        }
        of_rows[c] = static_cast<int32_t>(sum);
      }
      return of_rows;
    }
  };

  /// A block of P pixels of a row.
  template <size_t kEntries, int32_t P>
  static void run_row(const GemmTile& tile, const Layout& layout, int32_t first, int32_t begin,
                      const PixelBlock& pixels, Corrections& corrections) {
    Block<P> block = block_of<P, 1>(tile, layout, first);
    block.pixels = P;
    block.sums = tile.sums + (begin + pixels.first) * tile.sums_stride + first;
    block.corrections[0] = corrections.of(layout, block.panel, pixels);
    block.row_begin = pixels.row_begin;
    block.row_end = pixels.row_end;
    block.windows[0] = window(tile, layout.image, begin + pixels.first);
    run_neighbours<kEntries, P>(block);
  }

  /// All pixels, row by row, by a panel at a time.
  template <size_t kEntries>
  static void run_rows(const GemmTile& tile, const Layout& layout) {
    PixelBlock blocks[kChunk];
    for (int32_t begin = 0; begin < tile.pixel_count; begin += kChunk) {
      const int32_t count = tile.pixel_count - begin < kChunk ? tile.pixel_count - begin : kChunk;
      const int32_t number = pixel_blocks(tile.problem->shape, tile.pixel_begin + begin, count, kAlone, true, blocks);
      for (int32_t first = 0; first < tile.channel_count; first += kForm.tile) {
        Corrections corrections;
        for (const PixelBlock* pixels = blocks; pixels < blocks + number; ++pixels) {
          const auto run = [&]<int32_t... P>(std::integer_sequence<int32_t, P...>) {
            ((pixels->pixels == P + 1 ? run_row<kEntries, P + 1>(tile, layout, first, begin, *pixels, corrections)
                                      : void()),
             ...);
          };
          run(std::make_integer_sequence<int32_t, Tier::kVectors>{});
        }
      }
    }
  }

  template <size_t kEntries>
  static void run_tables(const GemmTile& tile, const Layout& layout) {
    if (neighbours_share(layout)) return run_rows<kEntries>(tile, layout);
    const int32_t panels = (tile.channel_count + kForm.tile - 1) / kForm.tile;
    int32_t panel = 0;
    if constexpr (Tier::kPanels >= 4) {
      for (; panels - panel >= 4; panel += 4) {
        run_panels<kEntries, Tier::kVectors / 4, 4>(tile, layout, panel * kForm.tile);
      }
    }
    for (; panels - panel >= 2; panel += 2) {
      run_panels<kEntries, Tier::kVectors / 2, 2>(tile, layout, panel * kForm.tile);
    }
    if (panel < panels) run_panels<kEntries, kAlone, 1>(tile, layout, panel * kForm.tile);
  }

  static void run(const GemmTile& tile) noexcept {
    const Layout layout = lut::layout(*tile.problem, kForm);
    if (layout.entries == 16) {
      run_tables<16>(tile, layout);
    } else if constexpr (kForm.weight_bits > 4) {
      run_tables<64>(tile, layout);
    }
  }

  static bool supports(const GemmProblem& problem) noexcept { return lut::supports(problem, kForm); }

  static double cost(const GemmProblem& problem) noexcept {
    return lut::cost(problem, kForm, Tier::cycles(host_core()));
  }

  static PackedSizes packed_sizes(const GemmProblem& problem) noexcept { return lut::packed_sizes(problem, kForm); }

  static void pack_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                           std::byte* packed) noexcept {
    lut::pack_weights(problem, kForm, codes, row_begin, row_count, packed);
  }

  static void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                         int32_t row_end, std::byte* packed) noexcept {
    lut::pack_image(problem, kForm, Tier::pack_pixels, codes, pixel_stride, row_begin, row_end, packed);
  }
};

}  // namespace tidbit::kernels::lut
