// Multiplications in plain C++, in a form that compilers turn into PMADDWD or SMLAL. A block of a few channels' weights
// is unpacked to values once for all pixels of the tile.
#include "kernels/dot/family.h"

namespace tidbit::kernels::dot {
namespace {

constexpr int32_t kTile = 4;

/// The values of a block of codes (dot/family.h).
template <class Value>
void unpack_block(const uint8_t* packed, int32_t count, const Grid& grid, int32_t codes_per_byte,
                  Value (&values)[kBlock]) {
  const int32_t bytes = (count + codes_per_byte - 1) / codes_per_byte;
  const int32_t mask = (1 << grid.bits) - 1;
  for (int32_t slot = 0; slot < codes_per_byte; ++slot) {
    const int32_t shift = slot * grid.bits;
    for (int32_t i = 0; i < bytes; ++i) {
      values[slot * bytes + i] = static_cast<Value>(grid.step * (packed[i] >> shift & mask) + grid.base);
    }
  }
}

/// Products of int16 fit int32; those of int32 only need be right modulo 2^32, as the sums fit int32.
template <class Value>
uint32_t dot(const Value* x, const Value* w, int32_t count) {
  uint32_t sum = 0;
  for (int32_t k = 0; k < count; ++k) {
    if constexpr (sizeof(Value) == sizeof(int16_t)) {
      sum += static_cast<uint32_t>(x[k] * w[k]);
    } else {
      sum += static_cast<uint32_t>(x[k]) * static_cast<uint32_t>(w[k]);
    }
  }
  return sum;
}

/// Adds a block's products to the sums of the channels [first, first + channels) of the tile. `x` is where the block
/// begins in the first window of the image.
template <class Value>
void add_block(const GemmTile& tile, const PackedImage& image, const std::byte* x,
               const Value (&weights)[kTile][kBlock], int32_t count, int32_t first, int32_t channels) {
  for (int32_t p = 0; p < tile.pixel_count; ++p) {
    const int32_t pixel = tile.pixel_begin + p;
    const std::byte* values =
        x + pixel / image.out_width * image.out_row_step + pixel % image.out_width * image.out_pixel_step;
    int32_t* sums = tile.sums + p * tile.sums_stride + first;
    for (int32_t c = 0; c < channels; ++c) {
      const uint32_t sum = dot(reinterpret_cast<const Value*>(values), weights[c], count);
      sums[c] = static_cast<int32_t>(static_cast<uint32_t>(sums[c]) + sum);
    }
  }
}

/// Adds one run's products: unpacks the weights block by block.
template <class Value>
void add_run(const GemmTile& tile, const Layout& layout, const std::byte* x, const std::byte* packed, int32_t first,
             int32_t channels) {
  Value weights[kTile][kBlock];
  for (int32_t begin = 0; begin < layout.run_codes; begin += kBlock) {
    const int32_t left = layout.run_codes - begin;
    const int32_t count = left < kBlock ? left : kBlock;
    const auto* block = reinterpret_cast<const uint8_t*>(packed + begin / layout.codes_per_byte);
    for (int32_t c = 0; c < channels; ++c) {
      unpack_block(block + c * layout.row_bytes, count, tile.problem->weights, layout.codes_per_byte, weights[c]);
    }
    add_block(tile, layout.image, x + begin * sizeof(Value), weights, count, first, channels);
  }
}

template <class Value>
void run(const GemmTile& tile) noexcept {
  const Layout layout = dot::layout(*tile.problem, sizeof(Value));
  const PackedImage& image = layout.image;
  for (int32_t p = 0; p < tile.pixel_count; ++p) {
    for (int32_t c = 0; c < tile.channel_count; ++c) tile.sums[p * tile.sums_stride + c] = 0;
  }
  for (int32_t first = 0; first < tile.channel_count; first += kTile) {
    const int32_t left = tile.channel_count - first;
    const int32_t channels = left < kTile ? left : kTile;
    const std::byte* weights = tile.weights + (tile.channel_begin + first) * layout.row_bytes;
    for (int32_t row = 0; row < image.kernel_rows; ++row) {
      for (int32_t run = 0; run < image.row_runs; ++run, weights += layout.run_bytes) {
        const std::byte* x = tile.image + row * image.kernel_row_step + run * image.run_step;
        add_run<Value>(tile, layout, x, weights, first, channels);
      }
    }
  }
}

template <class Value>
bool supports(const GemmProblem& problem) noexcept {
  return sizeof(Value) == sizeof(int32_t) || (fits_int16(problem.weights) && fits_int16(problem.activations));
}

template <class Value>
PackedSizes packed_sizes(const GemmProblem& problem) noexcept {
  return dot::packed_sizes(problem, sizeof(Value));
}

template <class Value>
double cost(const GemmProblem& problem) noexcept {
#if defined(__aarch64__) || defined(__arm__)  // modelled for a Cortex-A72, built by g++ 12
  constexpr double kMac16 = 0.55, kMac32 = 1.4;
#else  // measured on Zen 4, built by g++ 12
  constexpr double kMac16 = 0.15, kMac32 = 0.68;
#endif
  constexpr Cycles kInt16 = {.mac = kMac16, .block = 5.5, .unpack = 0.55, .pack = 0.3};
  constexpr Cycles kInt32 = {.mac = kMac32, .block = 5.5, .unpack = 0.9, .pack = 2.5};
  return dot::cost(problem, sizeof(Value), sizeof(Value) == sizeof(int16_t) ? kInt16 : kInt32);
}

template <class Value>
constexpr GemmKernel kernel(std::string_view name) {
  return {
      .name = name,
      .family = Family::Dot,
      .isa = Isa::Scalar,
      .tile_pixels = 8,
      .tile_channels = kTile,
      .supports = supports<Value>,
      .cost = cost<Value>,
      .packed_sizes = packed_sizes<Value>,
      .pack_weights = pack_weights,
      .pack_image = pack_image<Value>,
      .run = run<Value>,
  };
}

constexpr GemmKernel kTable[] = {
    kernel<int16_t>("dot_scalar_8x4"),
    kernel<int32_t>("dot_scalar_wide_8x4"),  // grids whose values outgrow int16
};

}  // namespace

constinit const std::span<const GemmKernel> kScalar = kTable;

}  // namespace tidbit::kernels::dot
