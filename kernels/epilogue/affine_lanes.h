// Affine forms on vectors, to codes and to reals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/epilogue/strung.h"

namespace tidbit::kernels::epilogue_tiers {

template <class V>
struct Affine {
  static constexpr int32_t kLanes = StrungLanes<V>::kLanes;
  template <class T>
  using LanesOf = typename StrungLanes<V>::template LanesOf<T>;
  template <class Sum>
  using Strung = typename StrungLanes<V>::template Strung<Sum>;

  template <class Real, class Sum, class Mask>
  static LanesOf<Real> value_of(const EpilogueBlock<Sum>& block, ptrdiff_t pixel, int32_t first, const Mask& mask,
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
  static void lanes_to_codes(const Strung<Sum>& strung, int32_t first, const Mask& mask) {
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
      const auto value = shape(value_of<Real>(block, p, first, mask, multiplier, offset, factor));
      V::store_nearest_codes(out, mask, V::minimum(V::maximum(value, lowest), highest));
    }
  }

  template <class Sum, class Mask>
  static void lanes_to_reals(const Strung<Sum>& strung, int32_t first, const Mask& mask) {
    const Epilogue& epilogue = strung.epilogue;
    const EpilogueBlock<Sum> block = strung.block;  // a copy: stores of bytes may alias all else
    const auto multiplier = strung.template parameters<double>(epilogue.multiplier, first);
    const auto offset = strung.template parameters<double>(epilogue.offset, first);
    const auto lowest = V::broadcast(static_cast<double>(epilogue.real_lowest));
    const auto highest = V::broadcast(static_cast<double>(epilogue.real_highest));
    auto* out = static_cast<float*>(block.out) + first;
    for (int32_t p = 0; p < block.pixels; ++p, out += block.out_stride) {
      const auto value = value_of<double>(block, p, first, mask, multiplier, offset, epilogue.residual_multiplier);
      V::store_floats(out, mask, V::minimum(highest, V::maximum(lowest, value)));
    }
  }

  /// The same for V::kManyLanes (four times sixteen) lanes from `first` on: their codes are clamped and stored at once.
  template <class Real, class Sum>
  static void many_to_codes(const Strung<Sum>& strung, int32_t first) {
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
          const auto value = value_of<Real>(block, p, first + q * kLanes, typename V::All{}, m, b, factor());
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
  static void to_codes(const Strung<Sum>& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    if constexpr (V::kManyLanes == 4 * kLanes && std::is_same_v<Shape<Real>, Straight<Real>>) {
      for (; first + V::kManyLanes <= channels; first += V::kManyLanes) many_to_codes<Real>(strung, first);
    }
    for (; first + kLanes <= channels; first += kLanes) {
      lanes_to_codes<Real, Shape>(strung, first, typename V::All{});
    }
    if (first < channels) lanes_to_codes<Real, Shape>(strung, first, V::some(channels - first));
  }
  template <class Real, class Sum>
  static void to_codes(const Strung<Sum>& strung) {
    if (strung.epilogue.knee != nullptr) return to_codes<Real, Bend>(strung);
    to_codes<Real, Straight>(strung);
  }

  template <class Sum>
  static void to_reals(const Strung<Sum>& strung) {
    const int32_t channels = strung.block.channels;
    int32_t first = 0;
    for (; first + kLanes <= channels; first += kLanes) lanes_to_reals(strung, first, typename V::All{});
    if (first < channels) lanes_to_reals(strung, first, V::some(channels - first));
  }
};

}  // namespace tidbit::kernels::epilogue_tiers
