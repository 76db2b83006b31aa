// Thresholds on vectors: steps are compared with and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/epilogue/strung.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct Thresholds {
  static constexpr int32_t kLanes = StrungLanes<V>::kLanes;
  template <class T>
  using LanesOf = typename StrungLanes<V>::template LanesOf<T>;
  template <class Sum>
  using Strung = typename StrungLanes<V>::template Strung<Sum>;
  static constexpr int32_t kMostSteps = 64;  // of the linear count; a binary search is better beyond

  /// The least float that is not below `value`: a float reaches either or neither.
  static float float_step(double value) {
    const auto near = static_cast<float>(value);
    if (!(static_cast<double>(near) < value)) return near;
    const auto bits = __builtin_bit_cast(int32_t, near);
    if (near == 0) return __builtin_bit_cast(float, 1);
    return __builtin_bit_cast(float, bits < 0 ? bits - 1 : bits + 1);
  }

  /// What the flipped sum must reach for the sum to reach `value`. Of floats the flipped sum is -s; of integers it is
  /// ~s = -s - 1, which does not overflow, and reaches value - 1 (which every one does where that is below int32).
  static int32_t step_of(int32_t value, int32_t falling) { return value > INT32_MIN ? value - falling : value; }
  static double step_of(double value, int32_t) { return value; }

  /// The steps of sixteen lanes, and what flips their sums.
  template <int32_t kSteps, class Sum>
  struct Steps {
    alignas(64) Sum values[kMostSteps * kLanes];  // [step][lane]
    alignas(64) Sum flips[kLanes];

    using Value = std::conditional_t<std::is_same_v<Sum, int32_t>, int32_t, double>;

    [[gnu::noinline]] Steps(const Strung<Sum>& strung, int32_t first) {
      const Epilogue& epilogue = strung.epilogue;
      const int32_t steps = kSteps != 0 ? kSteps : epilogue.steps;
      if (strung.in_order(first) && epilogue.falling == nullptr) {
        const Value* of_lane = static_cast<const Value*>(epilogue.values) + strung.channel(first) * steps;
        for (int32_t lane = 0; lane < kLanes; ++lane, of_lane += steps) set(lane, of_lane, steps, false);
        return;
      }
      for (int32_t lane = 0; lane < kLanes; ++lane) {
        const ptrdiff_t channel = strung.channel(first + lane < strung.block.channels ? first + lane : first);
        const bool falls = epilogue.falling != nullptr && epilogue.falling[channel] != 0;
        set(lane, static_cast<const Value*>(epilogue.values) + channel * steps, steps, falls);
      }
    }

   private:
    [[gnu::always_inline]] void set(int32_t lane, const Value* of_channel, int32_t steps, bool falls) {
      flips[lane] = V::flip_of(Sum{}, falls);
      for (int32_t k = 0; k < steps; ++k) {
        const Value value = step_of(of_channel[k], falls);
        if constexpr (std::is_same_v<Sum, float>) {
          values[k * kLanes + lane] = float_step(value);
        } else {
          values[k * kLanes + lane] = value;
        }
      }
    }
  };

  /// Counts for sixteen lanes from `first` on. kSteps is 0 where the number of steps is not a constant.
  template <int32_t kSteps, class Sum, class Mask>
  static void count_lanes(const Strung<Sum>& strung, int32_t first, const Mask& mask) {
    const Epilogue& epilogue = strung.epilogue;
    const EpilogueBlock<Sum>& block = strung.block;
    const int32_t steps = epilogue.steps;
    const Steps<kSteps, Sum> of_lanes(strung, first);
    const Sum* values = of_lanes.values;
    const auto flip = V::load(of_lanes.flips, typename V::All{});
    LanesOf<Sum> held[kSteps + (kSteps == 0)];
    for (int32_t k = 0; k < kSteps; ++k) held[k] = V::load(values + k * kLanes, typename V::All{});

    const int32_t pixels = block.pixels, lowest = epilogue.lowest;  // stores of bytes may alias all else
    const ptrdiff_t sums_stride = block.sums_stride, out_stride = block.out_stride;
    const Sum* sums = block.sums + first;
    auto* out = static_cast<uint8_t*>(block.out) + first;
    for (int32_t p = 0; p < pixels; ++p, sums += sums_stride, out += out_stride) {
      const auto sum = V::flipped(V::load(sums, mask), flip);
      auto counts = V::no_counts(sum, steps);
      if constexpr (kSteps != 0) {
        for (int32_t k = 0; k < kSteps; ++k) V::count(counts, sum, held[k]);
      } else {
        for (int32_t k = 0; k < steps; ++k) V::count(counts, sum, V::load(values + k * kLanes, typename V::All{}));
      }
      V::store_counts(out, mask, counts, lowest);
    }
  }

  /// Counts for V::kManyLanes neighbouring channels from `first` on, if a tier can do so at once.
  template <int32_t kSteps, class Sum>
  static bool count_many(const Strung<Sum>& strung, int32_t first) {
    if constexpr (std::is_same_v<Sum, int32_t> && kSteps != 0 && V::kManyLanes != 0) {
      const int32_t end = first + V::kManyLanes;
      const bool in_order = strung.epilogue.per_channel && end <= strung.block.channels && end <= strung.period;
      if (!in_order || strung.epilogue.falling != nullptr) return false;
      alignas(64) int32_t steps[kSteps][V::kManyLanes];
      const auto* of_lane = static_cast<const int32_t*>(strung.epilogue.values) + strung.channel(first) * kSteps;
      for (int32_t lane = 0; lane < V::kManyLanes; ++lane, of_lane += kSteps) {
        for (int32_t k = 0; k < kSteps; ++k) steps[k][lane] = of_lane[k];
      }
      return V::count_many(strung.block.sums + first, strung.block.sums_stride, steps, strung.epilogue.lowest,
                           static_cast<uint8_t*>(strung.block.out) + first, strung.block.out_stride,
                           strung.block.pixels);
    }
    return false;
  }

  template <int32_t kSteps, class Sum>
  static void count(const Strung<Sum>& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    while (count_many<kSteps>(strung, first)) first += V::kManyLanes;
    for (; first + kLanes <= channels; first += kLanes) count_lanes<kSteps>(strung, first, typename V::All{});
    if (first < channels) count_lanes<kSteps>(strung, first, V::some(channels - first));
  }

  template <class Sum>
  static void to_codes(const Strung<Sum>& strung) {
    switch (strung.epilogue.steps) {
      case 1:
        return count<1>(strung);
      case 2:
        return count<2>(strung);
      case 3:
        return count<3>(strung);
      default:
        return count<0>(strung);
    }
  }
};

}  // namespace tidbit::kernels::epilogue_tiers
