// The layout that dot's SIMD tiers share: weights in panels of some vectors of channels, each lane of which multiplies
// a *group* of neighbouring values, four bytes of the image (or eight).
//
// Operands are stored as a = (v_x - l)/g and b = (v_w - c)/h, in bytes (a signed or not, b signed) or in int16
// (a = v_x, b = v_w). With V = sum v_w over the whole window (padding is stored as the a of 0) a sum is
//   sum v_x*v_w = g*h * sum a*b + g*c * sum a + l*V
// in arithmetic modulo 2^32, which is exact because the result fits int32. Grids that fit bytes as they are have
// g = h = 1 and c = 0; the constants l*V are where accumulators start.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dot/family.h"
#include "kernels/gemm.h"
#include "kernels/packed_image.h"

namespace tidbit::kernels::dot {

/// What tells the kernels' layouts apart.
struct PanelForm {
  int32_t lanes;        // channels of a vector
  int32_t vectors;      // of a panel
  int32_t value_bytes;  // of an operand: 1 or 2
  int32_t group_bytes = 4;
  bool signed_activations = false;  // a of bytes
  int32_t image_bits = 3;           // codes of so many bits are packed as they are for images too
  int32_t strip = 64;               // pixels that share unpacked weights
  int32_t tile_groups = 0;          // the most that a tile of weights has
};

/// u becomes step*u + base.
struct Line {
  int32_t step, base;
};

/// Packed image: one line a row, a in value_bytes; where a window is one pixel, gaps may part pixels. None where a are
/// the codes and windows single pixels (`in_place`).
///
/// Packed weights: int32 constants [channel], then panels of `vectors` vectors, the last one of as many as it needs:
/// bytes [run][block][vector][lane][value of the group]. Codes of up to image_bits (4 in fully connected layers) are
/// packed as codes, those of `slots` neighbouring groups in one byte from its lowest bits up: a block is as many
/// groups. Wider codes have blocks of one group, and are packed as b if that is a byte, else as codes. Runs fill whole
/// tiles; places past a run's end hold 0.
struct Panels {
  PackedImage image;
  Line a, b;
  int32_t padding;  // the a of the value 0
  bool in_place;

  int32_t group_values;  // group_bytes / value_bytes
  int32_t run_values, run_groups, run_blocks;
  int32_t last_values;  // of a run's last group
  int32_t slots, slot_bits;
  int32_t tile_groups;  // of about one size, at most the form's and a multiple of slots; else slots

  size_t vector_bytes;     // of a block
  size_t constants_bytes;  // of all
  size_t panel_bytes;      // of a panel with all its vectors
  size_t weight_bytes;

  uint32_t factor, sum_factor;            // g*h, g*c
  uint32_t code_factor, code_sum_factor;  // the same where codes are multiplied in b's place
  uint32_t constant_factor;               // l
};

Panels panels(const GemmProblem&, const PanelForm&) noexcept;

/// Whether a fits a byte.
bool fits_bytes(const GemmProblem&) noexcept;

/// The highest |a*b| of bytes; or, of codes in b's place.
int32_t highest_product(const GemmProblem&, const PanelForm&, bool codes) noexcept;

/// How many sums of two products a*b (of bytes, a unsigned) fit int16; or, of codes in b's place.
int32_t fitting_int16(const GemmProblem&, bool codes) noexcept;

/// What a tier's loops take, in cycles.
struct PanelCycles {
  double group;   // for each vector of a panel, group and pixel
  double sums;    // for each vector of sums, besides
  double unpack;  // for each vector of weights, once for each strip
  double direct;  // for each vector of weights, where few pixels multiply codes instead
  double byte;    // for each byte of packed weights, which is a lower bound
  double pack;    // for packing a byte of the image
};

constexpr int32_t kDirectPixels = 2;  // as few pixels do not pay for unpacking

// What the tiers share of a GemmKernel.
double cost(const GemmProblem&, const PanelForm&, const PanelCycles&) noexcept;
PackedSizes packed_sizes(const GemmProblem&, const PanelForm&) noexcept;
void pack_weights(const GemmProblem&, const PanelForm&, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept;

}  // namespace tidbit::kernels::dot
