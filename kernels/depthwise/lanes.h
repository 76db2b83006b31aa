// Depthwise convolution on vectors, for the ISA files: channels are lanes, taps are taken in pairs.
//
// With v_x = step*u + base:  sum v_x*v_w = step * sum u*v_w + base * sum v_w,  where the latter is a constant of the
// channel as long as the whole window is in the image. Where it is not, taps outside take the code of 0. Where 0 is not
// on the grid they take u = 0, and the constant is summed over those inside by the same loop, with u = 1 for them. All
// is arithmetic modulo 2^32, which is exact because the result fits int32.
//
// Narrow: v_w are int8 and sums of u*v_w over all taps fit int16 (most grids of few bits): PMADDUBSW or SMLAL, a
// vector's bytes of channels at a time. Wide: v_w are int16: PMADDWD or SMLAL, half as many. Anything else is for the
// scalar tier.
//
// Packed weights: a block for each kChannels channels: int32 constants [channel] (base * sum v_w), then for each pair
// of taps two vectors: those of either tap, or, where products are added in pairs (V::kAddsPairs), as unpack-low and
// unpack-high interleave the channels of the two.
//
// `V` holds a tier's vectors and operations, in an anonymous namespace, and so all that is instantiated here is local
// to its file. Narrow codes are up to V::kMostNarrowCode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/depthwise/tiers.h"

namespace tidbit::kernels::depthwise_tiers {

template <class V, bool kWide>
struct Vectors {
  using Vector = typename V::Vector;
  using Weight = std::conditional_t<kWide, int16_t, int8_t>;
  static constexpr int32_t kChannels = sizeof(Vector) / sizeof(Weight);  // of a block
  static constexpr int32_t kQuarters = kWide ? 2 : 4;                    // vectors of its int32 sums

  static constexpr size_t block_bytes(int32_t pairs) {
    return kChannels * sizeof(int32_t) + static_cast<size_t>(pairs) * 2 * sizeof(Vector);
  }

  static uint64_t weight_bytes(int32_t channels, int32_t taps) {
    return static_cast<uint64_t>((channels + kChannels - 1) / kChannels) * block_bytes((taps + 1) / 2);
  }

  /// Where in the two vectors of a pair the weight of a tap (0 or 1) and a channel of the block is.
  static constexpr int32_t place(int32_t tap, int32_t channel) {
    if (!V::kAddsPairs) return tap * kChannels + channel;
    constexpr int32_t kLane = 16 / sizeof(Weight);  // unpacking works in lanes of 16 bytes
    const int32_t in_lane = channel % kLane, high = in_lane >= kLane / 2;
    return high * kChannels + (channel - in_lane) + 2 * (in_lane - high * kLane / 2) + tap;
  }

  static void pack(const DepthwiseProblem& problem, int32_t taps, const uint8_t* codes, std::byte* packed) {
    const int32_t channels = problem.shape.channels, pairs = (taps + 1) / 2;
    std::memset(packed, 0, static_cast<size_t>(weight_bytes(channels, taps)));
    for (int32_t c = 0; c < channels; ++c) {
      std::byte* block = packed + c / kChannels * block_bytes(pairs);
      const int32_t at = c % kChannels;
      uint32_t sum = 0;
      for (int32_t tap = 0; tap < taps; ++tap) {
        const auto weight =
            static_cast<Weight>(problem.weights.step * codes[ptrdiff_t{tap} * channels + c] + problem.weights.base);
        const size_t element = static_cast<size_t>(tap / 2) * 2 * kChannels + place(tap % 2, at);
        std::memcpy(block + kChannels * sizeof(int32_t) + element * sizeof(Weight), &weight, sizeof(weight));
        sum += static_cast<uint32_t>(weight);
      }
      sum *= static_cast<uint32_t>(problem.activations.base);
      std::memcpy(block + at * sizeof(int32_t), &sum, sizeof(sum));
    }
  }

  struct Sums {
    Vector low, high;
  };

