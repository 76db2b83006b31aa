// Tiles of AMX over panels (dot/panels.h), for the file of that tier alone: a tile of the image is up to 16 pixels of a
// row by up to 64 bytes of K, one of weights as many bytes by 16 channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/dot/modes.h"
#include "kernels/dot/panels_multiply.h"
#include "kernels/dot/zmm.h"

namespace tidbit::kernels::dot {
namespace {
namespace amx {

constexpr int32_t kTilePixels = 16;
constexpr int32_t kWeightBytes = 36864;  // of unpacked weights, or of those multiplied where they are: they stay in L1
constexpr int32_t kMaxSteps = kWeightBytes / 64;
constexpr int32_t kAhead = 2;  // steps: what is just being stored cannot be loaded as a tile

// What the compilers' intrinsics do, but that g++'s do not tell which memory they read.
#define TIDBIT_TILE_LOAD(tile, from, stride) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"(ptrdiff_t{stride}) : "memory")
#define TIDBIT_TILE_STORE(tile, to, stride) \
  asm volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"(ptrdiff_t{stride}) : "memory")
#define TIDBIT_TILE_DOT(sums, a, b) asm volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #sums ::)

// Tiles 0 to 3 are sums [2 tiles of pixels][2 vectors of channels], 4 and 5 are of the image, 6 and 7 of weights.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// How tiles are configured: not at all, until needed. Threads must not leave them so.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() {
    if (pixels_ != 0) asm volatile("tilerelease" ::: "memory");
  }

  void configure(int32_t pixels, int32_t groups) {
    if (pixels == pixels_) return;
    pixels_ = pixels;
    TileConfiguration configuration;
    for (int32_t tile = 0; tile < 8; ++tile) {
      configuration.rows[tile] = static_cast<uint8_t>(tile < 6 ? pixels : groups);
      configuration.row_bytes[tile] = static_cast<uint16_t>(tile == 4 || tile == 5 ? 4 * groups : 64);
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }

 private:
  int32_t pixels_ = 0;
};

struct Amx : Bytes<Zmm> {
  static constexpr bool kNarrow = false;
  static constexpr int32_t kStrip = 256, kTileGroups = 16;
};

constexpr int32_t kWidth = Amx::kLanes * Amx::kVectors;

/// Neighbouring pixels of a row, and the rows of the kernel that do not only read padding stored as 0.
struct RowBlock {
  const uint8_t* window;  // of the first
  int32_t first, pixels;  // of the strip
  int32_t row_begin, row_end;
};

/// One or two blocks that tiles hold at a time: of one size, and of the same rows of the kernel.
struct Pair {
  RowBlock blocks[2];
  int32_t count;
};

struct Strip {
  const Panels* panels;
  int32_t pixels;
  Pair pairs[Amx::kStrip];  // the larger first; of a size, those of all rows of the kernel first
  int32_t pair_count;
};

/// A panel's weights, and its sums of a strip.
struct Panel {
  const uint8_t* weights;
  const int32_t* constants;
  int32_t vectors;
  int32_t* sums;
  ptrdiff_t stride;
};

/// A tile's place on the way through K, with all vectors of the panel.
struct Step {
  ptrdiff_t x;  // in a window
  bool ends_run;
};

/// The steps that are multiplied at a time.
struct Chunk {
  Step steps[kMaxSteps];
  bool first;
  const uint8_t* packed;
  size_t packed_step, weights_step;  // bytes
  uint8_t* weights;                  // where they are unpacked to
};

/// How codes become b.
struct Unpacking {
  __m512i values;  // of codes whose higher bits are anything
  __mmask64 last_mask;
  int32_t groups;      // of a step
  int32_t last_group;  // of the last step of a run

