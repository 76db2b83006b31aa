#include <algorithm>
#include <cstring>

#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {
namespace {

/// The codes of up to eight channels, one a byte; zero past `count`.
uint64_t load_codes(const uint8_t* codes, int32_t count) {
  uint64_t group = 0;
  std::memcpy(&group, codes, static_cast<size_t>(std::min(count, 8)));
  return group;
}

/// What load_codes gives where all `count` codes are `code`.
uint64_t repeated(int32_t code, int32_t count) {
  const uint64_t valid = count >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * count) - 1;
  return static_cast<uint64_t>(code) * 0x0101010101010101 & valid;
}

/// Bit `plane` of eight codes; code i gives bit i. (The product moves bit 8*i to bit 56 + i.)
std::byte plane_of(uint64_t group, int32_t plane) {
  return static_cast<std::byte>((group >> plane & 0x0101010101010101) * 0x0102040810204080 >> 56);
}

/// One row of codes [tap][channel] to its lane of a panel that is zero so far.
void pack_row(const GemmProblem& problem, const Layout& layout, const uint8_t* codes, std::byte* lane) {
  const int32_t channels = problem.shape.channels;
  const int32_t flipped = layout.top_flipped ? 1 << (layout.weight_planes - 1) : 0;
  const size_t word_step = layout.tile * sizeof(uint64_t);
  const size_t run_step = layout.words * word_step;
  const size_t plane_step = layout.panel_bytes / layout.weight_planes;
  for (int32_t tap = 0; tap < problem.shape.window.taps(); ++tap) {
    std::byte* run = lane + tap / layout.image.run_taps * run_step;
    size_t byte = tap % layout.image.run_taps * layout.image.pixel_bytes;
    for (int32_t channel = 0; channel < channels; channel += 8, ++byte) {
      const int32_t count = channels - channel;
      const uint64_t group = load_codes(codes + channel, count) ^ repeated(flipped, count);
      std::byte* out = run + byte / 8 * word_step + byte % 8;
      for (int32_t plane = 0; plane < layout.weight_planes; ++plane) out[plane * plane_step] = plane_of(group, plane);
    }
    codes += channels;
  }
}

/// bx*V of one row.
uint32_t constant_of(const GemmProblem& problem, const uint8_t* codes) {
  const auto depth = static_cast<size_t>(problem.shape.depth());
  uint32_t sum = 0;
  for (size_t k = 0; k < depth; ++k) sum += codes[k];
  const uint32_t values = static_cast<uint32_t>(problem.weights.step) * sum +
                          static_cast<uint32_t>(problem.weights.base) * static_cast<uint32_t>(depth);
  return static_cast<uint32_t>(problem.activations.base) * values;
}

}  // namespace

void pack_weights(const GemmProblem& problem, int32_t tile, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept {
  const Layout layout = bitserial::layout(problem, tile);
  const auto depth = static_cast<ptrdiff_t>(problem.shape.depth());
  for (int32_t first = 0; first < row_count; first += tile) {
    uint32_t constants[kMaxTile] = {};
    std::byte* panel = packed + layout.panels + (row_begin + first) / tile * layout.panel_bytes;
    std::memset(panel, 0, layout.panel_bytes);
    for (int32_t lane = 0; lane < std::min(tile, row_count - first); ++lane) {
      const uint8_t* row = codes + (first + lane) * depth;
      pack_row(problem, layout, row, panel + lane * sizeof(uint64_t));
      constants[lane] = constant_of(problem, row);
    }
    std::memcpy(packed + (row_begin + first) * sizeof(uint32_t), constants, tile * sizeof(uint32_t));
  }
}

void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                int32_t row_end, std::byte* packed) noexcept {
  const int32_t channels = problem.shape.channels, planes = problem.activations.bits;
  const PackedImage layout = image_layout(problem);
  const int32_t padding = problem.activations.zero_code();
  const auto pack_pixel = [&](const uint8_t* pixel, std::byte* out) {
    for (int32_t channel = 0; channel < channels; channel += 8, ++out) {
      const int32_t count = channels - channel;
      const uint64_t group = pixel != nullptr ? load_codes(pixel + channel, count) : repeated(padding, count);
      for (int32_t plane = 0; plane < planes; ++plane) out[plane * layout.line_bytes] = plane_of(group, plane);
    }
  };
  pack_rows(problem.shape, layout, codes, pixel_stride, row_begin, row_end, packed, pack_pixel);
}

}  // namespace tidbit::kernels::bitserial
