// Convolution of reals on vectors, for the ISA files: output channels are lanes, a block of pixels shares the weights.
//
// A tap outside the image reads zeros: adding 0*w changes no sum of finite weights.
//
// `V` holds a tier's vectors and operations, in an anonymous namespace, and so all that is instantiated here is local
// to its file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/real/tiers.h"

namespace tidbit::kernels::real_tiers {

template <class V>
struct RealConvolution {
  static constexpr int32_t kAllVectors = kRealPanelChannels / V::kLanes;
  /// Channels read at a time, as many as there are zeros.
  static constexpr int32_t kRun = 64;
  static constexpr float kZeros[kRun] = {};

  /// One layer, group and panel.
  struct Operands {
    const ConvolutionShape& shape;
    const float* in;
    ptrdiff_t pixel_stride;
    const double* panel;
    int32_t channel_count;
    ptrdiff_t sums_stride;
  };

  /// Where a block's windows begin, and what they read of a tap: null outside the image.
  template <int Pixels>
  struct Windows {
    int32_t top[Pixels], left[Pixels];

    Windows(const ConvolutionShape& shape, int32_t pixel) {
      for (int p = 0; p < Pixels; ++p) {
        top[p] = (pixel + p) / shape.out_width * shape.window.stride_height - shape.window.pad_top;
        left[p] = (pixel + p) % shape.out_width * shape.window.stride_width - shape.window.pad_left;
      }
    }

    /// Whether any is inside.
    bool at(const Operands& o, int32_t tap_y, int32_t tap_x, const float* (&x)[Pixels]) const {
      bool inside = false;
      for (int p = 0; p < Pixels; ++p) {
        const int32_t row = top[p] + tap_y * o.shape.window.dilation_height;
        const int32_t column = left[p] + tap_x * o.shape.window.dilation_width;
        const bool hit = row >= 0 && row < o.shape.height && column >= 0 && column < o.shape.width;
        x[p] = hit ? o.in + (ptrdiff_t{row} * o.shape.width + column) * o.pixel_stride : nullptr;
        inside |= hit;
      }
      return inside;
    }
  };

  template <int Pixels, int Vectors>
  using Sums = typename V::Vector[Pixels][Vectors];

  /// Adds `channels` products of each pixel, in registers.
  template <int Pixels, int Vectors>
  static void accumulate(Sums<Pixels, Vectors>& sums, const float* const (&x)[Pixels], const double* w,
                         int32_t channels) {
    Sums<Pixels, Vectors> next;
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) next[p][v] = sums[p][v];
    }
    for (int32_t k = 0; k < channels; ++k, w += kRealPanelChannels) {
      typename V::Vector weights[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) weights[v] = V::load(w + v * V::kLanes);
#pragma GCC unroll 8
      for (int p = 0; p < Pixels; ++p) {
        const typename V::Vector value = V::broadcast(x[p] + k);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) next[p][v] = V::add(next[p][v], V::multiply(value, weights[v]));
      }
    }
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[p][v] = next[p][v];
    }
  }

  template <int Pixels, int Vectors>
  static void block(const Operands& o, int32_t pixel, double* out) {
    const Windows<Pixels> windows(o.shape, pixel);
    const int32_t channels = o.shape.channels;
    Sums<Pixels, Vectors> sums;
    for (int p = 0; p < Pixels; ++p) {
      for (int v = 0; v < Vectors; ++v) sums[p][v] = V::zero();
    }
    const double* w = o.panel;
    for (int32_t tap_y = 0; tap_y < o.shape.window.kernel_height; ++tap_y) {
      for (int32_t tap_x = 0; tap_x < o.shape.window.kernel_width; ++tap_x) {
        const float* x[Pixels];
        const bool inside = windows.at(o, tap_y, tap_x, x);
        for (int32_t begin = 0; inside && begin < channels; begin += kRun) {
          const float* run[Pixels];
          for (int p = 0; p < Pixels; ++p) run[p] = x[p] != nullptr ? x[p] + begin : kZeros;
          accumulate<Pixels, Vectors>(sums, run, w + ptrdiff_t{begin} * kRealPanelChannels,
                                      channels - begin < kRun ? channels - begin : kRun);
        }
        w += ptrdiff_t{channels} * kRealPanelChannels;
      }
    }
    for (int p = 0; p < Pixels; ++p, out += o.sums_stride) {
      double lanes[kRealPanelChannels];
      for (int v = 0; v < Vectors; ++v) V::store(lanes + v * V::kLanes, sums[p][v]);
      for (int32_t c = 0; c < o.channel_count; ++c) out[c] = lanes[c];
    }
  }

  template <int Vectors>
  static void blocks(const Operands& o, int32_t begin, int32_t count, double* sums) {
    int32_t p = 0;
    for (; p + V::kPixels <= count; p += V::kPixels) {
      block<V::kPixels, Vectors>(o, begin + p, sums + p * o.sums_stride);
    }
    for (; p < count; ++p) block<1, Vectors>(o, begin + p, sums + p * o.sums_stride);
  }

  static void run(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
                  int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                  ptrdiff_t sums_stride) noexcept {
    const Operands operands{shape, in, pixel_stride, panel, channel_count, sums_stride};
    if (channel_count <= V::kLanes) return blocks<1>(operands, pixel_begin, pixel_count, sums);
    blocks<kAllVectors>(operands, pixel_begin, pixel_count, sums);
  }
};

}  // namespace tidbit::kernels::real_tiers
