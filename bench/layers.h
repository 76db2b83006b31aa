// The layer shapes that benchmarks share.
#pragma once

#include <string_view>

#include "kernels/convolution.h"

namespace tidbit::bench {

struct Layer {
  std::string_view name;
  kernels::ConvolutionShape shape;
};

constexpr Layer square_layer(std::string_view name, int32_t size, int32_t channels, int32_t out_channels,
                             int32_t kernel, int32_t stride) {
  const int32_t pad = kernel / 2;
  const int32_t out_size = (size + 2 * pad - kernel) / stride + 1;
  return {name,
          {.height = size,
           .width = size,
           .channels = channels,
           .out_height = out_size,
           .out_width = out_size,
           .out_channels = out_channels,
           .window = {.kernel_height = kernel,
                      .kernel_width = kernel,
                      .stride_height = stride,
                      .stride_width = stride,
                      .pad_top = pad,
                      .pad_left = pad,
                      .pad_bottom = pad,
                      .pad_right = pad}}};
}

/// ResNet-18's kinds of layer, a thin one and a fully connected one.
constexpr Layer kLayers[] = {
    square_layer("56x56x64_3x3_64", 56, 64, 64, 3, 1),     square_layer("28x28x128_3x3_128", 28, 128, 128, 3, 1),
    square_layer("14x14x256_3x3_256", 14, 256, 256, 3, 1), square_layer("7x7x512_3x3_512", 7, 512, 512, 3, 1),
    square_layer("56x56x64_1x1s2_128", 56, 64, 128, 1, 2), square_layer("32x32x16_3x3_16", 32, 16, 16, 3, 1),
    square_layer("1x1x512_1x1_1000", 1, 512, 1000, 1, 1),
};

}  // namespace tidbit::bench
