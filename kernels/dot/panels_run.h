// The loops over panels, for the files of SIMD tiers alone: all of it in an anonymous namespace, so that no tier shares
// code with another. A Mode is what a tier multiplies with:
//   Vec, kLanes, kVectors, kPixels   registers; a block of kPixels x kVectors of them holds sums
//   kValueBytes, Value               of a and b (dot/panels.h); a's type
//   kImageBits                       of codes that are packed as they are for images (dot/panels.h)
//   kNarrow                          acc() are pairs of int16 sums, which widen() adds up in pairs
//   load, store, zero, broadcast (four bytes), add (int32), mac(sums, a, b), widen
//   multiply<P, V>                   what a block does, where the loop below is not it, up to `limit(problem)` sums
//   packed (loads vector_bytes), codes(packed, shift, mask), values(codes, Unpacking), operand(codes)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/dot/panels.h"

namespace tidbit::kernels::dot {
namespace {

constexpr int32_t kBufferBytes = 24576;  // of unpacked weights: they stay in L1
constexpr int32_t kChunkGroups = 512;    // of weights that are multiplied where they are
constexpr int32_t kMaxSegments = 64;
constexpr int32_t kLeastNarrow = 4;  // sums of fewer would spend their time on widening

template <class Mode>
constexpr PanelForm kForm = {.lanes = Mode::kLanes,
                             .vectors = Mode::kVectors,
                             .value_bytes = Mode::kValueBytes,
                             .signed_activations = std::is_same_v<typename Mode::Value, int8_t>,
                             .image_bits = Mode::kImageBits};

constexpr int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/// Neighbouring groups of a run: where they are in the window and among the weights of the chunk.
struct Segment {
  ptrdiff_t x;
  size_t weights;
  int32_t groups;
};

/// Sums of a block: where they start from and where they go.
struct Sums {
  const int32_t* from;
  ptrdiff_t from_stride;
  int32_t* to;
  ptrdiff_t stride;
};

/// Adds the products of a chunk's segments for P pixels and V vectors of channels. `limit`: how many narrow sums fit.
template <class Mode, int32_t P, int32_t V>
void multiply(const Segment* segments, int32_t count, const uint8_t* weights, const uint8_t* const* windows, Sums sums,
              [[maybe_unused]] int32_t limit) {
  using Vec = typename Mode::Vec;
  Vec acc[P][V];
  const uint8_t* x[P];
#pragma GCC unroll 16
  for (int32_t p = 0; p < P; ++p) {
    x[p] = windows[p];
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) {
      acc[p][v] = Mode::kNarrow ? Mode::zero() : Mode::load(sums.from + p * sums.from_stride + v * Mode::kLanes);
    }
  }
  const auto step = [&](ptrdiff_t at, const uint8_t* w) __attribute__((always_inline)) {
    Vec b[V];
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) b[v] = Mode::load(w + v * sizeof(Vec));
#pragma GCC unroll 16
    for (int32_t p = 0; p < P; ++p) {
      const Vec a = Mode::broadcast(x[p] + at);
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) acc[p][v] = Mode::mac(acc[p][v], a, b[v]);
    }
  };
  const auto flush = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int32_t p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) {
        const Vec from = Mode::load(sums.from + p * sums.from_stride + v * Mode::kLanes);
        Mode::store(sums.to + p * sums.stride + v * Mode::kLanes, Mode::add(from, Mode::widen(acc[p][v])));
        acc[p][v] = Mode::zero();
      }
    }
    sums.from = sums.to;
    sums.from_stride = sums.stride;
  };
  [[maybe_unused]] int32_t left = limit;
  for (const Segment* segment = segments; segment < segments + count; ++segment) {
    const uint8_t* w = weights + segment->weights;
    ptrdiff_t at = segment->x;
    const ptrdiff_t end = at + 4 * ptrdiff_t{segment->groups};
    if constexpr (Mode::kNarrow) {
      while (at < end) {
        const ptrdiff_t stop = end - at > 4 * ptrdiff_t{left} ? at + 4 * ptrdiff_t{left} : end;
        left -= static_cast<int32_t>((stop - at) / 4);
        for (; at < stop; at += 4, w += V * sizeof(Vec)) step(at, w);
        if (left == 0) {
          flush();
          left = limit;
        }
      }
    } else {
      for (; at < end; at += 4, w += V * sizeof(Vec)) step(at, w);
    }
  }
  if constexpr (Mode::kNarrow) {
    flush();
  } else {
#pragma GCC unroll 16
    for (int32_t p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) Mode::store(sums.to + p * sums.stride + v * Mode::kLanes, acc[p][v]);
    }
  }
}

