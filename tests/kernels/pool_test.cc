#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/every_isa.h"
#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::Fill;
using test::kWindow3x3;

class MaxPool : public test::IsaTest {};
class SumPool : public test::IsaTest {};
TIDBIT_FOR_EVERY_ISA(MaxPool);
TIDBIT_FOR_EVERY_ISA(SumPool);

/// Windows over 7x8 images, padded on every side, with tails of channels.
std::vector<ConvolutionShape> shapes() {
  const Window windows[] = {
      {},
      {.kernel_height = 2, .kernel_width = 2, .stride_height = 2, .stride_width = 2},
      {.kernel_height = 3, .kernel_width = 3, .stride_height = 2, .stride_width = 2, .pad_top = 1, .pad_left = 1},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 2, .dilation_width = 3, .pad_bottom = 2},
      {.kernel_height = 7, .kernel_width = 8},
      kWindow3x3,
  };
  std::vector<ConvolutionShape> shapes;
  for (const Window& window : windows) {
    for (const int32_t channels : {1, 5, 8, 15, 16, 31, 33, 64, 67, 130}) {
      shapes.push_back(convolution_shape(7, 8, channels, channels, window));
    }
  }
  return shapes;
}

std::vector<float> random_reals(const ConvolutionShape& shape) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> real(-10, 10);
  std::vector<float> values(static_cast<size_t>(shape.height) * shape.width * shape.channels);
  std::ranges::generate(values, [&] { return real(random); });
  return values;
}

std::vector<uint8_t> random_codes(const ConvolutionShape& shape, const Grid& grid) {
  return test::codes_of(grid, int64_t{shape.height} * shape.width * shape.channels, Fill::Random, 8);
}

