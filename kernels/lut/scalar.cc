// Lookups in plain C++: a load each.
#include <cstring>

#include "kernels/lut/family.h"

namespace tidbit::kernels::lut {
namespace {

constexpr Form kForm = {.tile = 4, .weight_bits = 6, .activation_bits = 6, .least_group = 1, .split = false};
constexpr int32_t kTile = kForm.tile;

/// Adds one run to the sums of a panel's channels.
void add_run(const uint8_t* tables, size_t entries, const uint8_t* image, const uint8_t* weights, size_t run_bytes,
             uint32_t (&sums)[kTile]) {
  for (size_t k = 0; k < run_bytes; ++k) {
    const uint8_t* table = tables + image[k] * entries;
    for (int32_t c = 0; c < kTile; ++c) sums[c] += table[weights[k * kTile + c]];
  }
}

void run(const GemmTile& tile) noexcept {
  const Layout layout = lut::layout(*tile.problem, kForm);
  const PackedImage& image = layout.image;
  const auto* tables = reinterpret_cast<const uint8_t*>(tile.weights);
  for (int32_t p = 0; p < tile.pixel_count; ++p) {
    const int32_t pixel = tile.pixel_begin + p;
    const std::byte* window =
        tile.image + pixel / image.out_width * image.out_row_step + pixel % image.out_width * image.out_pixel_step;
    for (int32_t first = 0; first < tile.channel_count; first += kTile) {
      const std::byte* panel =
          tile.weights + layout.table_bytes + (tile.channel_begin + first) / kTile * layout.panel_bytes;
      const auto* weights = reinterpret_cast<const uint8_t*>(panel + layout.head_bytes);
      uint32_t sums[kTile] = {}, corrections[kTile];
      std::memcpy(corrections, panel, sizeof(corrections));
      for (int32_t row = 0; row < image.kernel_rows; ++row) {
        for (int32_t run = 0; run < image.row_runs; ++run, weights += image.run_bytes * kTile) {
          const std::byte* bytes = window + row * image.kernel_row_step + run * image.run_step;
          add_run(tables, layout.entries, reinterpret_cast<const uint8_t*>(bytes), weights, image.run_bytes, sums);
        }
      }
      for (int32_t c = 0; c < kTile; ++c) sums[c] = layout.scale * sums[c] + corrections[c];
      const int32_t left = tile.channel_count - first;
      std::memcpy(tile.sums + p * tile.sums_stride + first, sums, (left < kTile ? left : kTile) * sizeof(int32_t));
    }
  }
}

bool supports(const GemmProblem& problem) noexcept { return lut::supports(problem, kForm); }

double cost(const GemmProblem& problem) noexcept {
#if defined(__aarch64__) || defined(__arm__)  // modelled for a Cortex-A72, built by g++ 12
  constexpr double kIndex = 9;
#else  // measured on Zen 4, built by g++ 12
  constexpr double kIndex = 6;
#endif
  return lut::cost(problem, kForm, {.index = kIndex, .alone = kIndex, .widen = 0, .panel = 20, .pack = 60});
}

PackedSizes packed_sizes(const GemmProblem& problem) noexcept { return lut::packed_sizes(problem, kForm); }

void pack_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept {
  lut::pack_weights(problem, kForm, codes, row_begin, row_count, packed);
}

void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                int32_t row_end, std::byte* packed) noexcept {
  lut::pack_image(problem, kForm, pack_pixels, codes, pixel_stride, row_begin, row_end, packed);
}

constexpr GemmKernel kTable[] = {{
    .name = "lut_scalar_1x4",
    .family = Family::Lut,
    .isa = Isa::Scalar,
    .tile_pixels = 1,
    .tile_channels = kTile,
    .supports = supports,
    .cost = cost,
    .packed_sizes = packed_sizes,
    .pack_weights = pack_weights,
    .pack_image = pack_image,
    .run = run,
}};

}  // namespace

constinit const std::span<const GemmKernel> kScalar = kTable;

}  // namespace tidbit::kernels::lut