using Multiply = void (*)(const Segment*, int32_t, const uint8_t*, const uint8_t* const*, Sums, int32_t);

template <class Mode>
concept OwnLoop = requires {
  Mode::template multiply<1, 1>;
};

template <class Mode, int32_t P, int32_t V>
constexpr Multiply multiply_block() {
  if constexpr (OwnLoop<Mode>) {
    return Mode::template multiply<P, V>;
  } else {
    return multiply<Mode, P, V>;
  }
}

template <class Mode, int32_t V>
Multiply multiply_of(int32_t pixels) {
  return [pixels]<int32_t... P>(std::integer_sequence<int32_t, P...>) {
    static constexpr Multiply kEntries[] = {multiply_block<Mode, P + 1, V>()...};
    return kEntries[pixels - 1];
  }
  (std::make_integer_sequence<int32_t, Mode::kPixels>());
}

template <class Mode>
Multiply multiply_of(int32_t pixels, int32_t vectors) {
  if constexpr (Mode::kVectors >= 4) {
    if (vectors == 4) return multiply_of<Mode, 4>(pixels);
    if (vectors == 3) return multiply_of<Mode, 3>(pixels);
  }
  return vectors == 2 ? multiply_of<Mode, 2>(pixels) : multiply_of<Mode, 1>(pixels);
}

/// A panel and the pixels of a tile that run over it.
struct Strip {
  const Panels* panels;
  const uint8_t* weights;  // the panel's
  const int32_t* constants;
  int32_t vectors, channels;
  const uint8_t* windows[kPanelStrip];
  int32_t pixels;
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
  int32_t count = 0;
  Segment segments[kMaxSegments];
};

ptrdiff_t run_offset(const Panels& panels, int32_t run) {
  const auto row = static_cast<size_t>(run / panels.image.row_runs),
             of_row = static_cast<size_t>(run) % panels.image.row_runs;
  return static_cast<ptrdiff_t>(row * panels.image.kernel_row_step + of_row * panels.image.run_step);
}

/// Unpacks blocks [begin, end) of a run to b.
template <class Mode>
void unpack(const Strip& strip, const typename Mode::Unpacking& unpacking, const uint8_t* packed, int32_t begin,
            int32_t end, uint8_t* to) {
  using Vec = typename Mode::Vec;
  const Panels& panels = *strip.panels;
  const size_t group_bytes = strip.vectors * sizeof(Vec);
  for (int32_t block = begin; block < end; ++block) {
    for (int32_t v = 0; v < strip.vectors; ++v, packed += panels.vector_bytes) {
      const auto codes = Mode::packed(packed);
      uint8_t* out = to + v * sizeof(Vec);
      for (int32_t slot = 0; slot < panels.slots; ++slot, out += group_bytes) {
        Mode::store(out, Mode::values(Mode::codes(codes, slot * panels.slot_bits, unpacking), unpacking));
      }
    }
    to += group_bytes * panels.slots;
  }
  if (end < panels.run_blocks || panels.last_values == panels.group_values) return;
  // Past the run's end b is 0, whatever the code 0 stands for.
  const int32_t past = end * panels.slots - (panels.run_groups - 1);
  uint8_t* last = to - past * group_bytes;
  const Vec mask = Mode::broadcast_value((1u << (8 * Mode::kValueBytes * panels.last_values)) - 1);
  for (int32_t v = 0; v < strip.vectors; ++v, last += sizeof(Vec))
    Mode::store(last, Mode::both(mask, Mode::load(last)));
}

/// Fills the chunk; returns where its weights are.
template <class Mode>
const uint8_t* next_chunk(const Strip& strip, const typename Mode::Unpacking& unpacking, Chunk& chunk,
                          uint8_t* buffer) {
  using Vec = typename Mode::Vec;
  const Panels& panels = *strip.panels;
  const bool in_place = Mode::kValueBytes == 1 && panels.slots == 1;
  const size_t group_bytes = strip.vectors * sizeof(Vec);
  const size_t packed_block = strip.vectors * panels.vector_bytes;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  const uint8_t* weights = strip.weights + (size_t(chunk.run) * panels.run_blocks + chunk.block) * packed_block;
  int32_t left = in_place ? kChunkGroups : static_cast<int32_t>(kBufferBytes / group_bytes) / panels.slots;  // blocks
  size_t used = 0;
  const uint8_t* packed = weights;
  for (chunk.count = 0; chunk.count < kMaxSegments && chunk.run < runs && left > 0; ++chunk.count) {
    const int32_t end = smaller(panels.run_blocks, chunk.block + left), blocks = end - chunk.block;
    const int32_t first_group = chunk.block * panels.slots;
    chunk.segments[chunk.count] = {.x = run_offset(panels, chunk.run) + 4 * ptrdiff_t{first_group},
                                   .weights = used,
                                   .groups = smaller(panels.run_groups, end * panels.slots) - first_group};
    if (!in_place) unpack<Mode>(strip, unpacking, packed, chunk.block, end, buffer + used);
    used += static_cast<size_t>(blocks) * panels.slots * group_bytes;
    packed += blocks * packed_block;
    left -= blocks;
    const bool done = end == panels.run_blocks;
    chunk.run += done;
    chunk.block = done ? 0 : end;
  }
  return in_place ? weights : buffer;
}

