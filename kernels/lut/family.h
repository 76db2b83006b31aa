// Lookup GEMM (after DeepGEMM), grouped: one index byte holds the codes of g channels, and a table entry is the
// finished dot product of two such groups. The weights' index selects a table, the activations' index an entry of it:
//   sum v_w*v_x = sum over k of table[w_index[k]][x_index[k]] + correction
// The tables are those of the two grids, so any grid costs the same.
//
// Group c of a pixel is the channels {c, c+G, c+2G, ...}, G = ceil(channels/g). Slots past the last channel hold 0 on
// both sides where the grids can; the correction takes away what they add where neither has a 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gemm.h"
#include "kernels/packed_image.h"

namespace tidbit::kernels::lut {

// One table a tier, each defined by the file of its name.
extern const std::span<const GemmKernel> kScalar;

/// The tiers built for this architecture.
std::span<const std::span<const GemmKernel>> tiers();

constexpr int32_t kIndexBits = 6;  // an index takes up to 6 bits: one lookup of VPERMB
constexpr int32_t kEntries = 1 << kIndexBits;

using Entry = int16_t;
using Tables = Entry[kEntries][kEntries];  // [w_index][x_index]

/// Packed image: one line a row, G index bytes a pixel.
/// Packed weights: the Tables, then a panel for each `tile` channels: index bytes [run][byte of the run][channel].
struct Layout {
  PackedImage image;
  int32_t group;   // g
  int32_t groups;  // G
  size_t panel_bytes;
  size_t weight_bytes;                       // of all
  uint8_t weight_filler, activation_filler;  // the codes of slots past the last channel, and of padding
  uint32_t correction;
};

Layout layout(const GemmProblem&, int32_t tile) noexcept;

/// What a tier's loops take, in cycles.
struct Cycles {
  double index;  // for each index byte of a window and each panel
  double panel;  // for each panel and pixel, besides
  double pack;   // for packing a code of the image
};

// What all tiers share of a GemmKernel.
bool supports(const GemmProblem&) noexcept;
double cost(const GemmProblem&, int32_t tile, const Cycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, int32_t tile) noexcept;
void pack_weights(const GemmProblem&, int32_t tile, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;
void pack_image(const GemmProblem&, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin, int32_t row_end,
                std::byte* packed) noexcept;

}  // namespace tidbit::kernels::lut