  /// Adds u*v_w of a pair of taps, whose codes are at x0 and x1.
  static Sums add_pair(Sums sums, const uint8_t* x0, const uint8_t* x1, Vector low_weights, Vector high_weights) {
    if constexpr (!V::kAddsPairs) {
      V::template add_products<Weight>(sums.low, sums.high, x0, low_weights);
      V::template add_products<Weight>(sums.low, sums.high, x1, high_weights);
      return sums;
    } else if constexpr (kWide) {
      const Vector a = V::load_words(x0), b = V::load_words(x1);
      return {V::add32(sums.low, V::multiply_words(V::low_words(a, b), low_weights)),
              V::add32(sums.high, V::multiply_words(V::high_words(a, b), high_weights))};
    } else {
      const Vector a = V::load(x0), b = V::load(x1);
      return {V::add16(sums.low, V::multiply_bytes(V::low_bytes(a, b), low_weights)),
              V::add16(sums.high, V::multiply_bytes(V::high_bytes(a, b), high_weights))};
    }
  }

  /// int32 sums in the order of channels.
  static void widen(Sums sums, Vector (&wide)[kQuarters]) {
    if constexpr (kWide) {
      V::order_words(sums.low, sums.high, wide);
    } else {
      V::widen(sums.low, sums.high, wide);
    }
  }

  /// The weights of a block.
  struct Weights {
    const Vector* packed;
    int32_t pairs;
    Weights(const Vector* weights, int32_t count) : packed(weights), pairs(count) {}
    Sums sums(const uint8_t* const* taps, ptrdiff_t channel) const {
      Sums sums = {V::zero(), V::zero()};
      for (int32_t pair = 0; pair < pairs; ++pair) {
        sums = add_pair(sums, taps[2 * pair] + channel, taps[2 * pair + 1] + channel, packed[2 * pair],
                        packed[2 * pair + 1]);
      }
      return sums;
    }
  };

  /// Those of a 3x3 window, in registers while pixels pass. One by one: g++ leaves an array that a loop walks in
  /// memory, even where it unrolls the loop.
  struct NineWeights {
    Vector low0, high0, low1, high1, low2, high2, low3, high3, low4, high4;
    NineWeights(const Vector* w, int32_t)
        : low0(w[0]),
          high0(w[1]),
          low1(w[2]),
          high1(w[3]),
          low2(w[4]),
          high2(w[5]),
          low3(w[6]),
          high3(w[7]),
          low4(w[8]),
          high4(w[9]) {}
    Sums sums(const uint8_t* const* taps, ptrdiff_t channel) const {
      Sums sums = {V::zero(), V::zero()};
      sums = add_pair(sums, taps[0] + channel, taps[1] + channel, low0, high0);
      sums = add_pair(sums, taps[2] + channel, taps[3] + channel, low1, high1);
      sums = add_pair(sums, taps[4] + channel, taps[5] + channel, low2, high2);
      sums = add_pair(sums, taps[6] + channel, taps[7] + channel, low3, high3);
      return add_pair(sums, taps[8] + channel, taps[9] + channel, low4, high4);
    }
  };

  static constexpr int32_t kMostTaps = 128;
  static constexpr int32_t kLine = 2048;     // channels of the line that stands for padding
  static constexpr int32_t kPointers = 512;  // taps of the pixels that weights are held for
  static constexpr int32_t kMostPixels = 32;

  struct Run {
    const DepthwiseProblem& problem;
    const uint8_t* codes;
    const uint8_t* codes_end;
    int32_t taps, pairs;
    int32_t zero_code;   // -1: none
    bool line;           // taps outside read `outside`; else they are null
    ptrdiff_t* offsets;  // of taps from the first one's pixel
    uint8_t* outside;
  };

  /// The pixels that weights are held for.
  struct Pixels {
    int32_t count;
    const uint8_t* taps[kPointers];  // [pixel][2 * pairs]
    bool direct[kMostPixels];        // no tap is null
  };

  static void store(int32_t* out, int32_t count, const Vector (&sums)[kQuarters]) {
    constexpr int32_t kLanes = kChannels / kQuarters;
    for (int32_t q = 0; q < kQuarters && count > 0; ++q, out += kLanes, count -= kLanes) {
      if (count >= kLanes) {
        V::store(out, sums[q]);
      } else {
        V::store_some(out, count, sums[q]);
      }
    }
  }

