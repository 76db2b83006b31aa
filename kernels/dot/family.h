// Dot-product GEMM: codes become their values v and are multiplied. It runs every problem: padding is the value 0
// itself, on the grid or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gemm.h"
#include "kernels/packed_image.h"

namespace tidbit::kernels::dot {

// One table a tier, each defined by the file of its name.
extern const std::span<const GemmKernel> kScalar;
#if defined(__x86_64__)
extern const std::span<const GemmKernel> kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAmx;
#elif defined(__aarch64__)
extern const std::span<const GemmKernel> kNeon, kNeonDot, kNeonI8mm;
#elif defined(__arm__)
extern const std::span<const GemmKernel> kNeon;
#endif

/// The tiers built for this architecture.
std::span<const std::span<const GemmKernel>> tiers();

/// Weights are unpacked in blocks of so many codes.
constexpr int32_t kBlock = 256;

/// Packed image: one line a row, an activation's value v in value_bytes.
///
/// Packed weights: codes [row][run], each run in blocks of kBlock codes and a shorter last one. With n codes a byte
/// (8 of 1 bit, 4 of 2, 2 of 3 or 4, else 1), a block of m codes takes B = ceil(m/n) bytes; byte i holds the codes
/// i, i+B, i+2B, ... from its lowest bits up, so that whole vectors unpack by shift and mask.
struct Layout {
  PackedImage image;
  int32_t run_codes;
  int32_t codes_per_byte;
  size_t run_bytes;  // of packed weights
  size_t row_bytes;
  size_t weight_bytes;  // of all
};

Layout layout(const GemmProblem&, size_t value_bytes) noexcept;

/// Whether every v of the grid fits int16 (and its negative too).
bool fits_int16(const Grid&) noexcept;

/// What a tier's loops take, in cycles.
struct Cycles {
  double mac;
  double block;   // for each block, pixel and channel, besides
  double unpack;  // for each weight, once for each kUnpackPixels pixels
  double pack;    // for packing a code of the image
};

/// How many pixels operators' tiles are taken to have.
constexpr int32_t kUnpackPixels = 64;

// What all tiers share of a GemmKernel. Value is int16_t or int32_t.
double cost(const GemmProblem&, size_t value_bytes, const Cycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, size_t value_bytes) noexcept;
void pack_weights(const GemmProblem&, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;
template <class Value>
void pack_image(const GemmProblem&, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin, int32_t row_end,
                std::byte* packed) noexcept;

}  // namespace tidbit::kernels::dot
