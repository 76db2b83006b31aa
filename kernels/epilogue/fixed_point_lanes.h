// Fixed-point epilogues on vectors: the upper halves of 64-bit products are shifted the rest of the way.
//
// `V` adds to what strung.h says it has: Lines, the parameters of sixteen lanes, made by `lines`; on_lines; comparison
// and choice of Ints; and stores of Ints as codes, sixteen at a time or, where kManyLanes is 64, four times sixteen.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/epilogue/strung.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct FixedPoint {
  static constexpr int32_t kLanes = StrungLanes<V>::kLanes;
  using Strung = typename StrungLanes<V>::template Strung<int32_t>;

  /// The parameters of the lanes from `first` on; past the block they are 0.
  [[gnu::noinline]] static typename V::Lines lines(const Strung& strung, int32_t first, const void* multiplier,
                                                   const void* offset, const uint8_t* shift) {
    const auto* multiplier_of = static_cast<const int32_t*>(multiplier);
    const auto* offset_of = static_cast<const int64_t*>(offset);
    if (strung.in_order(first)) {
      const ptrdiff_t channel = strung.channel(first);
      return V::lines(multiplier_of + channel, offset_of + channel, shift + channel);
    }
    int32_t multipliers[kLanes] = {};
    int64_t offsets[kLanes] = {};
    uint8_t shifts[kLanes] = {};
    for (int32_t lane = 0; lane < kLanes && first + lane < strung.block.channels; ++lane) {
      const ptrdiff_t channel = strung.channel(first + lane);
      multipliers[lane] = multiplier_of[channel];
      offsets[lane] = offset_of[channel];
      shifts[lane] = shift[channel];
    }
    return V::lines(multipliers, offsets, shifts);
  }
  static typename V::Lines lines(const Strung& strung, int32_t first) {
    const Epilogue& epilogue = strung.epilogue;
    return lines(strung, first, epilogue.multiplier, epilogue.offset, epilogue.shift);
  }
  static typename V::Lines lines_below(const Strung& strung, int32_t first) {
    const Epilogue& epilogue = strung.epilogue;
    return lines(strung, first, epilogue.slope_below, epilogue.offset_below, epilogue.shift_below);
  }

  template <class Mask, class Line>
  static void store_lanes(const Strung& strung, int32_t first, const Mask& mask, const Line& code_of) {
    const auto block = strung.block;  // a copy: stores of bytes may alias all else
    const int32_t lowest = strung.epilogue.lowest, highest = strung.epilogue.highest;
    const int32_t* sums = block.sums + first;
    auto* out = static_cast<uint8_t*>(block.out) + first;
    for (int32_t p = 0; p < block.pixels; ++p, sums += block.sums_stride, out += block.out_stride) {
      V::store_codes(out, mask, code_of(V::load(sums, mask)), lowest, highest);
    }
  }

  template <class Mask>
  static void lanes_to_codes(const Strung& strung, int32_t first, const Mask& mask) {
    const auto above = lines(strung, first);
    if (strung.epilogue.knee == nullptr) {
      return store_lanes(strung, first, mask, [&](const auto& sum) { return V::on_lines(sum, above); });
    }
    const auto below = lines_below(strung, first);
    const auto knee = strung.template parameters<int32_t>(strung.epilogue.knee, first);
    store_lanes(strung, first, mask, [&](const auto& sum) {
      return V::less_choose(sum, knee, V::on_lines(sum, below), V::on_lines(sum, above));
    });
  }

  static void many_to_codes(const Strung& strung, int32_t first) {
    const auto block = strung.block;
    const int32_t lowest = strung.epilogue.lowest, highest = strung.epilogue.highest;
    // One by one: g++ leaves an array that a loop walks in memory.
    const auto l0 = lines(strung, first), l1 = lines(strung, first + kLanes);
    const auto l2 = lines(strung, first + 2 * kLanes), l3 = lines(strung, first + 3 * kLanes);
    const int32_t* sums = block.sums + first;
    auto* out = static_cast<uint8_t*>(block.out) + first;
    for (int32_t p = 0; p < block.pixels; ++p, sums += block.sums_stride, out += block.out_stride) {
      const auto at = [&](int32_t lane, const auto& line) {
        return V::on_lines(V::load(sums + lane, typename V::All{}), line);
      };
      V::store_many_codes(out, at(0, l0), at(kLanes, l1), at(2 * kLanes, l2), at(3 * kLanes, l3), lowest, highest);
    }
  }

  static void to_codes(const Strung& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    if constexpr (V::kManyLanes == 4 * kLanes) {
      if (strung.epilogue.knee == nullptr) {
        for (; first + V::kManyLanes <= channels; first += V::kManyLanes) many_to_codes(strung, first);
      }
    }
    for (; first + kLanes <= channels; first += kLanes) lanes_to_codes(strung, first, typename V::All{});
    if (first < channels) lanes_to_codes(strung, first, V::some(channels - first));
  }
};

}  // namespace tidbit::kernels::epilogue_tiers
