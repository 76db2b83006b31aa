#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/support/every_isa.h"
#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::Fill;
using test::kWindow3x3;
using test::PackedBuffer;

class Depthwise : public test::IsaTest {};
TIDBIT_FOR_EVERY_ISA(Depthwise);

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

PackedBuffer packed(Isa isa, const DepthwiseProblem& problem, const std::vector<uint8_t>& weight_codes) {
  PackedBuffer weights(static_cast<size_t>(depthwise_weight_bytes(problem, isa)));
  pack_depthwise_weights(problem, weight_codes.data(), weights.data(), isa);
  return weights;
}

void expect_exact(Isa isa, const DepthwiseProblem& problem, Fill activations = Fill::Random,
                  Fill weights = Fill::Random) {
  const ConvolutionShape& shape = problem.shape;
  const auto codes =
      test::codes_of(problem.activations, int64_t{shape.height} * shape.width * shape.channels, activations, 5);
  const auto weight_codes = test::codes_of(problem.weights, int64_t{shape.window.taps()} * shape.channels, weights, 6);
  const std::vector<int32_t> expected = reference(problem, codes, weight_codes);

  const PackedBuffer weights_packed = packed(isa, problem, weight_codes);
  const auto pixels = static_cast<int32_t>(shape.pixels());
  std::vector<int32_t> sums(expected.size());
  depthwise(problem, codes.data(), weights_packed.data(), 0, pixels, sums.data(), isa);
  EXPECT_EQ(sums, expected);

  std::vector<int32_t> pieces;
  for (int32_t pixel = 0; pixel < pixels; pixel += 5) {
    std::vector<int32_t> piece(static_cast<size_t>(std::min(5, pixels - pixel)) * shape.channels);
    depthwise(problem, codes.data(), weights_packed.data(), pixel, std::min(5, pixels - pixel), piece.data(), isa);
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(pieces, expected);
}

TEST_P(Depthwise, Channels) {
  for (const int32_t channels : {1, 3, 8, 15, 16, 17, 31, 33, 63, 64, 65, 130}) {
    const ConvolutionShape shape = convolution_shape(5, 6, channels, channels, kWindow3x3);
    expect_exact(isa(), {shape, {.bits = 2, .base = -2}, {.bits = 4}});
    expect_exact(isa(), {shape, {.bits = 8, .base = -128}, {.bits = 8, .base = -3}});
    expect_exact(isa(), {shape, {.bits = 1, .step = 2, .base = -1}, {.bits = 2, .step = 2, .base = -3}});
  }
}

TEST_P(Depthwise, Windows) {
  const Window windows[] = {
      {},
      {.kernel_height = 2, .kernel_width = 5, .pad_left = 2, .pad_right = 1},
      {.kernel_height = 3, .kernel_width = 3, .stride_height = 2, .stride_width = 3, .pad_bottom = 2},
      {.kernel_height = 5, .kernel_width = 5, .pad_top = 2, .pad_left = 2, .pad_bottom = 2, .pad_right = 2},
      {.kernel_height = 12, .kernel_width = 13, .pad_top = 6, .pad_left = 6, .pad_bottom = 6, .pad_right = 6},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 2, .dilation_width = 3, .pad_top = 3, .pad_left = 1},
  };
  for (const Window& window : windows) {
    for (const int32_t channels : {9, 70}) {
      const ConvolutionShape shape = convolution_shape(7, 8, channels, channels, window);
      expect_exact(isa(), {shape, {.bits = 3, .base = -4}, {.bits = 2}});
      expect_exact(isa(), {shape, {.bits = 8, .base = -128}, {.bits = 8, .base = -100}});
    }
  }
}

TEST_P(Depthwise, StridesAndPadsOf3x3) {
  for (const int32_t stride : {1, 2, 3, 4}) {
    for (const int32_t pad : {0, 1, 3}) {
      const Window window = {.kernel_height = 3,
                             .kernel_width = 3,
                             .stride_height = 5 - stride,
                             .stride_width = stride,
                             .pad_top = pad,
                             .pad_left = pad,
                             .pad_bottom = pad,
                             .pad_right = pad};
      for (const int32_t channels : {40, 64, 150}) {
        const ConvolutionShape shape = convolution_shape(6, 9, channels, channels, window);
        expect_exact(isa(), {shape, {.bits = 8, .base = -128}, {.bits = 8, .base = -100}});
        expect_exact(isa(), {shape, {.bits = 4, .base = -8}, {.bits = 8}}, Fill::Highest, Fill::Lowest);
        expect_exact(isa(), {shape, {.bits = 7, .base = -64}, {.bits = 2, .step = 3, .base = -3}});
      }
    }
  }
}

TEST_P(Depthwise, EveryPairOfGrids) {
  for (int32_t weight_bits = 1; weight_bits <= 8; ++weight_bits) {
    for (int32_t bits = 1; bits <= 8; ++bits) {
      for (const Grid& weights : test::grids_of(weight_bits)) {
        for (const Grid& activations : test::grids_of(bits)) {
          expect_exact(isa(), {convolution_shape(2, 3, 2, 2, kWindow3x3), weights, activations});
        }
      }
    }
  }
}

TEST_P(Depthwise, PaddingIsZeroOffTheGridToo) {
  // A corner of all-ones filters over all-ones activations sees 4 taps, not 9.
  const DepthwiseProblem problem = {convolution_shape(3, 3, 1, 1, kWindow3x3),
                                    {.bits = 1, .step = 2, .base = -1},
                                    {.bits = 1, .step = 2, .base = -1}};
  const std::vector<uint8_t> codes(9, 1), weights(9, 1);
  std::vector<int32_t> sums(9);
  depthwise(problem, codes.data(), packed(isa(), problem, weights).data(), 0, 9, sums.data(), isa());
  EXPECT_EQ(sums, (std::vector<int32_t>{4, 6, 4, 6, 9, 6, 4, 6, 4}));
}

TEST_P(Depthwise, Extremes) {
  const Window window = {.kernel_height = 7, .kernel_width = 7, .pad_top = 3, .pad_left = 3};
  const Grid grids[][2] = {
      {{.bits = 8, .base = -128}, {.bits = 8, .step = 2, .base = -255}},
      {{.bits = 8, .base = -128}, {.bits = 8}},
      {{.bits = 4, .base = -13}, {.bits = 6}},  // sums of 49*13*63 = 40131: just beyond int16
      {{.bits = 4, .base = -10}, {.bits = 6}},  // 30870: just within
      {{.bits = 8, .step = 2, .base = -255}, {.bits = 8, .base = -255}},
      {{.bits = 1, .step = 65535, .base = -32768}, {.bits = 1}},  // the ends of int16
      {{.bits = 1, .step = 65536, .base = -32768}, {.bits = 1}},  // beyond
      {{.bits = 1, .step = 1, .base = -32768}, {.bits = 8, .base = 0}},
  };
  for (const auto& [of_weights, of_activations] : grids) {
    for (const Fill weights : {Fill::Highest, Fill::Lowest}) {
      for (const Fill activations : {Fill::Highest, Fill::Lowest}) {
        expect_exact(isa(), {convolution_shape(9, 9, 37, 37, window), of_weights, of_activations}, activations,
                     weights);
      }
    }
  }
}

}  // namespace
}  // namespace tidbit::kernels
