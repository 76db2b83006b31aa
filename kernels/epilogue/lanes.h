// Epilogues on vectors, for the ISA files: pixels that are dense are strung together, then each form takes its lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/epilogue/affine_lanes.h"
#include "kernels/epilogue/fixed_point_lanes.h"
#include "kernels/epilogue/strung.h"
#include "kernels/epilogue/thresholds_lanes.h"
#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct Vectors {
  static constexpr int32_t kLanes = StrungLanes<V>::kLanes;
  template <class Sum>
  using Strung = typename StrungLanes<V>::template Strung<Sum>;

  template <class Sum>
  static void apply_strung(const Strung<Sum>& strung) {
    switch (strung.epilogue.form) {
      case EpilogueForm::Thresholds:
        return Thresholds<V>::to_codes(strung);
      case EpilogueForm::Affine32:
        return Affine<V>::template to_codes<float>(strung);
      case EpilogueForm::FixedPoint:
        if constexpr (std::is_same_v<Sum, int32_t>) FixedPoint<V>::to_codes(strung);
        return;
      case EpilogueForm::Affine64:
        if constexpr (V::kReals) Affine<V>::template to_codes<double>(strung);
        return;
      case EpilogueForm::Real:
        if constexpr (V::kReals) Affine<V>::to_reals(strung);
        return;
    }
  }

  /// The pixels from `pixel` on, of which `channels` are left.
  template <class Sum>
  static Strung<Sum> from_pixel(const Strung<Sum>& strung, int32_t pixel, int32_t channels) {
    EpilogueBlock<Sum> block = strung.block;
    const ptrdiff_t size = strung.epilogue.form == EpilogueForm::Real ? sizeof(float) : 1;
    block.sums += pixel * block.sums_stride;
    block.out = static_cast<std::byte*>(block.out) + pixel * block.out_stride * size;
    if (block.residual.codes != nullptr) block.residual.codes += pixel * block.residual.stride;
    if (block.residual.reals != nullptr) block.residual.reals += pixel * block.residual.stride;
    block.pixels -= pixel;
    block.channels = channels;
    return {strung.epilogue, block, strung.period};
  }

  /// Strings `by` pixels together into one of `channels`.
  template <class Sum>
  static Strung<Sum> strung(const Epilogue& epilogue, EpilogueBlock<Sum> block, int32_t pixels, int32_t channels) {
    const int32_t period = block.channels;
    block.pixels = pixels;
    block.channels = channels;
    block.sums_stride = block.out_stride = block.residual.stride = channels;
    return {epilogue, block, period};
  }

  /// How many pixels are strung together, where they are dense: as many as make their channels fill whole lanes.
  static int32_t strung_pixels(const Epilogue& epilogue, int32_t channels) {
    constexpr int32_t kFewChannels = 8;
    if (channels <= kFewChannels) return kLanes;
    int32_t pixels = 1;
    if constexpr (V::kManyLanes != 0) {
      const bool counts = epilogue.form == EpilogueForm::Thresholds, reals = epilogue.form == EpilogueForm::Real;
      if (counts || reals || channels >= V::kManyLanes || channels % kLanes != 0) return 1;
      while (pixels * channels % V::kManyLanes != 0) ++pixels;
    }
    return pixels;
  }

  template <class Sum>
  static void apply(const Epilogue& epilogue, EpilogueBlock<Sum> block) {
    const int32_t channels = block.channels;
    const bool residual = block.residual.codes != nullptr || block.residual.reals != nullptr;
    const bool dense = block.sums_stride == channels && block.out_stride == channels &&
                       (!residual || block.residual.stride == channels);
    const int64_t results = int64_t{block.pixels} * channels;
    if (dense && !epilogue.per_channel && results <= INT32_MAX) {
      const auto rows = static_cast<int32_t>(results / kLanes);
      apply_strung(strung(epilogue, block, rows, kLanes));
      const auto rest = static_cast<int32_t>(results % kLanes);
      apply_strung(from_pixel(strung(epilogue, block, rows + 1, kLanes), rows, rest));
      return;
    }
    const Strung<Sum> plain = {epilogue, block, channels};
    const int32_t by = strung_pixels(epilogue, channels), rows = block.pixels / by;
    if (!dense || by == 1 || rows == 0) return apply_strung(plain);
    apply_strung(strung(epilogue, block, rows, by * channels));
    apply_strung(from_pixel(plain, rows * by, channels));
  }

  template <class Sum>
  static void run(const Epilogue& epilogue, const EpilogueBlock<Sum>& block) noexcept {
    const EpilogueForm form = epilogue.form;
    const bool bent_affine = form != EpilogueForm::FixedPoint && epilogue.knee != nullptr;
    const bool reals =
        form == EpilogueForm::Affine64 || form == EpilogueForm::Real || bent_affine || block.residual.reals != nullptr;
    const bool many_steps = form == EpilogueForm::Thresholds && epilogue.steps > Thresholds<V>::kMostSteps;
    if (many_steps || (reals && !V::kReals)) {
      if constexpr (std::is_same_v<Sum, int32_t>) return kScalar.of_integers(epilogue, block);
      if constexpr (std::is_same_v<Sum, double>) return kScalar.of_doubles(epilogue, block);
      if constexpr (std::is_same_v<Sum, float>) return kScalar.of_floats(epilogue, block);
    }
    apply(epilogue, block);
  }
};

}  // namespace tidbit::kernels::epilogue_tiers
