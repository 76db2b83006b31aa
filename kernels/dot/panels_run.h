// The loops over panels, for the files of SIMD tiers alone, of which each has a Mode (dot/panels_multiply.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "kernels/dot/panels_image.h"
#include "kernels/dot/panels_multiply.h"

namespace tidbit::kernels::dot {
namespace {

constexpr int32_t kBufferBytes = 24576;  // of unpacked weights: they stay in L1
constexpr int32_t kChunkGroups = 512;    // of a chunk
constexpr int32_t kMaxSegments = 64;
constexpr int32_t kMaxStrip = 256;
constexpr int32_t kLeastNarrow = 4;      // sums of fewer would spend their time on widening
constexpr int32_t kLeastTapGroups = 16;  // taps of fewer are not left out for one pixel's sake

/// A panel and the pixels of a tile that run over it.
struct Strip {
  const Panels* panels;
  const uint8_t* weights;  // the panel's
  const int32_t* constants;
  int32_t vectors, channels;
  const uint8_t* windows[kMaxStrip];
  int32_t pixels;
  PixelBlock blocks[kMaxStrip];
  int32_t block_count;
  int32_t tap_groups;  // of a run, or 0 where no taps are left out
  bool even;           // blocks whose windows are all image.out_pixel_step apart
  int32_t* sums;
  ptrdiff_t sums_stride;
  int32_t limit, code_limit;
};

/// Sum of a over the window.
template <class Mode>
uint32_t window_sum(const Panels& panels, const uint8_t* window) {
  uint32_t sum = 0;
  for (int32_t row = 0; row < panels.image.kernel_rows; ++row) {
    for (int32_t run = 0; run < panels.image.row_runs; ++run) {
      const uint8_t* x = window + row * panels.image.kernel_row_step + run * panels.image.run_step;
      const auto* values = reinterpret_cast<const typename Mode::Value*>(x);
      for (int32_t i = 0; i < panels.run_values; ++i) sum += static_cast<uint32_t>(int32_t{values[i]});
    }
  }
  return sum;
}

/// From constant + sum a*b to sum v_x*v_w.
void scale(const int32_t* constants, uint32_t factor, uint32_t addend, int32_t channels, int32_t* sums) {
  for (int32_t c = 0; c < channels; ++c) {
    const auto constant = static_cast<uint32_t>(constants[c]);
    sums[c] = static_cast<int32_t>((static_cast<uint32_t>(sums[c]) - constant) * factor + constant + addend);
  }
}

/// What a strip multiplies at a time: all of it, or as much as the buffer holds unpacked.
struct Chunk {
  int32_t run = 0, block = 0;  // the next
  int32_t count = 0, groups = 0;
  Segment segments[kMaxSegments];
  ptrdiff_t x[kChunkGroups];  // of each group

