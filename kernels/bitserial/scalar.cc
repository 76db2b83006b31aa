// Bit-serial in portable C++. Set bits are counted in the bytes of two words at a time: any CPU's vectors hold that,
// and compilers find no such loop themselves.
#include <cstring>

#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {
namespace {

using Pair = uint64_t __attribute__((vector_size(16)));

constexpr int32_t kPairs = 2;
constexpr int32_t kTile = 2 * kPairs;
constexpr Form kForm = {.tile = kTile, .vector = kTile, .word_bytes = 8, .byte_channels = 8};
constexpr int32_t kFlush = 31;  // words until a byte, which grows by up to 8 a word, may overflow

/// The set bits of each byte.
template <class Words>
Words count_bytes(Words bits) {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  return (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
}

/// The sum of the bytes of each half of a word.
template <class Words>
Words sum_halves(Words bytes) {
  bytes = (bytes & 0x00ff00ff00ff00ff) + (bytes >> 8 & 0x00ff00ff00ff00ff);
  return (bytes & 0x0000ffff0000ffff) + (bytes >> 16 & 0x0000ffff0000ffff);
}

uint32_t add_halves(uint64_t halves) { return static_cast<uint32_t>(halves + (halves >> 32)); }

uint64_t load_word(const std::byte* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

/// sum_j 2^j * popcount(W & X_j) of one weight plane and the panel's channels.
template <int32_t kPlanes>
void count_plane(const Layout& layout, const std::byte* window, const std::byte* weights, uint32_t (&counts)[kTile]) {
  Pair bytes[kPlanes][kPairs] = {};
  Pair halves[kPairs] = {};
  const auto flush = [&] {
    for (int32_t j = 0; j < kPlanes; ++j) {
      for (int32_t pair = 0; pair < kPairs; ++pair) halves[pair] += sum_halves<Pair>(bytes[j][pair]) << j;
    }
    std::memset(bytes, 0, sizeof(bytes));
  };
  int32_t until_flush = kFlush;
  for (int32_t row = 0; row < layout.image.kernel_rows; ++row) {
    for (int32_t run = 0; run < layout.image.row_runs; ++run) {
      const std::byte* image = window + row * layout.image.kernel_row_step + run * layout.image.run_step;
      for (int32_t word = 0; word < layout.words; ++word) {
        Pair panel[kPairs];
        std::memcpy(panel, weights, sizeof(panel));
        weights += sizeof(panel);
        for (int32_t j = 0; j < kPlanes; ++j) {
          const uint64_t plane = load_word(image + j * layout.image.line_bytes + word * sizeof(uint64_t));
          for (int32_t pair = 0; pair < kPairs; ++pair) bytes[j][pair] += count_bytes<Pair>(panel[pair] & plane);
        }
        if (--until_flush == 0) {
          flush();
          until_flush = kFlush;
        }
      }
    }
  }
  flush();
  for (int32_t c = 0; c < kTile; ++c) counts[c] = add_halves(halves[c / 2][c % 2]);
}

/// S: the sum of the window's codes.
template <int32_t kPlanes>
uint32_t sum_window(const Layout& layout, const std::byte* window) {
  uint32_t sum = 0;
  for (int32_t row = 0; row < layout.image.kernel_rows; ++row) {
    for (int32_t run = 0; run < layout.image.row_runs; ++run) {
      const std::byte* image = window + row * layout.image.kernel_row_step + run * layout.image.run_step;
      for (int32_t j = 0; j < kPlanes; ++j, image += layout.image.line_bytes) {
        for (int32_t word = 0; word < layout.words; ++word) {
          const uint64_t mask = word == layout.words - 1 ? layout.last_word : ~uint64_t{0};
          sum += add_halves(sum_halves(count_bytes(load_word(image + word * sizeof(uint64_t)) & mask))) << j;
        }
      }
    }
  }
  return sum;
}

template <int32_t kPlanes>
void run_planes(const GemmTile& tile, const Layout& layout) {
  for (int32_t p = 0; p < tile.pixel_count; ++p) {
    const int32_t pixel = tile.pixel_begin + p;
    const std::byte* window = tile.image + pixel / layout.image.out_width * layout.image.out_row_step +
                              pixel % layout.image.out_width * layout.image.out_pixel_step;
    const uint32_t window_term =
        layout.window_factor != 0 ? layout.window_factor * sum_window<kPlanes>(layout, window) : 0;
    for (int32_t first = 0; first < tile.channel_count; first += kTile) {
      const int32_t channel = tile.channel_begin + first;
      const std::byte* panel = tile.weights + layout.panels + channel / kTile * layout.panel_bytes;
      uint32_t sums[kTile];
      std::memcpy(sums, tile.weights + channel * sizeof(uint32_t), sizeof(sums));
      for (uint32_t& sum : sums) sum += window_term;
      for (int32_t i = 0; i < layout.weight_planes; ++i) {
        uint32_t counts[kTile];
        const std::byte* plane = panel + i * layout.plane_bytes * kTile;
        count_plane<kPlanes>(layout, window, plane, counts);
        for (int32_t c = 0; c < kTile; ++c) sums[c] += layout.plane_factor[i] * counts[c];
      }
      const int32_t left = tile.channel_count - first;
      std::memcpy(tile.sums + p * tile.sums_stride + first, sums, (left < kTile ? left : kTile) * sizeof(int32_t));
    }
  }
}

void run(const GemmTile& tile) noexcept {
  using Run = void (*)(const GemmTile&, const Layout&);
  static constexpr Run kRuns[kMaxBits] = {run_planes<1>, run_planes<2>, run_planes<3>, run_planes<4>,
                                          run_planes<5>, run_planes<6>, run_planes<7>, run_planes<8>};
  kRuns[tile.problem->activations.bits - 1](tile, layout(*tile.problem, kForm));
}

PackedSizes packed_sizes(const GemmProblem& problem) noexcept { return bitserial::packed_sizes(problem, kForm); }

void pack_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept {
  bitserial::pack_weights(problem, kForm, codes, row_begin, row_count, packed);
}

void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                int32_t row_end, std::byte* packed) noexcept {
  bitserial::pack_image(problem, kForm, pack_pixels, codes, pixel_stride, row_begin, row_end, packed);
}

double cost(const GemmProblem& problem) noexcept {
#if defined(__aarch64__) || defined(__arm__)  // modelled for a Cortex-A72, built by g++ 12
  constexpr double kWord = 13;
#else  // measured on Zen 4, built by g++ 12
  constexpr double kWord = 8;
#endif
  return bitserial::cost(
      problem, kForm,
      {.word = kWord, .lone_word = kWord, .pair = 20, .vector = 10, .window = 50, .pack_pixel = 5, .pack_byte = 4.5});
}

constexpr GemmKernel kTable[] = {{
    .name = "bitserial_scalar_1x4",
    .family = Family::BitSerial,
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

}  // namespace tidbit::kernels::bitserial
