// What epilogues on vectors work on: sixteen channels at a time, or sixteen results where pixels are dense.
//
// `V` holds a tier's vectors and operations, in an anonymous namespace, and so all that is instantiated here is local
// to its file. It has lanes of Ints (int32), Floats and Doubles, sixteen each; masks All and Some (the first lanes).
// Where `kReals` is false it has no Doubles and takes denormals for 0, and what that would show in is for the scalar
// tier: Affine64, Real, reals, and knees, as lines need not meet there.
//
// Comparisons, maxima and minima with NaN are those of x86, by the order of operands: the second one results. It is
// what makes NaN the lowest code and lets it pass the clamp of reals, as in the scalar tier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct StrungLanes {
  static constexpr int32_t kLanes = 16;

  template <class T>
  using LanesOf =
      std::conditional_t<std::is_same_v<T, int32_t>, typename V::Ints,
                         std::conditional_t<std::is_same_v<T, float>, typename V::Floats, typename V::Doubles>>;

  /// A block whose pixels may have been strung together: lane l of the block is channel `channel_begin + l % period`.
  template <class Sum>
  struct Strung {
    const Epilogue& epilogue;
    EpilogueBlock<Sum> block;
    int32_t period;

    ptrdiff_t channel(int32_t lane) const {
      return epilogue.per_channel ? ptrdiff_t{block.channel_begin} + (lane < period ? lane : lane % period) : 0;
    }

    /// Whether the sixteen lanes from `first` on are as many neighbouring channels.
    bool in_order(int32_t first) const {
      return epilogue.per_channel && first + kLanes <= block.channels && first % period + kLanes <= period;
    }

    /// Parameters of the sixteen lanes from `first` on; past the block they are 0.
    template <class T>
    [[gnu::noinline]] LanesOf<T> parameters(const void* values, int32_t first) const {
      const T* of_channel = static_cast<const T*>(values);
      if (in_order(first)) return V::load(of_channel + channel(first), typename V::All{});
      alignas(64) T lanes[kLanes] = {};
      for (int32_t lane = 0; lane < kLanes && first + lane < block.channels; ++lane) {
        lanes[lane] = of_channel[channel(first + lane)];
      }
      return V::load(lanes, typename V::All{});
    }
  };
};

}  // namespace tidbit::kernels::epilogue_tiers
