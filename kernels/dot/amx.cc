// TDPBUSD.
#include <initializer_list>

#include "kernels/dot/amx_tiles.h"
#include "kernels/dot/panels_run.h"

#if defined(__has_feature)
#define TIDBIT_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TIDBIT_HAS_FEATURE(feature) 0
#endif

namespace tidbit::kernels::dot {
namespace {
namespace amx {

#if defined(__SANITIZE_ADDRESS__) || TIDBIT_HAS_FEATURE(address_sanitizer)
/// AddressSanitizer does not see what tiles read.
void touch(const RowBlock& block, const Step* begin, const Step* end, const PackedImage& image, int32_t tile_bytes) {
  for (const Step* step = begin; step < end; ++step) {
    for (int32_t p = 0; p < block.pixels; ++p) {
      const volatile uint8_t* row = block.window + step->x + p * image.out_pixel_step;
      static_cast<void>(row[0]);
      static_cast<void>(row[tile_bytes - 1]);
    }
  }
}
#endif

void multiply_chunk(const Strip& strip, const Panel& panel, const Unpacking& unpacking, const Chunk& chunk,
                    int32_t chunk_begin, int32_t count, Tiles& tiles) {
  const Panels& panels = *strip.panels;
  const int32_t row_steps = panels.image.row_runs * (panels.run_blocks * panels.slots / panels.tile_groups);
  const auto pixel_step = static_cast<ptrdiff_t>(panels.image.out_pixel_step);
  for (const Pair* pair = strip.pairs; pair < strip.pairs + strip.pair_count; ++pair) {
    const RowBlock& block = pair->blocks[0];
    const int32_t begin = smaller(larger(block.row_begin * row_steps - chunk_begin, 0), count);
    const int32_t end = smaller(larger(block.row_end * row_steps - chunk_begin, begin), count);
#if defined(__SANITIZE_ADDRESS__) || TIDBIT_HAS_FEATURE(address_sanitizer)
    for (int32_t i = 0; i < pair->count; ++i) {
      touch(pair->blocks[i], chunk.steps + begin, chunk.steps + end, panels.image, 4 * panels.tile_groups);
    }
#endif
    tiles.configure(block.pixels, panels.tile_groups);
    const bool unpacks = panels.slots > 1 && pair == strip.pairs;
    if (unpacks) {
      unpack_steps(unpacking, panel, panels.slots, chunk, 0, begin);
      unpack_steps(unpacking, panel, panels.slots, chunk, end, count);
    }
    (unpacks ? unpacking_multiply(panels.slots) : kMultiply<1>)[pair->count - 1][panel.vectors - 1](
        *pair, panel, chunk, begin, end, pixel_step, unpacking);
  }
}

void multiply_panel(const Strip& strip, const Panel& panel, const Unpacking& unpacking, Tiles& tiles) {
  const Panels& panels = *strip.panels;
  alignas(64) uint8_t buffer[kWeightBytes];
  Chunk chunk;
  chunk.weights_step = static_cast<size_t>(panels.tile_groups) * panel.vectors * 64;
  chunk.packed_step = chunk.weights_step / panels.slots;
  const int32_t run_steps = panels.run_blocks * panels.slots / panels.tile_groups;
  const int32_t all = panels.image.kernel_rows * panels.image.row_runs * run_steps;
  const auto most = static_cast<int32_t>(kWeightBytes / chunk.weights_step);
  int32_t run = 0, of_run = 0;
  for (int32_t begin = 0, chunks = (all + most - 1) / most; begin < all; --chunks) {
    const int32_t count = (all - begin + chunks - 1) / chunks;
    for (int32_t i = 0; i < count; ++i) {
      chunk.steps[i].x = run_offset(panels, run) + ptrdiff_t{4} * panels.tile_groups * of_run;
      chunk.steps[i].ends_run = ++of_run == run_steps;
      if (of_run < run_steps) continue;
      of_run = 0;
      ++run;
    }
    chunk.first = begin == 0;
    chunk.packed = panel.weights + begin * chunk.packed_step;
    chunk.weights = panels.slots > 1 ? buffer : const_cast<uint8_t*>(chunk.packed);
    multiply_chunk(strip, panel, unpacking, chunk, begin, count, tiles);
    begin += count;
  }
}

bool skips_rows(const GemmProblem& problem, const Panels& panels) { return problem.padded() && panels.padding == 0; }

/// Rows that follow each other as their pixels do are one.
int64_t row_width(const GemmProblem& problem, const Panels& panels) {
  const PackedImage& image = panels.image;
  const bool joined = !skips_rows(problem, panels) && image.out_row_step == image.out_width * image.out_pixel_step;
  return joined ? problem.shape.pixels() : problem.shape.out_width;
}

/// Cuts a strip's rows into blocks of about one size; returns how many.
int32_t set_blocks(const GemmTile& tile, const Panels& panels, int32_t first, int32_t pixels, RowBlock* blocks) {
  const ConvolutionShape& shape = tile.problem->shape;
  const Window& window = shape.window;
  const PackedImage& image = panels.image;
  const bool skips = skips_rows(*tile.problem, panels);
  const auto width = static_cast<int32_t>(row_width(*tile.problem, panels));
  int32_t y = (tile.pixel_begin + first) / width, x = (tile.pixel_begin + first) % width, count = 0;
  for (int32_t at = 0; at < pixels; ++y, x = 0) {
    int32_t row_begin = 0, row_end = window.kernel_height;
    const int32_t top = y * window.stride_height - window.pad_top;
    while (skips && row_begin < row_end && top + row_begin * window.dilation_height < 0) ++row_begin;
    while (skips && row_end > row_begin && top + (row_end - 1) * window.dilation_height >= shape.height) --row_end;
    const auto* row = reinterpret_cast<const uint8_t*>(tile.image) + static_cast<size_t>(y) * image.out_row_step;
    const int32_t length = smaller(width - x, pixels - at), parts = (length + kTilePixels - 1) / kTilePixels;
    const int32_t least = length / parts, larger_parts = length % parts;
    for (int32_t part = 0; part < parts; ++part) {
      const int32_t size = least + (part < larger_parts);
      blocks[count++] = {row + static_cast<size_t>(x) * image.out_pixel_step, at, size, row_begin, row_end};
      x += size;
      at += size;
    }
  }
  return count;
}

void set_strip(const GemmTile& tile, const Panels& panels, int32_t first, Strip& strip) {
  strip.panels = &panels;
  strip.pixels = smaller(Amx::kStrip, tile.pixel_count - first);
  strip.pair_count = 0;
  RowBlock blocks[Amx::kStrip];
  const int32_t count = set_blocks(tile, panels, first, strip.pixels, blocks);
  for (int32_t pixels = kTilePixels, next; pixels > 0; pixels = next) {
    next = 0;
    for (const bool whole : {true, false}) {
      bool open = false;
      for (const RowBlock* block = blocks; block < blocks + count; ++block) {
        if (block->pixels < pixels) next = larger(next, block->pixels);
        if (block->pixels != pixels) continue;
        if ((block->row_end - block->row_begin == panels.image.kernel_rows) != whole) continue;
        Pair& last = strip.pairs[strip.pair_count - open];
        open = open && last.blocks[0].row_begin == block->row_begin && last.blocks[0].row_end == block->row_end;
        Pair& pair = strip.pairs[strip.pair_count - open];
        pair.blocks[open] = *block;
        pair.count = 1 + open;
        strip.pair_count += !open;
        open = !open;
      }
    }
  }
}

/// From what tiles summed, in a panel's own places, to the sums of the tile.
void finish(const Strip& strip, const Panel& panel, int32_t channels, int32_t* sums, ptrdiff_t stride) {
  const Panels& panels = *strip.panels;
  const bool scales = panels.factor != 1 || panels.sum_factor != 0;
  for (const Pair* pair = strip.pairs; scales && pair < strip.pairs + strip.pair_count; ++pair) {
    for (int32_t i = 0; i < pair->count; ++i) {
      const RowBlock& block = pair->blocks[i];
      for (int32_t p = 0; p < block.pixels; ++p) {
        const uint8_t* window = block.window + static_cast<size_t>(p) * panels.image.out_pixel_step;
        const uint32_t sum = panels.sum_factor != 0 ? window_sum<Amx>(panels, window) : 0;
        int32_t* const of_pixel = panel.sums + (block.first + p) * panel.stride;
        scale(panel.constants, panels.factor, panels.sum_factor * sum, channels, of_pixel);
      }
    }
  }
  if (panel.sums == sums) return;
  for (int32_t p = 0; p < strip.pixels; ++p) {
    std::memcpy(sums + p * stride, panel.sums + p * panel.stride, static_cast<size_t>(channels) * sizeof(int32_t));
  }
}

void run(const GemmTile& tile) noexcept {
  const GemmProblem& problem = *tile.problem;
  const Panels panels = tile_panels<Amx>(tile);
  const Unpacking unpacking(panels, problem.weights);
  alignas(64) int32_t partial[Amx::kStrip * kWidth];
  Tiles tiles;
  Strip strip;
  for (int32_t first = 0; first < tile.pixel_count; first += Amx::kStrip) {
    set_strip(tile, panels, first, strip);
    for (int32_t c = 0; c < tile.channel_count; c += kWidth) {
      const int32_t channel = tile.channel_begin + c, channels = smaller(kWidth, tile.channel_count - c);
      const int32_t vectors = (problem.shape.out_channels - channel + Amx::kLanes - 1) / Amx::kLanes;
      Panel panel;
      panel.vectors = smaller(Amx::kVectors, vectors);
      panel.weights = reinterpret_cast<const uint8_t*>(tile.weights) + panels.constants_bytes +
                      static_cast<size_t>(channel / kWidth) * panels.panel_bytes;
      panel.constants = reinterpret_cast<const int32_t*>(tile.weights) + channel;
      int32_t* const sums = tile.sums + first * tile.sums_stride + c;
      const bool whole = channels == panel.vectors * Amx::kLanes;
      panel.sums = whole ? sums : partial;
      panel.stride = whole ? tile.sums_stride : kWidth;
      multiply_panel(strip, panel, unpacking, tiles);
      finish(strip, panel, channels, sums, tile.sums_stride);
    }
  }
}

constexpr int32_t kRunChannels = 64;

constexpr int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Measured on Emerald Rapids, built by g++ 12: tiles take as long with fewer pixels.
double cost(const GemmProblem& problem) noexcept {
  constexpr double kMultiply = 21, kSums = 47;  // of a tile
  constexpr double kRun = 3500, kUnpack = 1.2, kByte = 0.06, kPack = 0.09;
  const ConvolutionShape& shape = problem.shape;
  const Panels sizes = panels(problem, kForm<Amx>);
  const int64_t strips = quotient_up(shape.pixels(), Amx::kStrip), width = row_width(problem, sizes);
  const int64_t runs = strips * quotient_up(shape.out_channels, kRunChannels);
  const int64_t vectors = quotient_up(shape.out_channels, Amx::kLanes);
  const int64_t tiles = shape.pixels() / width * quotient_up(width, kTilePixels) * vectors;
  const int64_t run_groups = int64_t{sizes.run_blocks} * sizes.slots;
  const int64_t groups = run_groups * sizes.image.kernel_rows * sizes.image.row_runs;
  const double share = skips_rows(problem, sizes) ? inside_share(shape).rows : 1;
  const double products = share * static_cast<double>(groups) / sizes.tile_groups;
  const double multiplying =
      static_cast<double>(tiles) * (products * kMultiply + kSums) + static_cast<double>(runs) * kRun;
  const double unpacking = sizes.slots == 1 ? 0 : static_cast<double>(strips * vectors * groups) * kUnpack;
  const double reading = static_cast<double>(sizes.weight_bytes) * kByte;
  const double packing = static_cast<double>(sizes.image.bytes) * kPack;
  return (multiplying + unpacking < reading ? reading : multiplying + unpacking) + packing;
}

constexpr GemmKernel kTable[] = {{
    .name = "dot_amx_256x32",
    .family = Family::Dot,
    .isa = Isa::Amx,
    .tile_pixels = Amx::kStrip,
    .tile_channels = kForm<Amx>.lanes * kForm<Amx>.vectors,
    .supports = supports_panels<Amx>,
    .cost = cost,
    .packed_sizes = packed_panels_sizes<Amx>,
    .pack_weights = pack_panels_weights<Amx>,
    .pack_image = pack_panels_image<Amx>,
    .run = run,
    .operator_channels = kRunChannels,
}};

}  // namespace amx
}  // namespace

constinit const std::span<const GemmKernel> kAmx = amx::kTable;

}  // namespace tidbit::kernels::dot
