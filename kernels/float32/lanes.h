// Convolution in float32 on vectors, for the ISA files: output channels are lanes, and some pixels share the weights.
//
// A call walks its pixels once for each *chunk* of the window's values, whose weights stay in L1 meanwhile; the weights
// of the next chunk are prefetched. Sums of each result are rounded one by one in the order of the window, so results
// do not depend on how pixels are cut.
//
// `V` holds a tier's vectors and operations, in an anonymous namespace, and so all that is instantiated here is local
// to its file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/float32/tiers.h"

namespace tidbit::kernels::float32_tiers {

template <class V>
struct Convolution {
  static constexpr int32_t kVectors = 2;  // of a panel
  static constexpr int32_t kPanel = kVectors * V::kLanes;
  static constexpr int32_t kMostPixels = 112;            // of a call: their sums are 14 KiB, or half of it
  static constexpr int32_t kMostValues = 6144 / kPanel;  // of a chunk: 24 KiB of weights
  static constexpr int32_t kMostSegments = 64;           // of a chunk

  /// Neighbouring values of each pixel of a block, and their weights.
  struct Segment {
    const float* x[V::kPixels];
    const float* weights;
    int32_t count;
  };

  /// What to add the products to, and where to.
  struct Sums {
    const float* from;
    ptrdiff_t from_stride;
    float* to;
  };

  using Accumulate = void(const Segment*, int32_t count, const Sums&, const float* prefetched);