  static void finish(const Run& run, const Vector* constants, Vector (&sums)[kQuarters]) {
    const Vector step = V::broadcast(run.problem.activations.step);
    for (int32_t q = 0; q < kQuarters; ++q) {
      if (run.problem.activations.step != 1) sums[q] = V::multiply32(sums[q], step);
      sums[q] = V::add32(sums[q], constants[q]);
    }
  }

  /// A block of a pixel, any one: taps outside the image may be null, and codes are copied where a load would pass
  /// their end.
  [[gnu::noinline]] static void any_block(const Run& run, const uint8_t* const* taps, int32_t channel,
                                          const std::byte* block, int32_t* out) {
    alignas(64) uint8_t copies[kMostTaps + 1][kChannels], padding[kChannels], one[kChannels], zero[kChannels];
    const uint8_t *at[kMostTaps + 1], *inside[kMostTaps + 1];
    std::memset(padding, run.zero_code > 0 ? run.zero_code : 0, sizeof(padding));
    std::memset(one, 1, sizeof(one));
    std::memset(zero, 0, sizeof(zero));
    const int32_t left = run.problem.shape.channels - channel;
    for (int32_t tap = 0; tap < 2 * run.pairs; ++tap) {
      const bool null = taps[tap] == nullptr || taps[tap] == run.outside;
      at[tap] = null ? padding : taps[tap] + channel;
      inside[tap] = null ? zero : one;
      if (!null && run.codes_end - at[tap] < kChannels) {
        std::memcpy(copies[tap], at[tap], left < kChannels ? left : kChannels);
        at[tap] = copies[tap];
      }
    }
    const auto* constants = reinterpret_cast<const Vector*>(block);
    const Weights weights(constants + kQuarters, run.pairs);
    Vector sums[kQuarters], of_inside[kQuarters];
    widen(weights.sums(at, 0), sums);
    if (run.zero_code < 0) {
      widen(weights.sums(inside, 0), of_inside);
      for (Vector& sum : of_inside) sum = V::multiply32(sum, V::broadcast(run.problem.activations.base));
      constants = of_inside;
    }
    finish(run, constants, sums);
    store(out, left, sums);
  }

  /// A whole block of each pixel. The loop that is hot has no calls, which would put the weights into memory.
  template <class Held>
  static void run_block(const Run& run, const Pixels& pixels, int32_t channel, const std::byte* block, int32_t* sums) {
    const auto* constants = reinterpret_cast<const Vector*>(block);
    const ptrdiff_t channels = run.problem.shape.channels, taps = 2 * run.pairs;
    const Held weights(constants + kQuarters, run.pairs);
    bool all = true;
    for (int32_t p = 0; p < pixels.count; ++p) {
      if (!pixels.direct[p]) {
        all = false;
        continue;
      }
      Vector of_pixel[kQuarters];
      widen(weights.sums(pixels.taps + p * taps, channel), of_pixel);
      finish(run, constants, of_pixel);
      for (int32_t q = 0; q < kQuarters; ++q) {
        V::store(sums + p * channels + channel + q * (kChannels / kQuarters), of_pixel[q]);
      }
    }
    for (int32_t p = 0; !all && p < pixels.count; ++p) {
      if (!pixels.direct[p]) any_block(run, pixels.taps + p * taps, channel, block, sums + p * channels + channel);
    }
  }

  /// The last block, where it is not whole. Its loads may pass the end of the codes in the image's last pixels.
  template <class Held>
  static void run_last_block(const Run& run, const Pixels& pixels, int32_t channel, const std::byte* block,
                             int32_t* sums) {
    const auto* constants = reinterpret_cast<const Vector*>(block);
    const ptrdiff_t channels = run.problem.shape.channels;
    const Held weights(constants + kQuarters, run.pairs);
    const uint8_t* const* taps = pixels.taps;
    for (int32_t p = 0; p < pixels.count; ++p, taps += 2 * run.pairs, sums += channels) {
      if (!pixels.direct[p] || passes_end(run, taps, channel)) {
        any_block(run, taps, channel, block, sums + channel);
        continue;
      }
      Vector of_pixel[kQuarters];
      widen(weights.sums(taps, channel), of_pixel);
      finish(run, constants, of_pixel);
      store(sums + channel, static_cast<int32_t>(channels) - channel, of_pixel);
    }
  }

