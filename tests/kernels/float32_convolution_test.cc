#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/float32/convolution.h"
#include "tests/support/every_isa.h"
#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::kWindow3x3;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Layer {
  ConvolutionShape shape;
  ptrdiff_t pixel_stride;
  std::vector<float> in, weights, biases;  // weights [out channel][tap][channel]
  float lowest = -kInfinity, highest = kInfinity;

  template <class Draw>
  Layer(const ConvolutionShape& of, ptrdiff_t stride, Draw draw)
      : shape(of),
        pixel_stride(stride),
        in(static_cast<size_t>((of.height * of.width - 1) * stride + of.channels)),
        weights(static_cast<size_t>(of.out_channels * of.depth())),
        biases(static_cast<size_t>(of.out_channels)) {
    for (std::vector<float>* values : {&in, &weights, &biases}) std::ranges::generate(*values, draw);
  }

  /// Results [pixel][out channel] of one panel, `piece` pixels a call, whose results are further apart than the
  /// channels.
  std::vector<float> run(const Float32Kernel& kernel, int32_t piece) const {
    std::vector<float> panel(kernel.packed_panel(shape));
    pack_float32_panel(kernel, shape, weights.data(), biases.data(), shape.out_channels, panel.data());
    const ptrdiff_t stride = shape.out_channels + 2;
    const auto pixels = static_cast<int32_t>(shape.pixels());
    std::vector<float> results;
    for (int32_t pixel = 0; pixel < pixels; pixel += piece) {
      const int32_t count = std::min(piece, pixels - pixel);
      std::vector<float> out(static_cast<size_t>((count - 1) * stride + shape.out_channels), -1);
      kernel.run({.shape = &shape,
                  .in = in.data(),
                  .pixel_stride = pixel_stride,
                  .panel = panel.data(),
                  .channel_count = shape.out_channels,
                  .pixel_begin = pixel,
                  .pixel_count = count,
                  .lowest = lowest,
                  .highest = highest,
                  .out = out.data(),
                  .out_stride = stride});
      for (ptrdiff_t i = 0; i < std::ssize(out); ++i) {
        if (i % stride < shape.out_channels) {
          results.push_back(out[i]);
        } else {
          EXPECT_EQ(out[i], -1);
        }
      }
    }
    return results;
  }

  /// Results, and sums of magnitudes, in extended precision.
  std::pair<std::vector<long double>, std::vector<long double>> reference() const {
    std::vector<long double> sums(static_cast<size_t>(shape.pixels()) * shape.out_channels), magnitudes(sums.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] = biases[i % biases.size()];
      magnitudes[i] = std::abs(sums[i]);
    }
    test::for_each_window_tap(shape, [&](int32_t out_pixel, int32_t tap, ptrdiff_t pixel) {
      for (int32_t n = 0; pixel >= 0 && n < shape.out_channels; ++n) {
        for (int32_t c = 0; c < shape.channels; ++c) {
          const long double x = in[pixel * pixel_stride + c];
          const long double w = weights[(ptrdiff_t{n} * shape.window.taps() + tap) * shape.channels + c];
          sums[ptrdiff_t{out_pixel} * shape.out_channels + n] += x * w;
          magnitudes[ptrdiff_t{out_pixel} * shape.out_channels + n] += std::abs(x * w);
        }
      }
    });
    for (long double& sum : sums) sum = std::clamp<long double>(sum, lowest, highest);
    return {sums, magnitudes};
  }
};

/// Small ones, and windows of more values or taps than a chunk.
std::vector<ConvolutionShape> shapes(int32_t panel) {
  const std::vector<Window> windows = {
      {},
      kWindow3x3,
      {.kernel_height = 2, .kernel_width = 3, .stride_height = 2, .stride_width = 3, .pad_left = 2, .pad_bottom = 1},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 2, .dilation_width = 3, .pad_top = 3},
      {.kernel_height = 5, .kernel_width = 1, .stride_height = 2, .pad_top = 2, .pad_bottom = 2},
  };
  std::vector<ConvolutionShape> shapes;
  for (const Window& window : windows) {
    for (const int32_t channels : {1, 3, 16, 131, 300}) {
      for (const int32_t out_channels : {1, panel / 2, panel / 2 + 1, panel - 1, panel}) {
        shapes.push_back(convolution_shape(6, 9, channels, out_channels, window));
      }
    }
  }
  shapes.push_back(convolution_shape(12, 13, 1, panel, {.kernel_height = 9, .kernel_width = 11, .pad_left = 4}));
  shapes.push_back(convolution_shape(1, 30, 77, panel, {}));
  return shapes;
}

class Float32Convolution : public test::IsaTest {
 protected:
  void SetUp() override {
    IsaTest::SetUp();
    if (float32_kernel(isa()) == nullptr) GTEST_SKIP() << name(isa()) << " has none";
  }
  const Float32Kernel& kernel() const { return *float32_kernel(isa()); }
};

TEST_P(Float32Convolution, IsExactOnIntegers) {
  std::mt19937 random(9);
  for (const ConvolutionShape& shape : shapes(kernel().panel_channels)) {
    const Layer layer(shape, shape.channels + 3,
                      [&] { return static_cast<float>(static_cast<int32_t>(random() % 101) - 50); });
    const auto [sums, magnitudes] = layer.reference();
    for (const int32_t piece : {kernel().most_pixels, 11}) {
      EXPECT_EQ(layer.run(kernel(), piece), std::vector<float>(sums.begin(), sums.end()))
          << shape.channels << " to " << shape.out_channels;
    }
  }
}

TEST_P(Float32Convolution, RoundsNoWorseThanFloat32Sums) {
  std::mt19937 random(10);
  std::uniform_real_distribution<float> real(-1, 1);
  for (const ConvolutionShape& shape : shapes(kernel().panel_channels)) {
    Layer layer(shape, shape.channels, [&] { return real(random); });
    layer.lowest = -0.5f;
    layer.highest = 1.5f;
    const auto [sums, magnitudes] = layer.reference();
    const std::vector<float> actual = layer.run(kernel(), kernel().most_pixels);
    EXPECT_EQ(actual, layer.run(kernel(), 5)) << "results do not depend on how pixels are cut";
    for (size_t i = 0; i < actual.size(); ++i) {
      const long double bound = static_cast<long double>(shape.depth() + 1) * 0x1p-24L * magnitudes[i];
      EXPECT_LE(std::abs(actual[i] - sums[i]), bound);
    }
  }
}

TEST_P(Float32Convolution, KeepsNaN) {
  Layer layer(convolution_shape(1, 3, 2, 3, {}), 2, [] { return 1.0f; });
  layer.in[2] = NAN;
  layer.lowest = 0;
  layer.highest = 2;
  const std::vector<float> results = layer.run(kernel(), 3);
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(std::isnan(results[i]), i / 3 == 1) << i;
    EXPECT_TRUE(i / 3 == 1 || results[i] == 2) << i;
  }
}

TIDBIT_FOR_EVERY_ISA(Float32Convolution);

}  // namespace
}  // namespace tidbit::kernels
