#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/real/convolution.h"
#include "tests/support/every_isa.h"
#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::kWindow3x3;

struct RealData {
  ConvolutionShape shape;
  ptrdiff_t pixel_stride;
  std::vector<float> in, weights;  // weights [out channel][tap][channel]

  template <class Draw>
  RealData(const ConvolutionShape& of, ptrdiff_t stride, Draw draw) : shape(of), pixel_stride(stride) {
    in.resize(static_cast<size_t>((shape.height * shape.width - 1) * stride + shape.channels));
    weights.resize(static_cast<size_t>(shape.out_channels * shape.depth()));
    std::ranges::generate(in, draw);
    std::ranges::generate(weights, draw);
  }

  std::vector<double> panel() const {
    const auto depth = static_cast<size_t>(shape.depth());
    std::vector<double> panel(depth * kRealPanelChannels);
    for (int32_t n = 0; n < shape.out_channels; ++n) {
      for (size_t k = 0; k < depth; ++k) {
        panel[k * kRealPanelChannels + n] = double{weights[n * depth + k]};
      }
    }
    return panel;
  }

  /// Sums [pixel][out channel], in pieces of 11 pixels whose sums are further apart than the channels.
  std::vector<double> run(Isa isa) const {
    constexpr int32_t kPiece = 11;
    const std::vector<double> packed = panel();
    const ptrdiff_t stride = shape.out_channels + 2;
    const auto pixels = static_cast<int32_t>(shape.pixels());
    std::vector<double> sums;
    for (int32_t pixel = 0; pixel < pixels; pixel += kPiece) {
      const int32_t count = std::min(kPiece, pixels - pixel);
      std::vector<double> piece(static_cast<size_t>((count - 1) * stride + shape.out_channels), -1);
      real_convolution(shape, in.data(), pixel_stride, packed.data(), shape.out_channels, pixel, count, piece.data(),
                       stride, isa);
      for (ptrdiff_t i = 0; i < std::ssize(piece); ++i) {
        if (i % stride < shape.out_channels) {
          sums.push_back(piece[i]);
        } else {
          EXPECT_EQ(piece[i], -1);
        }
      }
    }
    return sums;
  }

  /// Sums and sums of magnitudes, in extended precision.
  std::pair<std::vector<long double>, std::vector<long double>> reference() const {
    std::vector<long double> sums(static_cast<size_t>(shape.pixels()) * shape.out_channels), magnitudes(sums.size());
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
    return {sums, magnitudes};
  }
};

std::vector<Window> windows() {
  return {
      {},
      kWindow3x3,
      {.kernel_height = 2, .kernel_width = 3, .stride_height = 2, .stride_width = 3, .pad_left = 2, .pad_bottom = 1},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 2, .dilation_width = 3, .pad_top = 3},
  };
}

std::vector<ConvolutionShape> shapes() {
  std::vector<ConvolutionShape> shapes;
  for (const Window& window : windows()) {
    for (const int32_t channels : {1, 3, 10, 131}) {
      for (const int32_t out_channels : {1, 4, 7, 8, 9, kRealPanelChannels}) {
        shapes.push_back(convolution_shape(6, 7, channels, out_channels, window));
      }
    }
  }
  return shapes;
}

class RealConvolution : public test::IsaTest {};

TEST_P(RealConvolution, IsExactOnIntegers) {
  std::mt19937 random(9);
  for (const ConvolutionShape& shape : shapes()) {
    const RealData data(shape, shape.channels + 3,
                        [&] { return static_cast<float>(static_cast<int32_t>(random() % 2001) - 1000); });
    const auto [sums, magnitudes] = data.reference();
    EXPECT_EQ(data.run(isa()), std::vector<double>(sums.begin(), sums.end()));
  }
}

TEST_P(RealConvolution, RoundsNoWorseThanFloat64Sums) {
  std::mt19937 random(10);
  std::uniform_real_distribution<float> real(-1, 1);
  for (const ConvolutionShape& shape : shapes()) {
    const RealData data(shape, shape.channels, [&] { return real(random); });
    const auto [sums, magnitudes] = data.reference();
    const std::vector<double> actual = data.run(isa());
    EXPECT_EQ(actual, data.run(Isa::Scalar)) << "every tier gives the same bytes";
    for (size_t i = 0; i < actual.size(); ++i) {
      const long double bound = static_cast<long double>(shape.depth()) * 0x1p-53L * magnitudes[i];
      EXPECT_LE(std::abs(actual[i] - sums[i]), bound);
    }
  }
}

/// A depthwise layer is a convolution whose panel has zeros but where input and output channel are the same.
TEST_P(RealConvolution, OfDepthwiseLayersIsTheSameOnADiagonal) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> real(-1, 1);
  for (const Window& window : windows()) {
    for (const int32_t channels : {1, 3, 8, 13, kRealPanelChannels}) {
      const ConvolutionShape shape = convolution_shape(6, 7, channels, channels, window);
      const RealData data(shape, channels + 2, [&] { return real(random); });
      const auto taps = static_cast<size_t>(window.taps()), count = static_cast<size_t>(channels);
      std::vector<double> panel(taps * kRealPanelChannels), diagonal(panel.size() * count);
      for (size_t tap = 0; tap < taps; ++tap) {
        for (size_t c = 0; c < count; ++c) {
          panel[tap * kRealPanelChannels + c] = data.weights[tap * count + c];
          diagonal[(tap * count + c) * kRealPanelChannels + c] = panel[tap * kRealPanelChannels + c];
        }
      }
      const auto pixels = static_cast<int32_t>(shape.pixels());
      std::vector<double> actual(static_cast<size_t>(pixels) * count), expected(actual.size());
      real_convolution(shape, data.in.data(), data.pixel_stride, diagonal.data(), channels, 0, pixels, expected.data(),
                       channels, Isa::Scalar);
      real_depthwise(shape, data.in.data(), data.pixel_stride, panel.data(), channels, 0, pixels, actual.data(),
                     channels, isa());
      EXPECT_EQ(actual, expected);
    }
  }
}

TIDBIT_FOR_EVERY_ISA(RealConvolution);

}  // namespace
}  // namespace tidbit::kernels
