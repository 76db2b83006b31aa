// Epilogues on vectors, for the ISA files: sixteen channels at a time, or sixteen results where pixels are dense.
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

#include "kernels/epilogue/fixed_point_lanes.h"
#include "kernels/epilogue/tiers.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct Vectors {
  static constexpr int32_t kLanes = 16;
  static constexpr int32_t kMostSteps = 64;  // of the linear count; a binary search is better beyond

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

  // --- Thresholds

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

  // --- Affine forms

  template <class Real, class Sum, class Mask>
  static LanesOf<Real> affine(const EpilogueBlock<Sum>& block, ptrdiff_t pixel, int32_t first, const Mask& mask,
                              const LanesOf<Real>& multiplier, const LanesOf<Real>& offset, Real factor) {
    const auto sum = V::to(Real{}, V::load(block.sums + pixel * block.sums_stride + first, mask));
    LanesOf<Real> value = V::add(V::multiply(sum, multiplier), offset);
    if (factor == 0) return value;
    const Residual& residual = block.residual;
    const ptrdiff_t at = pixel * residual.stride + first;
    if (residual.codes != nullptr) {
      const auto code = V::load(residual.codes + at, mask);
      const bool values = residual.grid.step == 1 && residual.grid.base == 0;
      const auto v = values ? code : V::on_grid(code, residual.grid.step, residual.grid.base);
      value = V::add(value, V::multiply(V::to(Real{}, v), V::broadcast(factor)));
    } else if (residual.reals != nullptr) {
      const auto real = V::load(residual.reals + at, mask);
      value = V::add(value, V::multiply(V::to(Real{}, real), V::broadcast(factor)));
    }
    return value;
  }

  /// What affine forms are bent by below their knee.
  template <class Real>
  struct Bend {
    LanesOf<Real> knee, slope, offset;

    template <class Sum>
    Bend(const Strung<Sum>& strung, int32_t first)
        : knee(strung.template parameters<Real>(strung.epilogue.knee, first)),
          slope(strung.template parameters<Real>(strung.epilogue.slope_below, first)),
          offset(strung.template parameters<Real>(strung.epilogue.offset_below, first)) {}

    LanesOf<Real> operator()(const LanesOf<Real>& value) const {
      return V::less_choose(value, knee, V::add(V::multiply(value, slope), offset), value);
    }
  };
  template <class Real>
  struct Straight {
    template <class Sum>
    Straight(const Strung<Sum>&, int32_t) {}
    LanesOf<Real> operator()(const LanesOf<Real>& value) const { return value; }
  };

  template <class Real, template <class> class Shape, class Sum, class Mask>
  static void affine_lanes_to_codes(const Strung<Sum>& strung, int32_t first, const Mask& mask) {
    const Epilogue& epilogue = strung.epilogue;
    const EpilogueBlock<Sum> block = strung.block;  // a copy: stores of bytes may alias all else
    const auto multiplier = strung.template parameters<Real>(epilogue.multiplier, first);
    const auto offset = strung.template parameters<Real>(epilogue.offset, first);
    const auto factor = static_cast<Real>(epilogue.residual_multiplier);
    const auto lowest = V::broadcast(static_cast<Real>(epilogue.lowest));
    const auto highest = V::broadcast(static_cast<Real>(epilogue.highest));
    const Shape<Real> shape(strung, first);
    auto* out = static_cast<uint8_t*>(block.out) + first;
    for (int32_t p = 0; p < block.pixels; ++p, out += block.out_stride) {
      const auto value = shape(affine<Real>(block, p, first, mask, multiplier, offset, factor));
      V::store_nearest_codes(out, mask, V::minimum(V::maximum(value, lowest), highest));
    }
  }

  template <class Sum, class Mask>
  static void affine_lanes_to_reals(const Strung<Sum>& strung, int32_t first, const Mask& mask) {
    const Epilogue& epilogue = strung.epilogue;
    const EpilogueBlock<Sum> block = strung.block;  // a copy: stores of bytes may alias all else
    const auto multiplier = strung.template parameters<double>(epilogue.multiplier, first);
    const auto offset = strung.template parameters<double>(epilogue.offset, first);
    const auto lowest = V::broadcast(static_cast<double>(epilogue.real_lowest));
    const auto highest = V::broadcast(static_cast<double>(epilogue.real_highest));
    auto* out = static_cast<float*>(block.out) + first;
    for (int32_t p = 0; p < block.pixels; ++p, out += block.out_stride) {
      const auto value = affine<double>(block, p, first, mask, multiplier, offset, epilogue.residual_multiplier);
      V::store_floats(out, mask, V::minimum(highest, V::maximum(lowest, value)));
    }
  }

  /// The same for V::kManyLanes (four times sixteen) lanes from `first` on: their codes are clamped and stored at once.
  template <class Real, class Sum>
  static void affine_many_to_codes(const Strung<Sum>& strung, int32_t first) {
    const Epilogue& epilogue = strung.epilogue;
    const EpilogueBlock<Sum> block = strung.block;
    const auto multiplier = [&](int32_t q) {
      return strung.template parameters<Real>(epilogue.multiplier, first + q * kLanes);
    };
    const auto offset = [&](int32_t q) {
      return strung.template parameters<Real>(epilogue.offset, first + q * kLanes);
    };
    // One by one: g++ leaves an array that a loop walks in memory.
    const auto m0 = multiplier(0), m1 = multiplier(1), m2 = multiplier(2), m3 = multiplier(3);
    const auto b0 = offset(0), b1 = offset(1), b2 = offset(2), b3 = offset(3);
    const int32_t lowest = epilogue.lowest, highest = epilogue.highest;
    const auto most = V::broadcast(static_cast<Real>(highest));
    const auto store_all = [&](auto factor) {
      auto* out = static_cast<uint8_t*>(block.out) + first;
      for (int32_t p = 0; p < block.pixels; ++p, out += block.out_stride) {
        // What is beyond int32 becomes the least one; so it is the upper limit that comes first.
        const auto codes = [&](int32_t q, const auto& m, const auto& b) {
          const auto value = affine<Real>(block, p, first + q * kLanes, typename V::All{}, m, b, factor());
          return V::nearest(V::minimum(most, value));
        };
        V::store_many_codes(out, codes(0, m0, b0), codes(1, m1, b1), codes(2, m2, b2), codes(3, m3, b3), lowest,
                            highest);
      }
    };
    const auto factor = static_cast<Real>(epilogue.residual_multiplier);
    if (factor == 0) return store_all([] { return Real{0}; });
    store_all([=] { return factor; });
  }

  template <class Real, template <class> class Shape, class Sum>
  static void affine_to_codes(const Strung<Sum>& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    if constexpr (V::kManyLanes == 4 * kLanes && std::is_same_v<Shape<Real>, Straight<Real>>) {
      for (; first + V::kManyLanes <= channels; first += V::kManyLanes) affine_many_to_codes<Real>(strung, first);
    }
    for (; first + kLanes <= channels; first += kLanes) {
      affine_lanes_to_codes<Real, Shape>(strung, first, typename V::All{});
    }
    if (first < channels) affine_lanes_to_codes<Real, Shape>(strung, first, V::some(channels - first));
  }
  template <class Real, class Sum>
  static void affine_to_codes(const Strung<Sum>& strung) {
    if (strung.epilogue.knee != nullptr) return affine_to_codes<Real, Bend>(strung);
    affine_to_codes<Real, Straight>(strung);
  }

  template <class Sum>
  static void affine_to_reals(const Strung<Sum>& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    for (; first + kLanes <= channels; first += kLanes) affine_lanes_to_reals(strung, first, typename V::All{});
    if (first < channels) affine_lanes_to_reals(strung, first, V::some(channels - first));
  }

  // --- Any form

  template <class Sum>
  static void apply_strung(const Strung<Sum>& strung) {
    switch (strung.epilogue.form) {
      case EpilogueForm::Thresholds:
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
      case EpilogueForm::Affine32:
        return affine_to_codes<float>(strung);
      case EpilogueForm::FixedPoint:
        if constexpr (std::is_same_v<Sum, int32_t>) FixedPoint<V>::to_codes(strung);
        return;
      case EpilogueForm::Affine64:
        if constexpr (V::kReals) affine_to_codes<double>(strung);
        return;
      case EpilogueForm::Real:
        if constexpr (V::kReals) affine_to_reals(strung);
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
    const bool many_steps = form == EpilogueForm::Thresholds && epilogue.steps > kMostSteps;
    if (many_steps || (reals && !V::kReals)) {
      if constexpr (std::is_same_v<Sum, int32_t>) return kScalar.of_integers(epilogue, block);
      if constexpr (std::is_same_v<Sum, double>) return kScalar.of_doubles(epilogue, block);
      if constexpr (std::is_same_v<Sum, float>) return kScalar.of_floats(epilogue, block);
    }
    apply(epilogue, block);
  }
};

}  // namespace tidbit::kernels::epilogue_tiers
