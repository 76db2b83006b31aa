// The one contract that the GEMM families (bitserial, lut, dot) meet.
//
// A convolution is a GEMM of M = output pixels, N = output channels, K = taps x channels, over a packed image: the
// input with its padding, in the family's own layout, in which the taps of a kernel row are a fixed stride apart. So K
// is strided and there is no im2col copy. A kernel computes exact sums of v_x*v_w into an int32 tile; the operator owns
// tiling, threads and the epilogue, and does not know the families apart.
//
// Every function here is noexcept, single-threaded, allocates nothing, and reads and writes only within the buffers
// whose sizes it declared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/convolution.h"
#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

enum class Family : uint8_t { BitSerial, Lut, Dot };

std::string_view name(Family family);
std::optional<Family> family_named(std::string_view name);

/// One group of a quantized convolution. The caller guarantees that every sum fits int32.
struct GemmProblem {
  ConvolutionShape shape;
  Grid weights;
  Grid activations;

  /// Some window reaches into the padding, which stands for the real value 0.
  constexpr bool padded() const { return shape.window.padded(); }
};

/// An output tile: `pixel_count` consecutive output pixels (row-major over out_height x out_width) by `channel_count`
/// output channels. channel_begin is a multiple of the kernel's tile_channels.
struct GemmTile {
  const GemmProblem* problem;
  const std::byte* weights;  // from pack_weights, 64-byte aligned
  const std::byte* image;    // from pack_image, 64-byte aligned; or the codes, where packed_sizes.image is 0
  int32_t pixel_begin, pixel_count;
  int32_t channel_begin, channel_count;
  int32_t* sums;               // [pixel][channel]
  ptrdiff_t sums_stride;       // elements between pixels
  ptrdiff_t pixel_stride = 0;  // bytes between pixels of the image, where that is the codes
};

struct PackedSizes {
  size_t weights;  // bytes
  size_t image;    // bytes; 0: the kernel runs on the codes themselves, and nothing is packed
};

struct GemmKernel {
  std::string_view name;  // family_tier_pixelsxchannels
  Family family;
  Isa isa;
  int32_t tile_pixels;  // the kernel's natural tile; any count is correct, multiples of it are fast
  int32_t tile_channels;

  /// Whether the kernel computes this problem exactly: its grids, its padding (is 0 on the activations' grid?).
  bool (*supports)(const GemmProblem&) noexcept;

  /// Estimated time on this tier, in cycles; only comparisons mean anything.
  double (*cost)(const GemmProblem&) noexcept;

  PackedSizes (*packed_sizes)(const GemmProblem&) noexcept;

  /// Packs `row_count` rows of codes [row][tap][channel], the rows from `row_begin` on (a multiple of tile_channels;
  /// row_count is one too, or reaches the last row), into their place in `packed`, which pack_weights owns: calls for
  /// all rows, in any order, fill it whole. Packed weights do not depend on the image's extents: a fully connected
  /// layer runs any number of rows with them.
  void (*pack_weights)(const GemmProblem&, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                       std::byte* packed) noexcept;

  /// Packs the rows [row_begin, row_end) of the covered image (0 is the first padded row) from codes
  /// [height][width][channels], whose pixels are `pixel_stride` bytes apart (grouped layers pack a slice). Does nothing
  /// where packed_sizes.image is 0.
  void (*pack_image)(const GemmProblem&, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                     int32_t row_end, std::byte* packed) noexcept;

  void (*run)(const GemmTile&) noexcept;

  /// Output channels that a tile had better have, where the layer has so many. More would leave it fewer pixels, which
  /// share what a kernel makes of the weights.
  int32_t operator_channels = 64;
};

/// How an operator cuts its output into tiles: [pixels x channels], the last ones smaller. Their sums stay in L1 until
/// the epilogue, and they are whole rows, or begin where rows do, as far as it goes.
struct GemmTiling {
  int32_t pixels, channels;
};

GemmTiling gemm_tiling(const GemmKernel& kernel, const ConvolutionShape& shape);

/// Every kernel built for this architecture, all tiers, in the order families are listed.
std::span<const GemmKernel* const> gemm_kernels();

/// The kernels that can run the problem at `isa` or below, cheapest first.
std::vector<const GemmKernel*> usable_gemm_kernels(const GemmProblem&, Isa isa);

/// The kernel to use: the cheapest usable one of `family`, or of all where that family has none or none is asked for.
/// Never null for grids of 1 to 8 bits: dot runs every problem.
const GemmKernel* select_gemm_kernel(const GemmProblem&, Isa isa, std::optional<Family> family = std::nullopt);

}  // namespace tidbit::kernels
