// From sums to results: what a layer does after its dot products (design: "Numbers"; schema: Epilogue).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "schema/grid.h"

namespace tidbit::kernels {

enum class EpilogueForm : uint8_t {
  Thresholds,  // code = lowest + #{k : s >= values[c][k]}; s is the sum, negated in falling channels
  Affine32,    // code = clamp(round_half_even(sum*multiplier[c] + offset[c] + r*residual_multiplier), lowest, highest)
  Affine64,    // the same in float64
  Real,        // float32(clamp(...)) in float64, not rounded to an integer
  FixedPoint,  // code = clamp((sum*multiplier[c] + offset[c]) >> shift[c], lowest, highest) in int64, of integer sums
};

/// Parameter arrays have one element a channel, or one for all (`per_channel` false). All borrowed.
struct Epilogue {
  EpilogueForm form = EpilogueForm::Thresholds;
  bool per_channel = false;

  // Thresholds. values are int32 for integer sums, double for real ones: [channel][steps], ascending.
  const void* values = nullptr;
  const uint8_t* falling = nullptr;  // null: no channel falls
  int32_t steps = 0;

  // Affine32 has float arrays, Affine64 and Real double ones. FixedPoint has int32 multipliers above INT32_MIN, int64
  // offsets within 2^62 of 0, and shifts of 32 to 62.
  const void* multiplier = nullptr;
  const void* offset = nullptr;
  const uint8_t* shift = nullptr;
  double residual_multiplier = 0;  // 0: no residual

  // Affine32 and Affine64: what would be rounded, where it is below knee[c], is multiplied by slope_below[c], and
  // offset_below[c] is added to it, first. FixedPoint: sums below knee[c], an int32, take slope_below[c],
  // offset_below[c] and shift_below[c] in place of the others, of the same types.
  const void* knee = nullptr;  // null: no knee
  const void* slope_below = nullptr;
  const void* offset_below = nullptr;
  const uint8_t* shift_below = nullptr;

  int32_t lowest = 0, highest = 0;          // codes; Thresholds uses lowest alone
  float real_lowest = 0, real_highest = 0;  // Real
};

/// The second input of an epilogue: codes on `grid` (r is v) or reals (r is the value); both null: none.
struct Residual {
  const uint8_t* codes = nullptr;
  const float* reals = nullptr;
  ptrdiff_t stride = 0;  // elements between pixels
  Grid grid;
};

/// A block of pixels x channels. Pointers are to the block's first pixel and first channel; channel_begin tells which
/// channel that is, for the parameters. `out` is uint8_t codes, or float for EpilogueForm::Real.
template <class Sum>
struct EpilogueBlock {
  const Sum* sums;
  ptrdiff_t sums_stride;  // elements between pixels
  Residual residual;
  void* out;
  ptrdiff_t out_stride;  // elements between pixels
  int32_t pixels;
  int32_t channel_begin, channels;
};

/// Sum is int32_t (Thresholds values int32), double or float (values double): float is for reals that are no sums, and
/// gives what the same values give as double. Operations are rounded one by one in the order of the formula, so that
/// every tier (that of `isa`, or the one below it) gives the same bytes. MXCSR and its like must flush no denormals.
void apply(const Epilogue&, const EpilogueBlock<int32_t>&, Isa isa = host_isa()) noexcept;
void apply(const Epilogue&, const EpilogueBlock<double>&, Isa isa = host_isa()) noexcept;
void apply(const Epilogue&, const EpilogueBlock<float>&, Isa isa = host_isa()) noexcept;

}  // namespace tidbit::kernels
