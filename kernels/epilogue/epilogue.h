// From sums to results: what a layer does after its dot products (design: "Numbers"; schema: Epilogue).
#pragma once

#include <cstddef>
#include <cstdint>

#include "schema/grid.h"

namespace tidbit::kernels {

enum class EpilogueForm : uint8_t {
  Thresholds,  // code = lowest + #{k : s >= values[c][k]}; s is the sum, negated in falling channels
  Affine32,    // code = clamp(round_half_even(sum*multiplier[c] + offset[c] + r*residual_multiplier), lowest, highest)
  Affine64,    // the same in float64
  Real,        // float32(clamp(...)) in float64, not rounded to an integer
};

/// Parameter arrays have one element a channel, or one for all (`per_channel` false). All borrowed.
struct Epilogue {
  EpilogueForm form;
  bool per_channel;

  // Thresholds. values are int32 for integer sums, double for real ones: [channel][steps], ascending.
  const void* values;
  const uint8_t* falling;  // null: no channel falls
  int32_t steps;

  // Affine32 has float arrays, Affine64 and Real double ones.
  const void* multiplier;
  const void* offset;
  double residual_multiplier;  // 0: no residual

  int32_t lowest, highest;          // codes; Thresholds uses lowest alone
  float real_lowest, real_highest;  // Real
};

/// The second input of an epilogue: codes on `grid` (r is v) or reals (r is the value); both null: none.
struct Residual {
  const uint8_t* codes;
  const float* reals;
  ptrdiff_t stride;  // elements between pixels
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

/// Sum is int32_t (Thresholds values int32) or double (values double). Operations are rounded one by one in the order
/// of the formula, so that every tier gives the same bytes.
void apply(const Epilogue&, const EpilogueBlock<int32_t>&) noexcept;
void apply(const Epilogue&, const EpilogueBlock<double>&) noexcept;

}  // namespace tidbit::kernels