/// Runs a pool in pieces of 3 pixels: pool(pixel_begin, pixel_count, out).
template <class Out, class Pool>
std::vector<Out> in_pieces(const ConvolutionShape& shape, const Pool& pool) {
  std::vector<Out> out;
  const auto pixels = static_cast<int32_t>(shape.pixels());
  for (int32_t pixel = 0; pixel < pixels; pixel += 3) {
    std::vector<Out> piece(static_cast<size_t>(std::min(3, pixels - pixel)) * shape.channels);
    pool(pixel, std::min(3, pixels - pixel), piece.data());
    out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

/// The elements of each output pixel's and channel's window that are inside the image.
template <class Element>
std::vector<std::vector<Element>> windows_of(const ConvolutionShape& shape, const std::vector<Element>& in) {
  std::vector<std::vector<Element>> windows(static_cast<size_t>(shape.pixels()) * shape.channels);
  test::for_each_window_tap(shape, [&](int32_t out_pixel, int32_t, ptrdiff_t pixel) {
    for (int32_t c = 0; pixel >= 0 && c < shape.channels; ++c) {
      windows[ptrdiff_t{out_pixel} * shape.channels + c].push_back(in[pixel * shape.channels + c]);
    }
  });
  return windows;
}

template <class Element>
void expect_maxima(Isa isa, const ConvolutionShape& shape, const std::vector<Element>& in) {
  std::vector<Element> expected;
  for (const auto& window : windows_of(shape, in)) expected.push_back(*std::ranges::max_element(window));
  EXPECT_EQ(in_pieces<Element>(shape, [&](int32_t pixel, int32_t count,
                                          Element* out) { max_pool(shape, in.data(), pixel, count, out, isa); }),
            expected);
}

TEST_P(MaxPool, EqualsTheReference) {
  for (const ConvolutionShape& shape : shapes()) {
    expect_maxima(isa(), shape, random_codes(shape, {.bits = 8}));
    expect_maxima(isa(), shape, random_reals(shape));
  }
}

TEST_P(MaxPool, PaddingNeverWins) {
  const ConvolutionShape shape = convolution_shape(2, 2, 1, 1, kWindow3x3);
  const std::vector<float> in = {-4, -3, -2, -std::numeric_limits<float>::max()};
  std::vector<float> out(4);
  max_pool(shape, in.data(), 0, 4, out.data(), isa());
  EXPECT_EQ(out, (std::vector<float>{-2, -2, -2, -2}));
}

TEST_P(MaxPool, PassesOverNaNAndKeepsTheFirstZero) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  for (const int32_t channels : {1, 9, 40}) {
    const ConvolutionShape shape = convolution_shape(1, 3, channels, channels, {.kernel_width = 3});
    const std::vector<std::vector<float>> windows = {{kNaN, 2, 1},        {1, kNaN, -1},     {1, 2, kNaN},
                                                     {kNaN, kNaN, kNaN},  {0.0f, -0.0f, -1}, {-0.0f, 0.0f, -1},
                                                     {kInfinity, kNaN, 1}};
    const std::vector<float> expected = {2, 1, 2, -kInfinity, 0.0f, -0.0f, kInfinity};
    for (size_t i = 0; i < windows.size(); ++i) {
      std::vector<float> in;
      for (const float value : windows[i]) in.insert(in.end(), static_cast<size_t>(channels), value);
      std::vector<float> out(static_cast<size_t>(channels));
      max_pool(shape, in.data(), 0, 1, out.data(), isa());
      for (const float value : out) {
        EXPECT_EQ(value, expected[i]);
        EXPECT_EQ(std::signbit(value), std::signbit(expected[i]));
      }
    }
  }
}

TEST_P(SumPool, EqualsTheReference) {
  for (const ConvolutionShape& shape : shapes()) {
    for (const Grid& grid : test::grids_of(4)) {
      const std::vector<uint8_t> in = random_codes(shape, grid);
      std::vector<int32_t> expected;
      for (const auto& window : windows_of(shape, in)) {
        int32_t sum = 0;
        for (const uint8_t code : window) sum += grid.step * code + grid.base;
        expected.push_back(sum);
      }
      EXPECT_EQ(
          in_pieces<int32_t>(shape, [&](int32_t pixel, int32_t count,
                                        int32_t* out) { sum_pool(shape, grid, in.data(), pixel, count, out, isa()); }),
          expected);
    }
  }
}

TEST_P(SumPool, Extremes) {
  constexpr int32_t kChannels = 67;
  const ConvolutionShape shape =
      convolution_shape(100, 100, kChannels, kChannels, {.kernel_height = 100, .kernel_width = 100});
  const Grid grid = {.bits = 8, .step = 2, .base = -255};
  for (const uint8_t code : {uint8_t{0}, uint8_t{255}}) {
    const std::vector<uint8_t> in(10000 * kChannels, code);
    std::vector<int32_t> sums(kChannels);
    sum_pool(shape, grid, in.data(), 0, 1, sums.data(), isa());
    EXPECT_EQ(sums, std::vector<int32_t>(kChannels, code == 0 ? -2550000 : 2550000));
  }
}

TEST(AveragePool, EqualsTheReference) {
  for (const ConvolutionShape& shape : shapes()) {
    const std::vector<float> in = random_reals(shape);
    for (const bool count_padding : {false, true}) {
      std::vector<float> expected;
      for (const auto& window : windows_of(shape, in)) {
        double sum = 0;
        for (const float value : window) sum += double{value};
        const size_t taps = count_padding ? static_cast<size_t>(shape.window.taps()) : window.size();
        expected.push_back(static_cast<float>(sum / static_cast<double>(taps)));
      }
      EXPECT_EQ(in_pieces<float>(shape,
                                 [&](int32_t pixel, int32_t count, float* out) {
                                   average_pool(shape, count_padding, in.data(), pixel, count, out);
                                 }),
                expected);
    }
  }
}

TEST(AveragePool, SumsInFloat64) {
  const ConvolutionShape shape = convolution_shape(1, 4, 1, 1, {.kernel_width = 4});
  const std::vector<float> in = {1e10f, 1, 1, -1e10f};
  float mean = 0;
  average_pool(shape, false, in.data(), 0, 1, &mean);
  EXPECT_EQ(mean, 0.5f);
}

}  // namespace
}  // namespace tidbit::kernels
