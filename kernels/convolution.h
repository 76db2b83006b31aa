// The geometry that all convolution and pooling kernels share. Images are [height][width][channels] (NHWC, one sample).
#pragma once

#include <cstdint>

#include "schema/grid.h"

namespace tidbit::kernels {

/// A window sliding over an image. Pads are explicit.
struct Window {
  int32_t kernel_height = 1, kernel_width = 1;
  int32_t stride_height = 1, stride_width = 1;
  int32_t dilation_height = 1, dilation_width = 1;
  int32_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  constexpr int32_t taps() const { return kernel_height * kernel_width; }
  constexpr bool padded() const { return pad_top | pad_left | pad_bottom | pad_right; }
};

/// One group of a convolution; a fully connected layer over M rows is an image of height 1 and width M.
struct ConvolutionShape {
  int32_t height = 1, width = 1, channels = 1;  // input
  int32_t out_height = 1, out_width = 1, out_channels = 1;
  Window window;

  /// The part of the padded image that the windows cover; what GEMM families pack.
  constexpr int32_t covered_height() const {
    return (out_height - 1) * window.stride_height + (window.kernel_height - 1) * window.dilation_height + 1;
  }
  constexpr int32_t covered_width() const {
    return (out_width - 1) * window.stride_width + (window.kernel_width - 1) * window.dilation_width + 1;
  }
  constexpr int64_t depth() const { return int64_t{window.taps()} * channels; }  // K of the GEMM
  constexpr int64_t pixels() const { return int64_t{out_height} * out_width; }   // M
  constexpr int64_t macs() const { return depth() * pixels() * out_channels; }
};

}  // namespace tidbit::kernels
