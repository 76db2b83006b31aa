// The loop of operators that compute all channels of a pixel at once: tiles of pixels, image by image, in parallel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/ops/op.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {

/// Results of a tile: as int32 sums they are 16 KiB, which stay in L1 on their way to the epilogue.
constexpr int32_t kTileResults = 4096;
/// Taps times channels that are worth another thread.
constexpr int64_t kTileWork = 65536;

inline int32_t tile_pixels(const kernels::ConvolutionShape& shape) {
  return static_cast<int32_t>(std::clamp<int64_t>(kTileResults / shape.channels, 1, shape.pixels()));
}

/// Memory for the int32 sums of a tile.
inline uint64_t tile_sum_bytes(const kernels::ConvolutionShape& shape) {
  return aligned(
      product({sizeof(int32_t), static_cast<uint64_t>(tile_pixels(shape)), static_cast<uint64_t>(shape.channels)}));
}

struct Tile {
  int64_t image;         // of the batch
  int32_t begin, count;  // pixels of the image
  int64_t pixel;         // the first, of the batch
  size_t thread;
};

/// `geometry` is that of the batch.
template <class Body>
void for_each_tile(const Frame& frame, const Geometry& geometry, const Body& body) noexcept {
  const kernels::ConvolutionShape& shape = geometry.shape;
  const int64_t pixels = shape.pixels(), size = tile_pixels(shape), tiles = (pixels + size - 1) / size;
  const int64_t work = size * shape.channels * shape.window.taps();
  const auto grain = static_cast<size_t>(std::max<int64_t>(1, kTileWork / work));
  frame.threads.parallel_ranges(
      static_cast<size_t>(geometry.images * tiles), grain, [&](size_t first, size_t last, size_t thread) {
        for (auto i = static_cast<int64_t>(first); i < static_cast<int64_t>(last); ++i) {
          const int64_t image = i / tiles, begin = i % tiles * size;
          const int64_t count = std::min(size, pixels - begin);
          body(Tile{image, static_cast<int32_t>(begin), static_cast<int32_t>(count), image * pixels + begin, thread});
        }
      });
}

}  // namespace tidbit::internal