  static bool passes_end(const Run& run, const uint8_t* const* taps, int32_t channel) {
    for (int32_t tap = run.taps - 1; tap >= 0; --tap) {  // the last one inside is the furthest
      if (taps[tap] != run.outside) return run.codes_end - taps[tap] < channel + kChannels;
    }
    return false;
  }

  /// Where the taps of a pixel are; the one that makes the pairs even has weight 0, and is outside.
  static bool find_taps(const Run& run, int32_t y, int32_t x, const uint8_t** taps) {
    const ConvolutionShape& shape = run.problem.shape;
    const Window& window = shape.window;
    const uint8_t* origin = run.codes + (ptrdiff_t{y} * shape.width + x) * shape.channels;
    const int32_t last_y = y + (window.kernel_height - 1) * window.dilation_height;
    const int32_t last_x = x + (window.kernel_width - 1) * window.dilation_width;
    if (y >= 0 && x >= 0 && last_y < shape.height && last_x < shape.width) {
      for (int32_t tap = 0; tap < run.taps; ++tap) taps[tap] = origin + run.offsets[tap];
      if (run.taps % 2 != 0) taps[run.taps] = origin;
      return true;
    }
    int32_t tap = 0;
    for (int32_t tap_y = y; tap_y <= last_y; tap_y += window.dilation_height) {
      for (int32_t tap_x = x; tap_x <= last_x; tap_x += window.dilation_width, ++tap) {
        const bool inside = tap_y >= 0 && tap_y < shape.height && tap_x >= 0 && tap_x < shape.width;
        taps[tap] = inside ? origin + run.offsets[tap] : run.line ? run.outside : nullptr;
      }
    }
    if (tap % 2 != 0) taps[tap] = run.line ? run.outside : nullptr;
    return run.line;
  }

  template <class Held>
  static void run_pixels(const Run& run, const std::byte* weights, int32_t pixel_begin, int32_t pixel_count,
                         int32_t* sums) {
    const ConvolutionShape& shape = run.problem.shape;
    const Window& window = shape.window;
    const size_t bytes = block_bytes(run.pairs);
    const int32_t fitting = kPointers / (2 * run.pairs);
    const int32_t most = fitting < kMostPixels ? fitting : kMostPixels;
    Pixels pixels;
    for (int32_t begin = 0; begin < pixel_count; begin += most, sums += ptrdiff_t{most} * shape.channels) {
      pixels.count = pixel_count - begin < most ? pixel_count - begin : most;
      for (int32_t p = 0; p < pixels.count; ++p) {
        const int32_t pixel = pixel_begin + begin + p;
        const int32_t y = pixel / shape.out_width * window.stride_height - window.pad_top;
        const int32_t x = pixel % shape.out_width * window.stride_width - window.pad_left;
        pixels.direct[p] = find_taps(run, y, x, pixels.taps + p * 2 * run.pairs);
      }
      const std::byte* block = weights;
      int32_t channel = 0;
      for (; channel + kChannels <= shape.channels; channel += kChannels, block += bytes) {
        run_block<Held>(run, pixels, channel, block, sums);
      }
      if (channel < shape.channels) run_last_block<Held>(run, pixels, channel, block, sums);
    }
  }

