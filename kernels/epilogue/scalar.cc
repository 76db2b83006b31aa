// Epilogues in portable C++: what the other tiers must equal.
#include <type_traits>

#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels::epilogue_tiers {
namespace {

// A comparison with NaN is false: NaN counts no step and clamps to the lowest code.

template <class Sum, class Value>
int32_t count_steps(Sum sum, const Value* values, int32_t steps) {
  if (steps <= 4) {
    int32_t count = 0;
    for (int32_t k = 0; k < steps; ++k) count += sum >= values[k];
    return count;
  }
  int32_t begin = 0, end = steps;  // the count is in [begin, end]
  while (begin < end) {
    const int32_t middle = begin + (end - begin) / 2;
    if (sum >= values[middle]) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

template <class Sum>
void apply_thresholds(const Epilogue& epilogue, const EpilogueBlock<Sum>& block) {
  constexpr bool kInteger = std::is_same_v<Sum, int32_t>;
  using Wide = std::conditional_t<kInteger, int64_t, double>;  // holds -INT32_MIN
  using Value = std::conditional_t<kInteger, int32_t, double>;
  for (int32_t p = 0; p < block.pixels; ++p) {
    const Sum* sums = block.sums + p * block.sums_stride;
    uint8_t* out = static_cast<uint8_t*>(block.out) + p * block.out_stride;
    for (int32_t c = 0; c < block.channels; ++c) {
      const int32_t channel = epilogue.per_channel ? block.channel_begin + c : 0;
      const bool falling = epilogue.falling != nullptr && epilogue.falling[channel] != 0;
      const auto sum = static_cast<Wide>(sums[c]);
      const Value* values = static_cast<const Value*>(epilogue.values) + ptrdiff_t{channel} * epilogue.steps;
      out[c] = static_cast<uint8_t>(epilogue.lowest + count_steps(falling ? -sum : sum, values, epilogue.steps));
    }
  }
}

/// The clamped value, rounded half to even whatever the rounding mode: codes are not negative, so truncation is the
/// floor, and what it cuts off is exact.
template <class Real>
uint8_t to_code(Real value, Real lowest, Real highest) {
  value = value > lowest ? value : lowest;
  value = value < highest ? value : highest;
  const auto floor = static_cast<int32_t>(value);
  const Real rest = value - static_cast<Real>(floor);
  const bool up = rest > Real(0.5) || (rest == Real(0.5) && (floor & 1) != 0);
  return static_cast<uint8_t>(floor + up);
}

/// sum*multiplier + offset + residual*residual_multiplier of one pixel's channels from `first` on, each operation
/// rounded in Real.
template <class Real, class Sum>
void apply_affine(const Epilogue& epilogue, const EpilogueBlock<Sum>& block, int32_t pixel, int32_t first,
                  int32_t count, Real* values) {
  const Sum* sums = block.sums + pixel * block.sums_stride + first;
  const ptrdiff_t begin = epilogue.per_channel ? block.channel_begin + first : 0;
  const ptrdiff_t step = epilogue.per_channel ? 1 : 0;
  const Real* multiplier = static_cast<const Real*>(epilogue.multiplier) + begin;
  const Real* offset = static_cast<const Real*>(epilogue.offset) + begin;
  for (int32_t c = 0; c < count; ++c) values[c] = static_cast<Real>(sums[c]) * multiplier[c * step] + offset[c * step];

  const Residual& residual = block.residual;
  if (epilogue.residual_multiplier == 0) return;
  const auto factor = static_cast<Real>(epilogue.residual_multiplier);
  const ptrdiff_t at = pixel * residual.stride + first;
  if (residual.codes != nullptr) {
    const uint8_t* codes = residual.codes + at;
    const Grid grid = residual.grid;
    for (int32_t c = 0; c < count; ++c) values[c] += static_cast<Real>(grid.step * codes[c] + grid.base) * factor;
  } else if (residual.reals != nullptr) {
    const float* reals = residual.reals + at;
    for (int32_t c = 0; c < count; ++c) values[c] += static_cast<Real>(reals[c]) * factor;
  }
}

/// Those below the knee take their other line.
template <class Real>
void bend(const Epilogue& epilogue, int32_t first_channel, int32_t count, Real* values) {
  const ptrdiff_t begin = epilogue.per_channel ? first_channel : 0, step = epilogue.per_channel ? 1 : 0;
  const Real* knee = static_cast<const Real*>(epilogue.knee) + begin;
  const Real* slope = static_cast<const Real*>(epilogue.slope_below) + begin;
  const Real* offset = static_cast<const Real*>(epilogue.offset_below) + begin;
  for (int32_t c = 0; c < count; ++c) {
    const Real bent = values[c] * slope[c * step] + offset[c * step];
    values[c] = values[c] < knee[c * step] ? bent : values[c];
  }
}

constexpr int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

constexpr int32_t kBlock = 64;  // channels whose values are held at a time

template <class Real, class Sum>
void apply_affine_to_codes(const Epilogue& epilogue, const EpilogueBlock<Sum>& block) {
  const Real lowest = static_cast<Real>(epilogue.lowest), highest = static_cast<Real>(epilogue.highest);
  for (int32_t p = 0; p < block.pixels; ++p) {
    uint8_t* out = static_cast<uint8_t*>(block.out) + p * block.out_stride;
    for (int32_t first = 0; first < block.channels; first += kBlock) {
      Real values[kBlock];
      const int32_t count = smaller(kBlock, block.channels - first);
      apply_affine(epilogue, block, p, first, count, values);
      if (epilogue.knee != nullptr) bend(epilogue, block.channel_begin + first, count, values);
      for (int32_t c = 0; c < count; ++c) out[first + c] = to_code(values[c], lowest, highest);
    }
  }
}

template <class Sum>
void apply_affine_to_reals(const Epilogue& epilogue, const EpilogueBlock<Sum>& block) {
  const double lowest = double{epilogue.real_lowest}, highest = double{epilogue.real_highest};
  for (int32_t p = 0; p < block.pixels; ++p) {
    float* out = static_cast<float*>(block.out) + p * block.out_stride;
    for (int32_t first = 0; first < block.channels; first += kBlock) {
      double values[kBlock];
      const int32_t count = smaller(kBlock, block.channels - first);
      apply_affine(epilogue, block, p, first, count, values);
      for (int32_t c = 0; c < count; ++c) {
        // NaN passes, as it does through the clip of the reference.
        const double raised = values[c] < lowest ? lowest : values[c];
        out[first + c] = static_cast<float>(raised > highest ? highest : raised);
      }
    }
  }
}

void apply_fixed_point(const Epilogue& epilogue, const EpilogueBlock<int32_t>& block) {
  const auto on_line = [](int32_t sum, ptrdiff_t c, const void* multiplier, const void* offset, const uint8_t* shift) {
    const int64_t product = int64_t{sum} * static_cast<const int32_t*>(multiplier)[c];
    return (product + static_cast<const int64_t*>(offset)[c]) >> shift[c];
  };
  for (int32_t p = 0; p < block.pixels; ++p) {
    const int32_t* sums = block.sums + p * block.sums_stride;
    uint8_t* out = static_cast<uint8_t*>(block.out) + p * block.out_stride;
    for (int32_t i = 0; i < block.channels; ++i) {
      const ptrdiff_t c = epilogue.per_channel ? block.channel_begin + i : 0;
      const bool below = epilogue.knee != nullptr && sums[i] < static_cast<const int32_t*>(epilogue.knee)[c];
      const int64_t code = below
                               ? on_line(sums[i], c, epilogue.slope_below, epilogue.offset_below, epilogue.shift_below)
                               : on_line(sums[i], c, epilogue.multiplier, epilogue.offset, epilogue.shift);
      const int64_t raised = code > epilogue.lowest ? code : epilogue.lowest;
      out[i] = static_cast<uint8_t>(raised < epilogue.highest ? raised : epilogue.highest);
    }
  }
}

template <class Sum>
void apply_form(const Epilogue& epilogue, const EpilogueBlock<Sum>& block) {
  switch (epilogue.form) {
    case EpilogueForm::Thresholds:
      return apply_thresholds(epilogue, block);
    case EpilogueForm::Affine32:
      return apply_affine_to_codes<float>(epilogue, block);
    case EpilogueForm::Affine64:
      return apply_affine_to_codes<double>(epilogue, block);
    case EpilogueForm::Real:
      return apply_affine_to_reals(epilogue, block);
    case EpilogueForm::FixedPoint:
      if constexpr (std::is_same_v<Sum, int32_t>) apply_fixed_point(epilogue, block);
      return;
  }
}

void of_integers(const Epilogue& epilogue, const EpilogueBlock<int32_t>& block) noexcept {
  apply_form(epilogue, block);
}

void of_doubles(const Epilogue& epilogue, const EpilogueBlock<double>& block) noexcept { apply_form(epilogue, block); }

void of_floats(const Epilogue& epilogue, const EpilogueBlock<float>& block) noexcept { apply_form(epilogue, block); }

}  // namespace

constinit const Tier kScalar = {of_integers, of_doubles, of_floats};

}  // namespace tidbit::kernels::epilogue_tiers