  Unpacking(const Panels& panels, const Grid& grid) {
    uint8_t bytes[64];
    for (int32_t i = 0; i < 64; ++i) {
      bytes[i] = static_cast<uint8_t>(panels.b.step * (i & (grid.levels() - 1)) + panels.b.base);
    }
    values = Amx::load(bytes);
    last_mask = ((uint64_t{1} << panels.last_values) - 1) * 0x1111111111111111u;
    groups = panels.tile_groups;
    last_group = (panels.run_groups - 1) % groups;
  }
};

/// Places past a run's end hold 0.
template <int32_t kVectors>
void clear_past_end(const Unpacking& unpacking, uint8_t* weights) {
  uint8_t* const last = weights + ptrdiff_t{64} * kVectors * unpacking.last_group;
  for (int32_t v = 0; v < kVectors; ++v) {
    Amx::store(last + 64 * v, _mm512_maskz_loadu_epi8(unpacking.last_mask, last + 64 * v));
  }
  std::memset(last + 64 * kVectors, 0,
              static_cast<size_t>(unpacking.groups - 1 - unpacking.last_group) * kVectors * 64);
}

template <int32_t kVectors, int32_t kSlots>
[[gnu::always_inline]] inline void unpack(const Unpacking& unpacking, const uint8_t* packed, bool ends_run,
                                          uint8_t* weights) {
  constexpr ptrdiff_t kGroupBytes = kVectors * 64;
  const __m512i values = unpacking.values;
  uint8_t* to = weights;
  for (int32_t group = 0; group < unpacking.groups; group += kSlots, to += kSlots * kGroupBytes) {
    unroll<0, kVectors>([&](auto v) __attribute__((always_inline)) {
      const __m512i codes = Amx::load(packed);
      packed += 64;
      unroll<0, kSlots>([&](auto slot) __attribute__((always_inline)) {
        const __m512i at = Amx::shifted(codes, slot * (8 / kSlots));
        Amx::store(to + slot * kGroupBytes + v * 64, _mm512_permutexvar_epi8(at, values));
      });
    });
  }
  if (ends_run) clear_past_end<kVectors>(unpacking, weights);
}

/// Adds the products of steps [begin, end) for a pair of blocks (or one) and two vectors of channels (or one). With
/// slots it unpacks their weights on the way, while tiles multiply.
template <int32_t kBlocks, int32_t kVectors, int32_t kSlots>
void multiply_tiles(const Pair& pair, const Panel& panel, const Chunk& chunk, int32_t begin, int32_t end,
                    ptrdiff_t pixel_step, [[maybe_unused]] const Unpacking& unpacking) {
  constexpr ptrdiff_t kGroupBytes = kVectors * 64;
  const uint8_t* const window = pair.blocks[0].window;
  [[maybe_unused]] const uint8_t* const other_window = pair.blocks[1].window;
  const ptrdiff_t stride = panel.stride * 4, from_stride = chunk.first ? 0 : stride;
  int32_t* const to = panel.sums + pair.blocks[0].first * panel.stride;
  [[maybe_unused]] int32_t* const other_to = panel.sums + pair.blocks[1].first * panel.stride;
  const int32_t* const from = chunk.first ? panel.constants : to;
  [[maybe_unused]] const int32_t* const other_from = chunk.first ? panel.constants : other_to;
  TIDBIT_TILE_LOAD(0, from, from_stride);
  if constexpr (kVectors > 1) TIDBIT_TILE_LOAD(1, from + 16, from_stride);
  if constexpr (kBlocks > 1) TIDBIT_TILE_LOAD(2, other_from, from_stride);
  if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_LOAD(3, other_from + 16, from_stride);
  const size_t weights_step = chunk.weights_step;
  const auto unpack_step = [&](int32_t i) __attribute__((always_inline)) {
    if constexpr (kSlots > 1) {
      const uint8_t* packed = chunk.packed + i * chunk.packed_step;
      unpack<kVectors, kSlots>(unpacking, packed, chunk.steps[i].ends_run, chunk.weights + i * weights_step);
    }
  };
  for (int32_t i = begin; i < smaller(begin + kAhead, end); ++i) unpack_step(i);
  const uint8_t* weights = chunk.weights + begin * weights_step;
  for (int32_t i = begin; i < end; ++i, weights += weights_step) {
    if (i + kAhead < end) unpack_step(i + kAhead);
    const ptrdiff_t x = chunk.steps[i].x;
    TIDBIT_TILE_LOAD(6, weights, kGroupBytes);
    TIDBIT_TILE_LOAD(4, window + x, pixel_step);
    TIDBIT_TILE_DOT(0, 4, 6);
    if constexpr (kBlocks > 1) {
      TIDBIT_TILE_LOAD(5, other_window + x, pixel_step);
      TIDBIT_TILE_DOT(2, 5, 6);
    }
    if constexpr (kVectors > 1) {
      TIDBIT_TILE_LOAD(7, weights + 64, kGroupBytes);
      TIDBIT_TILE_DOT(1, 4, 7);
    }
    if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_DOT(3, 5, 7);
  }
  TIDBIT_TILE_STORE(0, to, stride);
  if constexpr (kVectors > 1) TIDBIT_TILE_STORE(1, to + 16, stride);
  if constexpr (kBlocks > 1) TIDBIT_TILE_STORE(2, other_to, stride);
  if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_STORE(3, other_to + 16, stride);
}

/// [blocks - 1][vectors - 1]
template <int32_t kSlots>
constexpr decltype(&multiply_tiles<1, 1, 1>) kMultiply[2][2] = {
    {multiply_tiles<1, 1, kSlots>, multiply_tiles<1, 2, kSlots>},
    {multiply_tiles<2, 1, kSlots>, multiply_tiles<2, 2, kSlots>}};

/// Those of a pair that come first in a chunk: they unpack.
const auto& unpacking_multiply(int32_t slots) {
  return slots == 1 ? kMultiply<1> : slots == 2 ? kMultiply<2> : slots == 4 ? kMultiply<4> : kMultiply<8>;
}

/// Unpacks steps [begin, end) that the first pair does without.
void unpack_steps(const Unpacking& unpacking, const Panel& panel, int32_t slots, const Chunk& chunk, int32_t begin,
                  int32_t end) {
  for (int32_t i = begin; i < end; ++i) {
    const auto unpack_step = [&]<int32_t kSlots>(std::integral_constant<int32_t, kSlots>) {
      const uint8_t* packed = chunk.packed + i * chunk.packed_step;
      uint8_t* weights = chunk.weights + i * chunk.weights_step;
      const bool ends_run = chunk.steps[i].ends_run;
      panel.vectors == 1 ? unpack<1, kSlots>(unpacking, packed, ends_run, weights)
                         : unpack<2, kSlots>(unpacking, packed, ends_run, weights);
    };
    if (slots == 2) unpack_step(std::integral_constant<int32_t, 2>{});
    if (slots == 4) unpack_step(std::integral_constant<int32_t, 4>{});
    if (slots == 8) unpack_step(std::integral_constant<int32_t, 8>{});
  }
}

}  // namespace amx
}  // namespace
}  // namespace tidbit::kernels::dot
