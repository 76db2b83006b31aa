#include <algorithm>
#include <cstring>

#include "kernels/lut/family.h"

namespace tidbit::kernels::lut {
namespace {

/// table[w][x]: the dot product of the groups whose codes are in the indices w and x.
void build_tables(const GemmProblem& problem, int32_t group, std::byte* packed) {
  const Grid& weights = problem.weights;
  const Grid& activations = problem.activations;
  Tables tables;
  for (int32_t w = 0; w < kEntries; ++w) {
    for (int32_t x = 0; x < kEntries; ++x) {
      int32_t dot = 0;
      for (int32_t slot = 0; slot < group; ++slot) {
        const int32_t w_code = w >> slot * weights.bits & (weights.levels() - 1);
        const int32_t x_code = x >> slot * activations.bits & (activations.levels() - 1);
        dot += weights.value(w_code) * activations.value(x_code);
      }
      tables[w][x] = static_cast<Entry>(dot);
    }
  }
  std::memcpy(packed, tables, sizeof(tables));
}

/// The indices of one pixel or tap, `step` bytes apart. Padding has no codes. Codes beyond the grid are cut to it: they
/// must not lead out of the tables.
void pack_indices(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes, uint8_t filler,
                  std::byte* out, ptrdiff_t step) {
  auto* indices = reinterpret_cast<uint8_t*>(out);
  const int32_t mask = (1 << bits) - 1;
  for (int32_t c = 0; c < layout.groups; ++c) indices[c * step] = 0;
  for (int32_t slot = 0; slot < layout.group; ++slot) {
    const int32_t begin = slot * layout.groups, shift = slot * bits;
    const int32_t present = codes != nullptr ? std::clamp(channels - begin, 0, layout.groups) : 0;
    for (int32_t c = 0; c < present; ++c) {
      indices[c * step] = static_cast<uint8_t>(indices[c * step] | (codes[begin + c] & mask) << shift);
    }
    for (int32_t c = present; c < layout.groups; ++c) {
      indices[c * step] = static_cast<uint8_t>(indices[c * step] | filler << shift);
    }
  }
}

}  // namespace

void pack_weights(const GemmProblem& problem, int32_t tile, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept {
  const Layout layout = lut::layout(problem, tile);
  const int32_t channels = problem.shape.channels, taps = problem.shape.window.taps();
  if (row_begin == 0) build_tables(problem, layout.group, packed);
  for (int32_t first = 0; first < row_count; first += tile) {
    std::byte* panel = packed + sizeof(Tables) + (row_begin + first) / tile * layout.panel_bytes;
    std::memset(panel, 0, layout.panel_bytes);
    for (int32_t lane = 0; lane < std::min(tile, row_count - first); ++lane) {
      for (ptrdiff_t tap = 0; tap < taps; ++tap, codes += channels) {
        pack_indices(layout, problem.weights.bits, channels, codes, layout.weight_filler,
                     panel + tap * layout.groups * tile + lane, tile);
      }
    }
  }
}

void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                int32_t row_end, std::byte* packed) noexcept {
  const Layout layout = lut::layout(problem, 1);
  const auto pack_pixel = [&](const uint8_t* pixel, std::byte* indices) {
    pack_indices(layout, problem.activations.bits, problem.shape.channels, pixel, layout.activation_filler, indices, 1);
  };
  pack_rows(problem.shape, layout.image, codes, pixel_stride, row_begin, row_end, packed, pack_pixel);
}

}  // namespace tidbit::kernels::lut
