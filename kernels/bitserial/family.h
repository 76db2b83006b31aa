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
#if defined(__x86_64__)
extern const std::span<const GemmKernel> kAvx2;
extern const std::span<const GemmKernel> kAvx512Vnni;
#elif defined(__aarch64__) || defined(__arm__)
extern const std::span<const GemmKernel> kNeon;
#endif

/// The tiers built for this architecture.
std::span<const std::span<const GemmKernel>> tiers();

constexpr int32_t kMaxBits = 8;
constexpr int32_t kMaxTile = 64;  // channels of a panel

/// How a tier packs.
struct Form {
  int32_t tile;    // channels of a panel
  int32_t vector;  // the last panel is as wide as it must be, in multiples of this
  int32_t word_bytes;
  /// 8: bit k of a pixel's byte b is channel 8*b + k. 4: only its low half is used, so that it is ready to index a
  /// table of 16, and bit k of byte b is channel k*pixel_bytes + b, so that packing is shifts of whole vectors.
  int32_t byte_channels;
};

/// A pair of planes; its counts have the factor 2^exponent, negative or not.
struct PlanePair {
  int32_t weights, activations;
  int32_t exponent;
  bool negative;
};

/// Packed image: a line a plane, ceil(channels/byte_channels) bytes a pixel. A run is read in words.
///
/// Packed weights: int32 constants [channel] (bx*V), then a panel for each `tile` channels: words
/// [plane][run][word][channel of the panel]. Bits past the run are zero, so what a run's last word reads of the image
/// beyond the run does not count.
struct Layout {
  PackedImage image;
  int32_t out_channels;
  int32_t weight_planes, activation_planes;
  int32_t words;       // of a run
  uint64_t last_word;  // the bits of a run's last word that are the run's

  size_t panels;  // bytes from the start of the packed weights to the first panel
  size_t panel_bytes;
  size_t plane_bytes;   // of one channel of a panel
  size_t weight_bytes;  // of all

  bool top_flipped;
  uint32_t step;  // sw*sx
  uint32_t plane_factor[kMaxBits];
  uint32_t window_factor;
};

/// Channels that the panel of `first_channel` is packed for.
int32_t panel_width(const Layout&, const Form&, int32_t first_channel) noexcept;

PackedImage image_layout(const GemmProblem&, const Form&) noexcept;
Layout layout(const GemmProblem&, const Form&) noexcept;

/// All pairs of planes by falling exponent; changes of sign are few.
int32_t plane_pairs(const Layout&, PlanePair (&pairs)[kMaxBits * kMaxBits]) noexcept;

/// What a tier's loops take, in cycles.
struct Cycles {
  double word;        // for each word of a vector of channels and a pixel, each pair of planes
  double lone_word;   // the same where there are too few pixels to use a load of weights twice
  double pair;        // for each pair of planes of a vector and pixel, besides
  double vector;      // for each vector and pixel, besides
  double window;      // for summing a run of a plane of a window
  double pack_pixel;  // for packing a plane of a pixel
  double pack_byte;   // for each byte of it, besides
  double panel = 0;   // for each panel and pixel, besides
  bool skips_rows = false, skips_taps = false;  // that are padding
};

/// Neighbouring pixels of a row to pack.
struct PixelRow {
  const uint8_t* codes;
  ptrdiff_t pixel_stride;
  int32_t pixels, channels, planes;
  std::byte* packed;  // the first plane
  size_t pixel_bytes, line_bytes;
};
using PackPixels = void (*)(const PixelRow&) noexcept;

/// For any CPU; eight channels a byte.
void pack_pixels(const PixelRow&) noexcept;

// What all tiers share of a GemmKernel.
bool supports(const GemmProblem&) noexcept;
double cost(const GemmProblem&, const Form&, const Cycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, const Form&) noexcept;
void pack_weights(const GemmProblem&, const Form&, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;
void pack_image(const GemmProblem&, const Form&, PackPixels, const uint8_t* codes, ptrdiff_t pixel_stride,
                int32_t row_begin, int32_t row_end, std::byte* packed) noexcept;

}  // namespace tidbit::kernels::bitserial
