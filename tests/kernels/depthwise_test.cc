#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::Fill;
using test::kWindow3x3;

/// Each channel as a convolution of its own.
std::vector<int32_t> reference(const DepthwiseProblem& problem, const std::vector<uint8_t>& codes,
                               const std::vector<uint8_t>& weight_codes) {
  const int32_t channels = problem.shape.channels;
  ConvolutionShape one = problem.shape;
  one.channels = one.out_channels = 1;
  std::vector<int32_t> sums(static_cast<size_t>(one.pixels()) * channels);
  for (int32_t c = 0; c < channels; ++c) {
    const std::vector<uint8_t> slice(codes.begin() + c, codes.end());
    std::vector<uint8_t> filter(static_cast<size_t>(one.window.taps()));
    for (size_t tap = 0; tap < filter.size(); ++tap) filter[tap] = weight_codes[tap * channels + c];
    const auto of_channel = test::convolution(one, problem.activations, slice, channels, problem.weights, filter);
    for (size_t p = 0; p < of_channel.size(); ++p) sums[p * channels + c] = of_channel[p];
  }
  return sums;
}

void expect_exact(const DepthwiseProblem& problem, Fill activations = Fill::Random, Fill weights = Fill::Random) {
  const ConvolutionShape& shape = problem.shape;
  const auto codes =
      test::codes_of(problem.activations, int64_t{shape.height} * shape.width * shape.channels, activations, 5);
  const auto weight_codes = test::codes_of(problem.weights, int64_t{shape.window.taps()} * shape.channels, weights, 6);
  const std::vector<int32_t> expected = reference(problem, codes, weight_codes);

  const auto pixels = static_cast<int32_t>(shape.pixels());
  std::vector<int32_t> sums(expected.size());
  depthwise(problem, codes.data(), weight_codes.data(), 0, pixels, sums.data());
  EXPECT_EQ(sums, expected);

  std::vector<int32_t> pieces;
  for (int32_t pixel = 0; pixel < pixels; pixel += 5) {
    std::vector<int32_t> piece(static_cast<size_t>(std::min(5, pixels - pixel)) * shape.channels);
    depthwise(problem, codes.data(), weight_codes.data(), pixel, std::min(5, pixels - pixel), piece.data());
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(pieces, expected);
}

TEST(Depthwise, Channels) {
  for (const int32_t channels : {1, 3, 7, 8, 16, 17, 33}) {
    expect_exact({convolution_shape(5, 6, channels, channels, kWindow3x3), {.bits = 2, .base = -2}, {.bits = 4}});
  }
}

TEST(Depthwise, Windows) {
  const Window windows[] = {
      {},
      {.kernel_height = 2, .kernel_width = 5, .pad_left = 2, .pad_right = 1},
      {.kernel_height = 3, .kernel_width = 3, .stride_height = 2, .stride_width = 3, .pad_bottom = 2},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 2, .dilation_width = 3, .pad_top = 3, .pad_left = 1},
  };
  for (const Window& window : windows) {
    expect_exact({convolution_shape(7, 8, 9, 9, window), {.bits = 3, .base = -4}, {.bits = 2}});
  }
}

TEST(Depthwise, EveryPairOfGrids) {
  for (int32_t weight_bits = 1; weight_bits <= 8; ++weight_bits) {
    for (int32_t bits = 1; bits <= 8; ++bits) {
      for (const Grid& weights : test::grids_of(weight_bits)) {
        for (const Grid& activations : test::grids_of(bits)) {
          expect_exact({convolution_shape(2, 3, 2, 2, kWindow3x3), weights, activations});
        }
      }
    }
  }
}

TEST(Depthwise, PaddingIsZeroOffTheGridToo) {
  // A corner of all-ones filters over all-ones activations sees 4 taps, not 9.
  const DepthwiseProblem problem = {convolution_shape(3, 3, 1, 1, kWindow3x3),
                                    {.bits = 1, .step = 2, .base = -1},
                                    {.bits = 1, .step = 2, .base = -1}};
  const std::vector<uint8_t> codes(9, 1), weights(9, 1);
  std::vector<int32_t> sums(9);
  depthwise(problem, codes.data(), weights.data(), 0, 9, sums.data());
  EXPECT_EQ(sums, (std::vector<int32_t>{4, 6, 4, 6, 9, 6, 4, 6, 4}));
}

TEST(Depthwise, Extremes) {
  for (const Fill weights : {Fill::Highest, Fill::Lowest}) {
    for (const Fill activations : {Fill::Highest, Fill::Lowest}) {
      expect_exact({convolution_shape(9, 9, 5, 5, {.kernel_height = 7, .kernel_width = 7, .pad_top = 3, .pad_left = 3}),
                    {.bits = 8, .base = -128},
                    {.bits = 8, .step = 2, .base = -255}},
                   activations, weights);
    }
  }
}

}  // namespace
}  // namespace tidbit::kernels