  template <int Pixels, int Vectors>
  static void accumulate(const Segment* segment, int32_t count, const Sums& sums, const float* prefetched) {
    typename V::Vector acc[Pixels][Vectors];
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) acc[p][v] = V::load(sums.from + p * sums.from_stride + v * V::kLanes);
    }
    for (const Segment* const end = segment + count; segment != end; ++segment) {
      const float* x[Pixels];
#pragma GCC unroll 16
      for (int p = 0; p < Pixels; ++p) x[p] = segment->x[p];
      const float* w = segment->weights;
      const ptrdiff_t values = segment->count;
      for (ptrdiff_t k = 0; k < values; ++k, w += kPanel, prefetched += kPanel / 2) {
        __builtin_prefetch(prefetched);
        typename V::Vector weights[Vectors];
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) weights[v] = V::load(w + v * V::kLanes);
#pragma GCC unroll 16
        for (int p = 0; p < Pixels; ++p) {
          const typename V::Vector value = V::broadcast(x[p][k]);
#pragma GCC unroll 2
          for (int v = 0; v < Vectors; ++v) acc[p][v] = V::multiply_add(value, weights[v], acc[p][v]);
        }
      }
    }
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) V::store(sums.to + p * kPanel + v * V::kLanes, acc[p][v]);
    }
  }

  struct Table {
    Accumulate* of[kVectors][V::kPixels];  // [vectors - 1][pixels - 1]
  };
  template <int... Pixels>
  static constexpr Table table(std::integer_sequence<int, Pixels...>) {
    return {{{accumulate<Pixels + 1, 1>...}, {accumulate<Pixels + 1, 2>...}}};
  }
  static constexpr Table kAccumulate = table(std::make_integer_sequence<int, V::kPixels>());

  /// Where the windows of a block's pixels begin, from `pixel` on.
  struct Block {
    int32_t pixels;
    int32_t top[V::kPixels], left[V::kPixels];
    ptrdiff_t begin[V::kPixels];       // of a window, in `in`
    bool rows_inside, columns_inside;  // all of all windows

    Block(const Float32Tile& tile, int32_t pixel, int32_t count)
        : pixels(count), rows_inside(true), columns_inside(true) {
      const ConvolutionShape& shape = *tile.shape;
      const Window& window = shape.window;
      const int32_t lowest = shape.height - (window.kernel_height - 1) * window.dilation_height;
      const int32_t rightmost = shape.width - (window.kernel_width - 1) * window.dilation_width;
      int32_t column = pixel % shape.out_width;
      int32_t y = pixel / shape.out_width * window.stride_height - window.pad_top;
      for (int32_t p = 0; p < pixels; ++p) {
        const int32_t x = column * window.stride_width - window.pad_left;
        top[p] = y;
        left[p] = x;
        begin[p] = (ptrdiff_t{y} * shape.width + x) * tile.pixel_stride;
        rows_inside &= y >= 0 && y < lowest;
        columns_inside &= x >= 0 && x < rightmost;
        if (++column < shape.out_width) continue;
        column = 0;
        y += window.stride_height;
      }
    }
  };

  /// Values [begin, end) of the window, which is [tap][channel].
  struct Chunk {
    int32_t begin, end;
    const float* weights;
  };

  /// Where a tap is in the image, from the window's begin.
  struct Tap {
    int32_t row, column;
    ptrdiff_t offset;  // in `in`
  };

  /// Points to a tap of each pixel, to zeros where it is outside; returns whether any is inside.
  static bool point_to(const Float32Tile& tile, const Block& block, const Tap& tap, const float** x) {
    static constexpr float kZeros[kMostValues] = {};
    if (block.rows_inside && block.columns_inside) {
      for (int32_t p = 0; p < block.pixels; ++p) x[p] = tile.in + (block.begin[p] + tap.offset);
      return true;
    }
    const auto height = static_cast<uint32_t>(tile.shape->height), width = static_cast<uint32_t>(tile.shape->width);
    bool any = false;
    for (int32_t p = 0; p < block.pixels; ++p) {
      const auto row = static_cast<uint32_t>(block.top[p] + tap.row);
      const auto column = static_cast<uint32_t>(block.left[p] + tap.column);
      const bool inside = row < height && column < width;
      x[p] = inside ? tile.in + (block.begin[p] + tap.offset) : kZeros;
      any |= inside;
    }
    return any;
  }

  /// What the block reads of a chunk; returns how many segments. Taps that no pixel has inside are left out.
  static int32_t read(const Float32Tile& tile, const Block& block, const Chunk& chunk, Segment* segments) {
    const ConvolutionShape& shape = *tile.shape;
    const Window& window = shape.window;
    const int32_t channels = shape.channels, row_values = window.kernel_width * channels;
    // Taps of a row are neighbours, too.
    const bool rows =
        tile.pixel_stride == channels && window.dilation_width == 1 && block.rows_inside && block.columns_inside;
    int32_t number = 0;
    for (int32_t at = chunk.begin, count = 0; at < chunk.end; at += count) {
      const int32_t row = at / row_values, of_row = at % row_values;
      const int32_t column = of_row / channels, channel = of_row % channels;
      const int32_t run = rows ? row_values - of_row : channels - channel;
      count = run < chunk.end - at ? run : chunk.end - at;
      Tap tap = {row * window.dilation_height, column * window.dilation_width, 0};
      tap.offset = (ptrdiff_t{tap.row} * shape.width + tap.column) * tile.pixel_stride + channel;
      Segment& segment = segments[number];
      if (!point_to(tile, block, tap, segment.x)) continue;
      segment.weights = chunk.weights + ptrdiff_t{at - chunk.begin} * kPanel;
      segment.count = count;
      ++number;
    }
    return number;
  }

  static void store(const Float32Tile& tile, const float* sums) {
    const auto lowest = V::broadcast(tile.lowest), highest = V::broadcast(tile.highest);
    float* out = tile.out;
    for (int32_t p = 0; p < tile.pixel_count; ++p, sums += kPanel, out += tile.out_stride) {
      alignas(64) float clamped[kPanel];
      float* const to = tile.channel_count == kPanel ? out : clamped;
      for (int32_t v = 0; v < kVectors; ++v) {
        const auto sum = V::load(sums + v * V::kLanes);
        V::store(to + v * V::kLanes, V::minimum(highest, V::maximum(lowest, sum)));
      }
      if (to == out) continue;
      for (int32_t c = 0; c < tile.channel_count; ++c) out[c] = clamped[c];
    }
  }

  static void run(const Float32Tile& tile) noexcept {
    alignas(64) float sums[kMostPixels * kPanel];
    Segment segments[kMostSegments];
    const int32_t vectors = (tile.channel_count + V::kLanes - 1) / V::kLanes;
    const int32_t blocks = (tile.pixel_count + V::kPixels - 1) / V::kPixels;
    const auto depth = static_cast<int32_t>(tile.shape->depth());
    // A chunk has no more taps than segments: it may begin and end within one.
    const int64_t of_segments = int64_t{kMostSegments - 2} * tile.shape->channels;
    const auto most = static_cast<int32_t>(of_segments < kMostValues ? of_segments : kMostValues);
    const int32_t chunks = (depth + most - 1) / most, values = (depth + chunks - 1) / chunks;
    const float* weights = tile.panel + kPanel;
    for (int32_t begin = 0; begin < depth; begin += values, weights += ptrdiff_t{values} * kPanel) {
      const Chunk chunk = {begin, begin + values < depth ? begin + values : depth, weights};
      const float* prefetched = weights + ptrdiff_t{values} * kPanel;
      for (int32_t i = 0, first = 0; i < blocks; ++i) {
        const int32_t pixels = (tile.pixel_count - first + blocks - i - 1) / (blocks - i);
        const Block block(tile, tile.pixel_begin + first, pixels);
        const int32_t count = read(tile, block, chunk, segments);
        float* const to = sums + first * kPanel;
        const Sums of_block = {begin == 0 ? tile.panel : to, begin == 0 ? 0 : kPanel, to};
        kAccumulate.of[vectors - 1][pixels - 1](segments, count, of_block, prefetched);
        // Half of the chunk a block; after the second, what is there.
        prefetched = i == 0 ? prefetched + ptrdiff_t{values} * kPanel / 2 : weights;
        first += pixels;
      }
    }
    store(tile, sums);
  }
};

}  // namespace tidbit::kernels::float32_tiers
