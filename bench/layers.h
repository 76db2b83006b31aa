// The layer shapes that benchmarks share.
#pragma once

#include <string_view>

#include "kernels/convolution.h"

namespace tidbit::bench {

struct Layer {
  std::string_view name;
  kernels::ConvolutionShape shape;
  bool depthwise = false;
  bool fully_connected = false;  // its pixels are samples
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

constexpr Layer depthwise_layer(std::string_view name, int32_t size, int32_t channels) {
  Layer layer = square_layer(name, size, channels, channels, 3, 1);
  layer.depthwise = true;
  return layer;
}

constexpr Layer fully_connected_layer(std::string_view name, int32_t channels, int32_t out_channels, int32_t samples) {
  return {.name = name,
          .shape = {.width = samples,
                    .channels = channels,
                    .out_width = samples,
                    .out_channels = out_channels,
                    .window = {}},
          .fully_connected = true};
}

/// Kinds of layer of ResNet-18 (and thin and small ones), ResNet-50, MobileNet, and fully connected ones.
constexpr Layer kLayers[] = {
    square_layer("r18_56x56x64_3x3", 56, 64, 64, 3, 1),
    square_layer("r18_28x28x128_3x3", 28, 128, 128, 3, 1),
    square_layer("r18_14x14x256_3x3", 14, 256, 256, 3, 1),
    square_layer("r18_7x7x512_3x3", 7, 512, 512, 3, 1),
    square_layer("r18_56x56x64_128_1x1s2", 56, 64, 128, 1, 2),
    square_layer("r50_56x56x256_64_1x1", 56, 256, 64, 1, 1),
    square_layer("r50_14x14x1024_256_1x1", 14, 1024, 256, 1, 1),
    square_layer("stem_224x224x3_64_7x7s2", 224, 3, 64, 7, 2),
    square_layer("thin_32x32x16_3x3", 32, 16, 16, 3, 1),
    depthwise_layer("mbv1_dw_14x14x512", 14, 512),
    fully_connected_layer("fc_4096x4096_m1", 4096, 4096, 1),
    fully_connected_layer("fc_4096x4096_m64", 4096, 4096, 64),
};

constexpr double macs(const Layer& layer) {
  const auto all = static_cast<double>(layer.shape.macs());
  return layer.depthwise ? all / layer.shape.channels : all;
}

}  // namespace tidbit::bench