template <class Mode>
void multiply_strip(const Strip& strip, const typename Mode::Unpacking& unpacking, int32_t* sums, ptrdiff_t stride) {
  alignas(64) uint8_t buffer[kBufferBytes];
  const int32_t runs = strip.panels->image.kernel_rows * strip.panels->image.row_runs;
  const int32_t blocks = (strip.pixels + Mode::kPixels - 1) / Mode::kPixels;
  const int32_t each = strip.pixels / blocks, wider = strip.pixels % blocks;
  const Multiply narrow_block = multiply_of<Mode>(each, strip.vectors);
  const Multiply wide_block = multiply_of<Mode>(wider != 0 ? each + 1 : each, strip.vectors);
  Chunk chunk;
  bool first = true;
  while (chunk.run < runs) {
    const uint8_t* weights = next_chunk<Mode>(strip, unpacking, chunk, buffer);
    int32_t pixel = 0;
    for (int32_t block = 0; block < blocks; ++block) {
      int32_t* to = sums + pixel * stride;
      const Sums of_block = {first ? strip.constants : to, first ? 0 : stride, to, stride};
      (block < wider ? wide_block : narrow_block)(chunk.segments, chunk.count, weights, strip.windows + pixel, of_block,
                                                  strip.limit);
      pixel += block < wider ? each + 1 : each;
    }
    first = false;
  }
}

template <class Mode>
void run_strip(const Strip& strip, const typename Mode::Unpacking& unpacking) {
  const Panels& panels = *strip.panels;
  constexpr int32_t kWidth = Mode::kLanes * Mode::kVectors;
  alignas(64) int32_t partial[kPanelStrip * kWidth];
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
  constexpr int32_t kSlotBits = 8 / Slots;
  const size_t vector_bytes = panels.vector_bytes;
  Vec acc[V];
#pragma GCC unroll 4
  for (int32_t v = 0; v < V; ++v) {
    const Vec constants = Mode::load(strip.constants + v * Mode::kLanes);
    acc[v] = Mode::kNarrow ? Mode::zero() : constants;
    if (Mode::kNarrow) Mode::store(sums + v * Mode::kLanes, constants);
  }
  const auto flush = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) {
      int32_t* to = sums + v * Mode::kLanes;
      Mode::store(to, Mode::add(Mode::load(to), Mode::widen(acc[v])));
      acc[v] = Mode::zero();
    }
  };
  const uint8_t* packed = strip.weights;
  [[maybe_unused]] int32_t left = strip.code_limit;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  for (int32_t run = 0; run < runs; ++run) {
    const uint8_t* x = window + run_offset(panels, run);
    for (int32_t block = 0; block < panels.run_blocks; ++block, x += ptrdiff_t{4} * Slots, packed += V * vector_bytes) {
      typename Mode::Packed codes[V];
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) codes[v] = Mode::packed(packed + v * vector_bytes);
#pragma GCC unroll 8
      for (int32_t slot = 0; slot < Slots; ++slot) {
        const Vec a = Mode::broadcast(x + ptrdiff_t{4} * slot);
#pragma GCC unroll 4
        for (int32_t v = 0; v < V; ++v) {
          acc[v] = Mode::mac(acc[v], a, Mode::operand(Mode::codes(codes[v], slot * kSlotBits, unpacking)));
        }
      }
      if constexpr (Mode::kNarrow) {
        left -= Slots;
        if (left < Slots) {
          flush();
          left = strip.code_limit;
        }
      }
    }
  }
  if constexpr (Mode::kNarrow) {
    flush();
  } else {
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) Mode::store(sums + v * Mode::kLanes, acc[v]);
  }
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
void set_windows(const PackedImage& image, const std::byte* packed, int32_t first, Strip& strip) {
  const auto* base = reinterpret_cast<const uint8_t*>(packed);
  const uint8_t* row = base + static_cast<size_t>(first / image.out_width) * image.out_row_step;
  int32_t x = first % image.out_width;
  for (int32_t p = 0; p < strip.pixels; ++p) {
    strip.windows[p] = row + static_cast<size_t>(x) * image.out_pixel_step;
    if (++x == image.out_width) {
      x = 0;
      row += image.out_row_step;
    }
  }
}