  static void run(const DepthwiseProblem& problem, int32_t taps, const uint8_t* codes, const std::byte* weights,
                  int32_t pixel_begin, int32_t pixel_count, int32_t* sums) {
    const ConvolutionShape& shape = problem.shape;
    const Window& window = shape.window;
    const Grid& grid = problem.activations;
    const bool on_grid = grid.base <= 0 && -grid.base % grid.step == 0 && -grid.base / grid.step < 1 << grid.bits;
    const bool line = on_grid && shape.channels <= kLine;
    ptrdiff_t offsets[kMostTaps];
    for (int32_t tap = 0; tap < taps; ++tap) {
      const ptrdiff_t y = ptrdiff_t{tap / window.kernel_width} * window.dilation_height;
      const ptrdiff_t x = ptrdiff_t{tap % window.kernel_width} * window.dilation_width;
      offsets[tap] = (y * shape.width + x) * shape.channels;
    }
    uint8_t outside[kLine + kChannels];
    const Run run = {.problem = problem,
                     .codes = codes,
                     .codes_end = codes + ptrdiff_t{shape.height} * shape.width * shape.channels,
                     .taps = taps,
                     .pairs = (taps + 1) / 2,
                     .zero_code = on_grid ? -grid.base / grid.step : -1,
                     .line = line,
                     .offsets = offsets,
                     .outside = outside};
    if (line) std::memset(outside, run.zero_code, static_cast<size_t>(shape.channels) + kChannels);
    if (taps == 9) return run_pixels<NineWeights>(run, weights, pixel_begin, pixel_count, sums);
    run_pixels<Weights>(run, weights, pixel_begin, pixel_count, sums);
  }
};

/// The form of a problem, and its entry points.
template <class V>
struct Forms {
  using Narrow = Vectors<V, false>;
  using Wide = Vectors<V, true>;

  enum class Form { Narrow, Wide, Below };

  static int32_t taps_of(const DepthwiseProblem& problem) {
    return problem.shape.window.kernel_height * problem.shape.window.kernel_width;
  }

  /// Below where too much of the vectors would be empty, too.
  static Form form(const DepthwiseProblem& problem) {
    const int64_t taps = int64_t{problem.shape.window.kernel_height} * problem.shape.window.kernel_width;
    if (taps > Narrow::kMostTaps) return Form::Below;
    const int64_t lowest = problem.weights.base;
    const int64_t highest = lowest + int64_t{problem.weights.step} * ((1 << problem.weights.bits) - 1);
    const int64_t magnitude = -lowest > highest ? -lowest : highest;
    const int64_t most_code = (1 << problem.activations.bits) - 1;
    const int32_t channels = problem.shape.channels;
    if (lowest >= INT8_MIN && highest <= INT8_MAX && most_code <= V::kMostNarrowCode &&
        magnitude * most_code * taps <= INT16_MAX) {
      return V::few(channels) ? Form::Below : Form::Narrow;
    }
    if (lowest < INT16_MIN || highest > INT16_MAX) return Form::Below;
    return V::few(2 * channels) ? Form::Below : Form::Wide;
  }

  static uint64_t weight_bytes(const DepthwiseProblem& problem) noexcept {
    switch (form(problem)) {
      case Form::Narrow:
        return Narrow::weight_bytes(problem.shape.channels, taps_of(problem));
      case Form::Wide:
        return Wide::weight_bytes(problem.shape.channels, taps_of(problem));
      default:
        return V::below().weight_bytes(problem);
    }
  }

  static void pack_weights(const DepthwiseProblem& problem, const uint8_t* codes, std::byte* packed) noexcept {
    switch (form(problem)) {
      case Form::Narrow:
        return Narrow::pack(problem, taps_of(problem), codes, packed);
      case Form::Wide:
        return Wide::pack(problem, taps_of(problem), codes, packed);
      default:
        V::below().pack_weights(problem, codes, packed);
    }
  }

  static void run(const DepthwiseProblem& problem, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
                  int32_t pixel_count, int32_t* sums) noexcept {
    switch (form(problem)) {
      case Form::Narrow:
        return Narrow::run(problem, taps_of(problem), codes, weights, pixel_begin, pixel_count, sums);
      case Form::Wide:
        return Wide::run(problem, taps_of(problem), codes, weights, pixel_begin, pixel_count, sums);
      default:
        V::below().run(problem, codes, weights, pixel_begin, pixel_count, sums);
    }
  }
};

}  // namespace tidbit::kernels::depthwise_tiers
