// Bit-serial GEMM: AND and popcount of bit-planes.
//
// With codes w on planes W_i (i < weights.bits) and x on planes X_j (j < activations.bits), over the window's K bits:
//   sum w*x = sum over i, j of 2^(i+j) * popcount(W_i & X_j)
// Grids give v_w = sw*w + bw and v_x = sx*x + bx. Let S = sum x and V = sum v_w (a constant of the channel), then
//   sum v_w*v_x = sx * sum v_w*x + bx*V           V and S over the whole window: padding is stored as the zero code
//   sum v_w*x   = sw * sum w*x + bw*S
// Weights in two's complement need no S: flipping the top plane T turns w into w - 2^T, with T's own factor negated, so
// what remains of the base is bw + sw*2^T, which is 0 for them. In all
//   sum v_w*v_x = sum_i plane_factor[i] * sum_j 2^j * popcount(W_i & X_j) + window_factor*S + bx*V
// in arithmetic modulo 2^32, which is exact because the result fits int32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gemm.h"
#include "kernels/packed_image.h"

namespace tidbit::kernels::bitserial {

static_assert(std::endian::native == std::endian::little, "planes are read in 64-bit words");

// One table a tier, each defined by the file of its name.
extern const std::span<const GemmKernel> kScalar;

/// The tiers built for this architecture.
std::span<const std::span<const GemmKernel>> tiers();

constexpr int32_t kMaxBits = 8;
constexpr int32_t kMaxTile = 16;  // channels of a panel

/// Packed image: a line a plane, ceil(channels/8) bytes a pixel. A run is read in 64-bit words.
///
/// Packed weights: int32 constants [channel] (bx*V), then a panel for each `tile` channels: 64-bit words
/// [plane][run][word][channel of the panel]. Bits past the run are zero, so what a run's last word reads of the image
/// beyond the run does not count.
struct Layout {
  PackedImage image;
  int32_t tile;
  int32_t weight_planes;
  int32_t words;       // of a run
  uint64_t last_word;  // the bits of a run's last word that are the run's

  size_t panels;  // bytes from the start of the packed weights to the first panel
  size_t panel_bytes;
  size_t weight_bytes;  // of all

  bool top_flipped;
  uint32_t plane_factor[kMaxBits];
  uint32_t window_factor;
};

PackedImage image_layout(const GemmProblem&) noexcept;
Layout layout(const GemmProblem&, int32_t tile) noexcept;

/// What a tier's loops take, in cycles.
struct Cycles {
  double word;        // for each word of a panel, each pair of planes
  double pair;        // for each pair of planes of a panel and pixel, besides
  double plane;       // for each weight plane of a panel and pixel, besides
  double pack_group;  // for packing eight channels of a pixel
};

// What all tiers share of a GemmKernel.
bool supports(const GemmProblem&) noexcept;
double cost(const GemmProblem&, int32_t tile, const Cycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, int32_t tile) noexcept;
void pack_weights(const GemmProblem&, int32_t tile, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;
void pack_image(const GemmProblem&, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin, int32_t row_end,
                std::byte* packed) noexcept;

}  // namespace tidbit::kernels::bitserial