  /// Of kernel rows before `end`.
  int32_t groups_before(int32_t end) const {
    for (const Segment* segment = segments; segment < segments + count; ++segment) {
      if (segment->row >= end) return segment->first;
    }
    return groups;
  }
};

/// Whether packed weights are codes, else b itself.
template <class Mode>
bool packs_codes(const Panels& panels) {
  return Mode::kValueBytes > 1 || panels.slots > 1;
}

ptrdiff_t run_offset(const Panels& panels, int32_t run) {
  const auto row = static_cast<size_t>(run / panels.image.row_runs),
             of_row = static_cast<size_t>(run) % panels.image.row_runs;
  return static_cast<ptrdiff_t>(row * panels.image.kernel_row_step + of_row * panels.image.run_step);
}

/// Unpacks so many blocks to b; returns the end of it.
template <class Mode, int32_t Slots>
uint8_t* unpack_slots(const Strip& strip, typename Mode::Unpacking unpacking, const uint8_t* packed, int32_t blocks,
                      uint8_t* to) {
  using Vec = typename Mode::Vec;
  const size_t vector_bytes = strip.panels->vector_bytes, group_bytes = strip.vectors * sizeof(Vec);
  for (; blocks > 0; --blocks, to += (Slots - 1) * group_bytes) {
    for (int32_t v = 0, vectors = strip.vectors; v < vectors; ++v, packed += vector_bytes, to += sizeof(Vec)) {
      const auto codes = Mode::packed(packed);
      unroll<0, Slots>([&](auto slot) __attribute__((always_inline)) {
        Mode::store(to + slot * group_bytes, Mode::template values<Slots, slot>(codes, unpacking));
      });
    }
  }
  return to;
}

/// Unpacks blocks [begin, end) of a run to b.
template <class Mode>
void unpack(const Strip& strip, const typename Mode::Unpacking& unpacking, const uint8_t* packed, int32_t begin,
            int32_t end, uint8_t* to) {
  using Vec = typename Mode::Vec;
  const Panels& panels = *strip.panels;
  const size_t group_bytes = strip.vectors * sizeof(Vec);
  const auto unpack_blocks = panels.slots == 1   ? unpack_slots<Mode, 1>
                             : panels.slots == 2 ? unpack_slots<Mode, 2>
                             : panels.slots == 4 ? unpack_slots<Mode, 4>
                                                 : unpack_slots<Mode, 8>;
  to = unpack_blocks(strip, unpacking, packed, end - begin, to);
  if (end < panels.run_blocks || panels.last_values == panels.group_values) return;
  // Past the run's end b is 0, whatever the code 0 stands for.
  const int32_t past = end * panels.slots - (panels.run_groups - 1);
  uint8_t* last = to - past * group_bytes;
  uint8_t kept[sizeof(Vec)];
  for (int32_t i = 0; i < static_cast<int32_t>(sizeof(Vec)); ++i) {
    kept[i] = i % Mode::kGroupBytes < Mode::kValueBytes * panels.last_values ? 0xff : 0;
  }
  const Vec mask = Mode::load(kept);
  for (int32_t v = 0; v < strip.vectors; ++v, last += sizeof(Vec))
    Mode::store(last, Mode::both(mask, Mode::load(last)));
}

/// Fills the chunk; returns where its weights are.
template <class Mode>
const uint8_t* next_chunk(const Strip& strip, const typename Mode::Unpacking& unpacking, Chunk& chunk,
                          uint8_t* buffer) {
  using Vec = typename Mode::Vec;
  const Panels& panels = *strip.panels;
  const bool unpacks = packs_codes<Mode>(panels);
  const size_t group_bytes = strip.vectors * sizeof(Vec);
  const size_t packed_block = strip.vectors * panels.vector_bytes;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  const uint8_t* weights = strip.weights + (size_t(chunk.run) * panels.run_blocks + chunk.block) * packed_block;
  const int32_t fitting = static_cast<int32_t>(kBufferBytes / group_bytes);
  int32_t left = (unpacks ? smaller(fitting, kChunkGroups) : kChunkGroups) / panels.slots;  // blocks
  chunk.groups = 0;
  const uint8_t* packed = weights;
  for (chunk.count = 0; chunk.count < kMaxSegments && chunk.run < runs && left > 0; ++chunk.count) {
    const int32_t end = smaller(panels.run_blocks, chunk.block + left), blocks = end - chunk.block;
    const int32_t first_group = chunk.block * panels.slots;
    const Segment segment = {.x = run_offset(panels, chunk.run) + Mode::kGroupBytes * ptrdiff_t{first_group},
                             .first = chunk.groups,
                             .row = chunk.run / panels.image.row_runs,
                             .begin = first_group,
                             .groups = smaller(panels.run_groups, end * panels.slots) - first_group};
    // What a run's last block holds beyond it, the next run's first one takes the place of.
    if (unpacks) unpack<Mode>(strip, unpacking, packed, chunk.block, end, buffer + chunk.groups * group_bytes);
    if constexpr (kHasEven<Mode>) {
      for (int32_t g = 0; g < segment.groups; ++g) {
        chunk.x[chunk.groups + g] = segment.x + Mode::kGroupBytes * ptrdiff_t{g};
      }
    }
    chunk.segments[chunk.count] = segment;
    chunk.groups += segment.groups;
    packed += blocks * packed_block;
    left -= blocks;
    const bool done = end == panels.run_blocks;
    chunk.run += done;
    chunk.block = done ? 0 : end;
  }
  return unpacks ? buffer : weights;
}

/// Multiplies a chunk for a block of even pixels.
template <class Mode>
void multiply_even_block(const Strip& strip, const Chunk& chunk, const uint8_t* weights, const PixelBlock& block,
                         const Sums& sums) {
  const int32_t begin = chunk.groups_before(block.row_begin), end = chunk.groups_before(block.row_end);
  const size_t group_bytes = strip.vectors * sizeof(typename Mode::Vec);
  even_table<Mode>(strip.vectors)[block.pixels - 1](chunk.x + begin, chunk.x + end, weights + begin * group_bytes,
                                                    strip.windows[block.first],
                                                    static_cast<ptrdiff_t>(strip.panels->image.out_pixel_step), sums);
}

template <class Mode>
void multiply_strip(const Strip& strip, const typename Mode::Unpacking& unpacking, int32_t* sums, ptrdiff_t stride) {
  alignas(64) uint8_t buffer[kBufferBytes];
  const int32_t runs = strip.panels->image.kernel_rows * strip.panels->image.row_runs;
  const Multiply* const inside = multiply_table<Mode, false>(strip.vectors);
  const Multiply* const at_edge = multiply_table<Mode, true>(strip.vectors);
  const int32_t run_groups = strip.panels->run_groups, tap_groups = strip.tap_groups, limit = strip.limit;
  const PixelBlock* const blocks_end = strip.blocks + strip.block_count;
  Chunk chunk;
  bool first = true;
  while (chunk.run < runs) {
    const uint8_t* weights = next_chunk<Mode>(strip, unpacking, chunk, buffer);
    for (const PixelBlock* block = strip.blocks; block < blocks_end; ++block) {
      int32_t* to = sums + block->first * stride;
      const Sums of_block = {first ? strip.constants : to, first ? 0 : stride, to, stride};
      const Block groups = {block->row_begin, block->row_end, block->tap_begin * tap_groups,
                            tap_groups > 0 ? block->tap_end * tap_groups : run_groups};
      const bool edge = groups.left_end > 0 || groups.right_begin < run_groups;
      if constexpr (kHasEven<Mode>) {
        if (strip.even && !edge) {
          multiply_even_block<Mode>(strip, chunk, weights, *block, of_block);
          continue;
        }
      }
      (edge ? at_edge : inside)[block->pixels - 1](chunk.segments, chunk.count, weights, strip.windows + block->first,
                                                   groups, of_block, limit);
    }
    first = false;
  }
}

template <class Mode>
void run_strip(const Strip& strip, const typename Mode::Unpacking& unpacking) {
  const Panels& panels = *strip.panels;
  constexpr int32_t kWidth = Mode::kLanes * Mode::kVectors;
  alignas(64) int32_t partial[Mode::kStrip * kWidth];
  const bool whole = strip.channels == strip.vectors * Mode::kLanes;
  int32_t* sums = whole ? strip.sums : partial;
  const ptrdiff_t stride = whole ? strip.sums_stride : kWidth;
  multiply_strip<Mode>(strip, unpacking, sums, stride);
  if (panels.factor != 1 || panels.sum_factor != 0) {
    for (int32_t p = 0; p < strip.pixels; ++p) {
      const uint32_t sum = panels.sum_factor != 0 ? window_sum<Mode>(panels, strip.windows[p]) : 0;
      scale(strip.constants, panels.factor, panels.sum_factor * sum, strip.channels, sums + p * stride);
    }
  }
  if (whole) return;
  for (int32_t p = 0; p < strip.pixels; ++p) {
    for (int32_t c = 0; c < strip.channels; ++c) strip.sums[p * strip.sums_stride + c] = partial[p * kWidth + c];
  }
}

/// Multiplies one pixel with packed codes as they are. Places past a run's end hold the code 0, which adds nothing.
template <class Mode, int32_t V, int32_t Slots>
void multiply_codes(const Strip& strip, const uint8_t* window, const typename Mode::Unpacking& unpacking,
                    int32_t* sums) {
  using Vec = typename Mode::Vec;
  const Panels& panels = *strip.panels;
  constexpr int32_t kSlotBits = 8 / Slots, kBlockBytes = Slots * Mode::kGroupBytes;
  const size_t vector_bytes = panels.vector_bytes;
  constexpr int32_t kChains = Slots > 1 ? 2 : 1;  // of sums: one would be slowed down by an addition's latency
  Vec acc[V][kChains];
  unroll<0, V>([&](auto v) {
    Mode::store(sums + v * Mode::kLanes, Mode::load_sums(strip.constants + v * Mode::kLanes));
    unroll<0, kChains>([&](auto chain) { acc[v][chain] = Mode::zero(); });
  });
  const auto flush = [&]() __attribute__((always_inline)) {
    unroll<0, V>([&](auto v) {
      int32_t* to = sums + v * Mode::kLanes;
      unroll<0, kChains>([&](auto chain) {
        Mode::store(to, Mode::add(Mode::load_sums(to), Mode::widen(acc[v][chain])));
        acc[v][chain] = Mode::zero();
      });
    });
  };
  const uint8_t* packed = strip.weights;
  [[maybe_unused]] int32_t left = strip.code_limit;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  for (int32_t run = 0; run < runs; ++run) {
    const uint8_t* x = window + run_offset(panels, run);
    for (int32_t block = 0; block < panels.run_blocks; ++block, x += kBlockBytes, packed += V * vector_bytes) {
      typename Mode::Packed codes[V];
      unroll<0, V>([&](auto v) { codes[v] = Mode::packed(packed + v * vector_bytes); });
      unroll<0, Slots>([&](auto slot) {
        const Vec a = Mode::broadcast(x + Mode::kGroupBytes * ptrdiff_t{slot});
        unroll<0, V>([&](auto v) {
          Vec& sum = acc[v][slot % kChains];
          sum = Mode::mac(sum, a, Mode::operand(Mode::codes(codes[v], slot * kSlotBits, unpacking)));
        });
      });
      if constexpr (Mode::kNarrow) {
        left -= Slots;
        if (left < Slots) {
          flush();
          left = strip.code_limit;
        }
      }
    }
  }
  flush();
}

template <class Mode, int32_t Slots>
void multiply_codes(const Strip& strip, const uint8_t* window, const typename Mode::Unpacking& unpacking,
                    int32_t* sums) {
  if constexpr (Mode::kVectors >= 4) {
    if (strip.vectors == 4) return multiply_codes<Mode, 4, Slots>(strip, window, unpacking, sums);
    if (strip.vectors == 3) return multiply_codes<Mode, 3, Slots>(strip, window, unpacking, sums);
  }
  if (strip.vectors == 2) return multiply_codes<Mode, 2, Slots>(strip, window, unpacking, sums);
  multiply_codes<Mode, 1, Slots>(strip, window, unpacking, sums);
}

/// The same for few pixels, without unpacking: bound by the bytes of the weights.
template <class Mode>
void run_codes(const Strip& strip, const typename Mode::Unpacking& unpacking) {
  const Panels& panels = *strip.panels;
  alignas(64) int32_t sums[Mode::kLanes * Mode::kVectors];
  for (int32_t p = 0; p < strip.pixels; ++p) {
    const uint8_t* window = strip.windows[p];
    switch (panels.slots) {
      case 1:
        if constexpr (Mode::kValueBytes > 1) multiply_codes<Mode, 1>(strip, window, unpacking, sums);
        break;
      case 2:
        multiply_codes<Mode, 2>(strip, window, unpacking, sums);
        break;
      case 4:
        multiply_codes<Mode, 4>(strip, window, unpacking, sums);
        break;
      default:
        multiply_codes<Mode, 8>(strip, window, unpacking, sums);
        break;
    }
    const uint32_t addend = panels.code_sum_factor * window_sum<Mode>(panels, window);
    scale(strip.constants, panels.code_factor, addend, strip.channels, sums);
    std::memcpy(strip.sums + p * strip.sums_stride, sums, strip.channels * sizeof(int32_t));
  }
}

/// The windows of the pixels from `first` on.
inline void set_windows(const PackedImage& image, const std::byte* packed, int32_t first, Strip& strip) {
  const auto* base = reinterpret_cast<const uint8_t*>(packed);
  const uint8_t* row = base + static_cast<size_t>(first / image.out_width) * image.out_row_step;
  const size_t step = image.out_pixel_step;
  for (int32_t p = 0, x = first % image.out_width; p < strip.pixels; x = 0, row += image.out_row_step) {
    const int32_t end = smaller(p + image.out_width - x, strip.pixels);
    for (const uint8_t* window = row + static_cast<size_t>(x) * step; p < end; ++p, window += step)
      strip.windows[p] = window;
  }
}

/// Blocks of the tile's pixels from `first` on. Padding that is stored as 0 is left out.
template <class Mode>
void set_blocks(const GemmProblem& problem, int32_t first, Strip& strip) {
  const Panels& panels = *strip.panels;
  const PackedImage& image = panels.image;
  const ConvolutionShape& shape = problem.shape;
  const bool skips = problem.padded() && panels.padding == 0 && image.out_width >= kLeastBlockRow;
  const int32_t tap_groups = shape.channels / panels.group_values;
  const bool taps = skips && image.row_runs == 1 && shape.channels % panels.group_values == 0 &&
                    (!kHasEven<Mode> || tap_groups >= kLeastTapGroups);
  const bool dense = image.out_row_step == image.out_width * image.out_pixel_step;
  const bool by_rows = skips || (kHasEven<Mode> && !dense && image.out_width >= Mode::kPixels);
  strip.even = kHasEven<Mode> && (dense || by_rows);
  strip.tap_groups = taps ? tap_groups : 0;
  const int32_t most = strip.even && !taps ? even_pixels<Mode>(strip.vectors) : Mode::kPixels;
  strip.block_count = pixel_blocks(shape, first, strip.pixels, most, by_rows, strip.blocks);
  for (int32_t i = 0; by_rows && !skips && i < strip.block_count; ++i) {
    strip.blocks[i].row_begin = 0;
    strip.blocks[i].row_end = image.kernel_rows;
  }
}

template <class Mode>
void run_panels(const GemmTile& tile) noexcept {
  static_assert(Mode::kStrip <= kMaxStrip);
  constexpr int32_t kWidth = Mode::kLanes * Mode::kVectors;
  const GemmProblem& problem = *tile.problem;
  const Panels panels = tile_panels<Mode>(tile);
  const bool unpacks = packs_codes<Mode>(panels);
  typename Mode::Unpacking unpacking{};
  if (unpacks) unpacking = typename Mode::Unpacking(panels, problem.weights);
  Strip strip;
  strip.panels = &panels;
  strip.sums_stride = tile.sums_stride;
  if constexpr (OwnLoop<Mode>) {
    strip.limit = Mode::limit(problem);
  } else {
    strip.limit = Mode::kNarrow ? fitting_int16(problem, false) : 0;
  }
  strip.code_limit = Mode::kNarrow ? fitting_int16(problem, true) : 0;
  for (int32_t first = 0; first < tile.pixel_count; first += Mode::kStrip) {
    strip.pixels = smaller(Mode::kStrip, tile.pixel_count - first);
    strip.vectors = 0;
    set_windows(panels.image, tile.image, tile.pixel_begin + first, strip);
    const bool direct = unpacks && strip.pixels <= kDirectPixels;
    for (int32_t c = 0; c < tile.channel_count; c += kWidth) {
      const int32_t channel = tile.channel_begin + c;
      const int32_t vectors = (problem.shape.out_channels - channel + Mode::kLanes - 1) / Mode::kLanes;
      const int32_t before = strip.vectors;
      strip.vectors = smaller(Mode::kVectors, vectors);
      if (strip.vectors != before) set_blocks<Mode>(problem, tile.pixel_begin + first, strip);
      strip.channels = smaller(kWidth, tile.channel_count - c);
      strip.weights = reinterpret_cast<const uint8_t*>(tile.weights) + panels.constants_bytes +
                      static_cast<size_t>(channel / kWidth) * panels.panel_bytes;
      strip.constants = reinterpret_cast<const int32_t*>(tile.weights) + channel;
      strip.sums = tile.sums + first * tile.sums_stride + c;
      direct ? run_codes<Mode>(strip, unpacking) : run_strip<Mode>(strip, unpacking);
    }
  }
}

// The functions of a GemmKernel.
template <class Mode>
PackedSizes packed_panels_sizes(const GemmProblem& problem) noexcept {
  return packed_sizes(problem, kForm<Mode>);
}

template <class Mode>
void pack_panels_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                         std::byte* packed) noexcept {
  pack_weights(problem, kForm<Mode>, codes, row_begin, row_count, packed);
}

template <class Mode>
bool supports_panels(const GemmProblem& problem) noexcept {
  if (Mode::kValueBytes > 1) return fits_int16(problem.weights) && fits_int16(problem.activations);
  return fits_bytes(problem) && (!Mode::kNarrow || fitting_int16(problem, false) >= kLeastNarrow);
}

/// What a tier lists for a Mode.
template <class Mode>
constexpr GemmKernel panel_kernel(std::string_view name, Isa isa, double (*cost)(const GemmProblem&) noexcept,
                                  int32_t operator_channels = GemmKernel{}.operator_channels) {
  return {.name = name,
          .family = Family::Dot,
          .isa = isa,
          .tile_pixels = Mode::kPixels,
          .tile_channels = Mode::kLanes * Mode::kVectors,
          .supports = supports_panels<Mode>,
          .cost = cost,
          .packed_sizes = packed_panels_sizes<Mode>,
          .pack_weights = pack_panels_weights<Mode>,
          .pack_image = pack_panels_image<Mode>,
          .run = run_panels<Mode>,
          .operator_channels = operator_channels};
}

}  // namespace
}  // namespace tidbit::kernels::dot
