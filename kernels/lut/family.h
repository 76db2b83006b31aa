// Lookup GEMM (after DeepGEMM), grouped: one index byte holds the codes of g channels, and a table entry stands for the
// finished dot product of two such groups. The activations' index selects a table, the weights' index an entry of it:
//   sum v_w*v_x = scale * sum over k of table[x_index[k]][w_index[k]] + correction of the output channel
// The tables are those of the two grids, so any grid costs the same. What an entry leaves to the correction is the
// least that its weights can give, so entries are small and not negative, and bytes hold many of them before they are
// widened.
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
#if defined(__x86_64__)
extern const std::span<const GemmKernel> kAvx2;
extern const std::span<const GemmKernel> kAvx512Vnni;
#elif defined(__aarch64__) || defined(__arm__)
extern const std::span<const GemmKernel> kNeon;
#endif

/// The tiers built for this architecture.
std::span<const std::span<const GemmKernel>> tiers();

/// What a tier looks up with.
struct Form {
  int32_t tile;             // output channels of a panel
  int32_t weight_bits;      // of an index: a table has no more than 2^weight_bits entries
  int32_t activation_bits;  // of an index: there are no more than 2^activation_bits tables
  int32_t least_group;      // fewer codes an index are not worth a lookup
  bool split;               // channel c of a panel is lane 2*c, or 2*c + 1 - tile: even lanes first
};

/// Packed image: one line a row, G index bytes a pixel.
/// Packed weights: the tables, then a panel for each `tile` channels: corrections [channel], in padded layers the part
/// [kernel row][channel] that each row has in them, then index bytes [run][byte][lane].
struct Layout {
  PackedImage image;
  int32_t group;            // g
  int32_t groups;           // G
  int32_t weight_bits;      // of an index
  int32_t activation_bits;  // of an index
  size_t entries;           // from a table to the next: 16 or 64 bytes
  size_t table_bytes;       // of all tables
  size_t head_bytes;        // a panel's corrections
  size_t panel_bytes;
  size_t weight_bytes;                       // of all
  uint8_t weight_filler, activation_filler;  // the codes of slots past the last channel, and of padding
  int64_t highest;                           // of all entries
  uint32_t scale;
  uint32_t correction;  // of every tap of a channel, besides what its weights leave to it
};

Layout layout(const GemmProblem&, const Form&) noexcept;

/// What a tier's loops take, in cycles.
struct Cycles {
  double index;        // for each index byte of a window and each panel
  double alone;        // the same for a panel that is the last of an odd number
  double widen;        // for each time that the byte sums of a panel and pixel are widened
  double panel;        // for each panel and pixel, besides
  double pack;         // for packing a code of 64 groups' indices of a pixel, or of less
  double row = 0;      // for each index byte and panel where taps share tables row by row; 0: they do not
  int32_t pixels = 1;  // of a block: fewer take as long
};

constexpr int32_t kSharingTaps = 3;  // of a kernel row, next to each other
constexpr int32_t kLeastRow = 4;     // pixels: in shorter rows they share few

/// Packs the indices of `count` pixels, G bytes each.
using PackPixels = void(const Layout&, int32_t bits, int32_t channels, const uint8_t* codes, ptrdiff_t pixel_stride,
                        int32_t count, uint8_t* indices);

// What all tiers share of a GemmKernel.
bool supports(const GemmProblem&, const Form&) noexcept;
double cost(const GemmProblem&, const Form&, const Cycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, const Form&) noexcept;
void pack_weights(const GemmProblem&, const Form&, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;
void pack_image(const GemmProblem&, const Form&, PackPixels* pack_pixels, const uint8_t* codes, ptrdiff_t pixel_stride,
                int32_t row_begin, int32_t row_end, std::byte* packed) noexcept;

/// PackPixels in plain C++.
PackPixels pack_pixels;

}  // namespace tidbit::kernels::lut
