// Convolution of reals on vectors, for the ISA files: output channels are lanes. A block of pixels shares the weights,
// but in depthwise layers.
//
// Products are exact, and so a fused multiply-add rounds as an addition does. A tap outside the image reads zeros:
// adding 0*w changes no sum of finite weights.
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
  /// Channels read at a time.
  static constexpr int32_t kRun = 64;

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

  /// A run of channels of each pixel, as float64; zeros outside the image.
  template <int Pixels>
  struct Run {
    double values[Pixels][kRun];

    Run(const float* const (&x)[Pixels], int32_t begin, int32_t count) {
      for (int p = 0; p < Pixels; ++p) {
        for (int32_t k = 0; k < count; ++k) {
          values[p][k] = x[p] != nullptr ? static_cast<double>(x[p][begin + k]) : 0;
        }
      }
    }
  };

  /// Adds `channels` products of each pixel, in registers.
  template <int Pixels, int Vectors>
  static void accumulate(Sums<Pixels, Vectors>& sums, const Run<Pixels>& run, const double* w, int32_t channels) {
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
        const typename V::Vector value = V::broadcast(run.values[p][k]);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) next[p][v] = V::multiply_add(value, weights[v], next[p][v]);
      }
    }
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[p][v] = next[p][v];
    }
  }

  template <int Vectors>
  static void store(const typename V::Vector (&sums)[Vectors], int32_t channel_count, double* out) {
    double lanes[kRealPanelChannels];
    for (int v = 0; v < Vectors; ++v) V::store(lanes + v * V::kLanes, sums[v]);
    for (int32_t c = 0; c < channel_count; ++c) out[c] = lanes[c];
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
          const int32_t count = channels - begin < kRun ? channels - begin : kRun;
          accumulate<Pixels, Vectors>(sums, Run<Pixels>(x, begin, count), w + ptrdiff_t{begin} * kRealPanelChannels,
                                      count);
        }
        w += ptrdiff_t{channels} * kRealPanelChannels;
      }
    }
    for (int p = 0; p < Pixels; ++p, out += o.sums_stride) store(sums[p], o.channel_count, out);
  }

  /// The channels of a tap, in `padded` where there are too few to be read as vectors.
  static const float* channels_of(const Operands& o, const float* x, float (&padded)[kRealPanelChannels]) {
    if (o.channel_count == kRealPanelChannels) return x;
    for (int32_t c = 0; c < o.channel_count; ++c) padded[c] = x[c];
    return padded;
  }

  static void depthwise_pixel(const Operands& o, int32_t pixel, double* out) {
    const Windows<1> windows(o.shape, pixel);
    float padded[kRealPanelChannels] = {};
    typename V::Vector sums[kAllVectors];
    for (int v = 0; v < kAllVectors; ++v) sums[v] = V::zero();
    const double* w = o.panel;
    for (int32_t tap_y = 0; tap_y < o.shape.window.kernel_height; ++tap_y) {
      for (int32_t tap_x = 0; tap_x < o.shape.window.kernel_width; ++tap_x, w += kRealPanelChannels) {
        const float* at[1];
        if (!windows.at(o, tap_y, tap_x, at)) continue;
        const float* const x = channels_of(o, at[0], padded);
#pragma GCC unroll 4
        for (int v = 0; v < kAllVectors; ++v) {
          sums[v] = V::multiply_add(V::widen(x + v * V::kLanes), V::load(w + v * V::kLanes), sums[v]);
        }
      }
    }
    store(sums, o.channel_count, out);
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

  static void run_depthwise(const ConvolutionShape& shape, const float* in, ptrdiff_t pixel_stride, const double* panel,
                            int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                            ptrdiff_t sums_stride) noexcept {
    const Operands operands{shape, in, pixel_stride, panel, channel_count, sums_stride};
    for (int32_t p = 0; p < pixel_count; ++p) depthwise_pixel(operands, pixel_begin + p, sums + p * sums_stride);
  }
};

}  // namespace tidbit::kernels::real_tiers