template <class Mode>
void run_panels(const GemmTile& tile) noexcept {
  constexpr int32_t kWidth = Mode::kLanes * Mode::kVectors;
  const GemmProblem& problem = *tile.problem;
  const Panels panels = dot::panels(problem, kForm<Mode>);
  const typename Mode::Unpacking unpacking(panels, problem.weights);
  const bool packs_codes = Mode::kValueBytes > 1 || panels.slots > 1;
  Strip strip;
  strip.panels = &panels;
  strip.sums_stride = tile.sums_stride;
  if constexpr (OwnLoop<Mode>) {
    strip.limit = Mode::limit(problem);
  } else {
    strip.limit = Mode::kNarrow ? fitting_int16(problem, false) : 0;
  }
  strip.code_limit = Mode::kNarrow ? fitting_int16(problem, true) : 0;
  for (int32_t first = 0; first < tile.pixel_count; first += kPanelStrip) {
    strip.pixels = smaller(kPanelStrip, tile.pixel_count - first);
    set_windows(panels.image, tile.image, tile.pixel_begin + first, strip);
    const bool direct = packs_codes && strip.pixels <= kDirectPixels;
    for (int32_t c = 0; c < tile.channel_count; c += kWidth) {
      const int32_t channel = tile.channel_begin + c;
      const int32_t vectors = (problem.shape.out_channels - channel + Mode::kLanes - 1) / Mode::kLanes;
      strip.vectors = smaller(Mode::kVectors, vectors);
      strip.channels = smaller(kWidth, tile.channel_count - c);
      strip.weights = reinterpret_cast<const uint8_t*>(tile.weights) + panels.constants_bytes +
                      static_cast<size_t>(channel / kWidth) * panels.panel_bytes;
      strip.constants = reinterpret_cast<const int32_t*>(tile.weights) + channel;
      strip.sums = tile.sums + first * tile.sums_stride + c;
      direct ? run_codes<Mode>(strip, unpacking) : run_strip<Mode>(strip, unpacking);
    }
  }
}

/// Codes to a.
template <class Value>
void pack_codes(const uint8_t* codes, size_t count, Line line, Value* a) {
  if (line.step == 1 && line.base == 0 && sizeof(Value) == 1) {
    std::memcpy(a, codes, count);
  } else if (line.step == 1) {
    for (size_t i = 0; i < count; ++i) a[i] = static_cast<Value>(codes[i] + line.base);
  } else {
    for (size_t i = 0; i < count; ++i)
      a[i] = static_cast<Value>(static_cast<int16_t>(line.step) * codes[i] + line.base);
  }
}

template <class Value>
void fill(Value* a, size_t count, int32_t value) {
  for (size_t i = 0; i < count; ++i) a[i] = static_cast<Value>(value);
}

template <class Mode, class Value>
void pack_panels_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                       int32_t row_end, std::byte* packed) noexcept {
  const Panels panels = dot::panels(problem, kForm<Mode>);
  const ConvolutionShape& shape = problem.shape;
  const int32_t covered = shape.covered_width();
  const int32_t left = smaller(shape.window.pad_left, covered);
  const int32_t inside = smaller(shape.width, covered - left);
  const size_t channels = static_cast<size_t>(shape.channels);
  const size_t slack = panels.image.row_bytes - covered * panels.image.pixel_bytes;
  for (int32_t row = row_begin; row < row_end; ++row) {
    auto* out = reinterpret_cast<Value*>(packed + static_cast<size_t>(row) * panels.image.row_bytes);
    std::memset(out + covered * channels, 0, slack);
    const int32_t y = row - shape.window.pad_top;
    if (y < 0 || y >= shape.height) {
      fill(out, covered * channels, panels.padding);
      continue;
    }
    fill(out, left * channels, panels.padding);
    out += left * channels;
    const uint8_t* in = codes + ptrdiff_t{y} * shape.width * pixel_stride;
    if (pixel_stride == shape.channels) {
      pack_codes(in, inside * channels, panels.a, out);
    } else {
      for (int32_t x = 0; x < inside; ++x) pack_codes(in + x * pixel_stride, channels, panels.a, out + x * channels);
    }
    fill(out + inside * channels, (covered - left - inside) * channels, panels.padding);
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

}  // namespace
}  // namespace tidbit::kernels::dot
