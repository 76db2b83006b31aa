// Every kernel of every GEMM family against one reference.
#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tests/support/gemm_runner.h"
#include "tests/support/kernel_reference.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::Fill;
using test::GemmData;
using test::kWindow3x3;
using test::PackedBuffer;
using test::PackedGemm;

constexpr int32_t kUntouched = 0x5a5a5a5a;

class GemmTest : public testing::TestWithParam<const GemmKernel*> {
 protected:
  void SetUp() override {
    if (!host_executes(kernel().isa)) GTEST_SKIP() << "this host has no " << name(kernel().isa);
  }

  const GemmKernel& kernel() const { return *GetParam(); }

  /// Pairs of grids to run shapes with, of those that the kernel supports.
  std::vector<GemmProblem> problems(const ConvolutionShape& shape) const {
    static constexpr Grid kPairs[][2] = {
        {{.bits = 1, .step = 2, .base = -1}, {.bits = 1}},
        {{.bits = 2, .base = -2}, {.bits = 2}},
        {{.bits = 2, .step = 2, .base = -3}, {.bits = 3, .base = -2}},
        {{.bits = 3, .base = -4}, {.bits = 1}},
        {{.bits = 4, .base = -8}, {.bits = 4, .base = -7}},
        {{.bits = 1, .step = 2, .base = -1}, {.bits = 2, .step = 2, .base = -3}},
        {{.bits = 8, .base = -128}, {.bits = 8}},
    };
    std::vector<GemmProblem> supported;
    for (const auto& [weights, activations] : kPairs) {
      const GemmProblem problem = {shape, weights, activations};
      if (kernel().supports(problem)) supported.push_back(problem);
    }
    EXPECT_FALSE(supported.empty());
    return supported;
  }

  /// Computes a tile into sums [pixel][channel] whose pixels are further apart than its channels.
  std::vector<int32_t> run(const GemmData& data, const PackedGemm& packed, int32_t pixel_begin, int32_t pixel_count,
                           int32_t channel_begin, int32_t channel_count) const {
    const ptrdiff_t stride = channel_count + 3;
    std::vector<int32_t> strided(static_cast<size_t>((pixel_count - 1) * stride + channel_count), kUntouched);
    kernel().run({.problem = &data.problem,
                  .weights = packed.weights.data(),
                  .image = packed.tile_image,
                  .pixel_begin = pixel_begin,
                  .pixel_count = pixel_count,
                  .channel_begin = channel_begin,
                  .channel_count = channel_count,
                  .sums = strided.data(),
                  .sums_stride = stride,
                  .pixel_stride = data.pixel_stride});
    std::vector<int32_t> sums;
    for (ptrdiff_t i = 0; i < std::ssize(strided); ++i) {
      if (i % stride < channel_count) {
        sums.push_back(strided[i]);
      } else {
        EXPECT_EQ(strided[i], kUntouched) << "wrote between the pixels of the tile";
      }
    }
    return sums;
  }

  std::vector<int32_t> run(const GemmData& data) const {
    const ConvolutionShape& shape = data.problem.shape;
    return run(data, PackedGemm(kernel(), data), 0, static_cast<int32_t>(shape.pixels()), 0, shape.out_channels);
  }

  void expect_exact(const GemmData& data) const {
    const GemmProblem& problem = data.problem;
    EXPECT_EQ(run(data), test::convolution(problem.shape, problem.activations, data.codes, data.pixel_stride,
                                           problem.weights, data.weight_codes))
        << testing::PrintToString(problem);
  }

  void expect_exact(const ConvolutionShape& shape) const {
    for (const GemmProblem& problem : problems(shape)) expect_exact(GemmData(problem));
  }

  /// Sizes around a tile of `tile`.
  static std::set<int32_t> straddling(int32_t tile) { return {1, std::max(1, tile - 1), tile, tile + 1, 2 * tile + 3}; }
};

TEST_P(GemmTest, Channels) {
  for (const int32_t channels : {1, 2, 3, 7, 8, 9, 16, 31, 63, 64, 65, 130}) {
    expect_exact(convolution_shape(3, 4, channels, 5, kWindow3x3));
    expect_exact(convolution_shape(2, 3, channels, 3));
  }
}

TEST_P(GemmTest, DeepSums) {
  // Around a block of 256 codes, and past what byte and 16-bit counters hold.
  for (const int32_t channels : {255, 256, 257, 515, 2048, 4100}) expect_exact(convolution_shape(1, 2, channels, 3));
}

TEST_P(GemmTest, OutChannels) {
  for (const int32_t out_channels : straddling(kernel().tile_channels)) {
    expect_exact(convolution_shape(3, 3, 10, out_channels, kWindow3x3));
  }
}

TEST_P(GemmTest, Pixels) {
  for (const int32_t pixels : straddling(kernel().tile_pixels)) {
    expect_exact(convolution_shape(1, pixels, 70, 6));
    expect_exact(convolution_shape(2, pixels, 12, 6, kWindow3x3));
  }
  // Rows of several blocks whose edges are padding, of all vectors of a panel, and runs longer than what is unpacked at
  // a time.
  expect_exact(convolution_shape(2, 37, 8, kernel().tile_channels, kWindow3x3));
  expect_exact(convolution_shape(2, 5, 772, 3, kWindow3x3));
}

TEST_P(GemmTest, Windows) {
  const Window windows[] = {
      {.kernel_height = 1, .kernel_width = 5},
      {.kernel_height = 5, .kernel_width = 1, .pad_top = 2},
      {.kernel_height = 2, .kernel_width = 2, .stride_height = 2, .stride_width = 2},
      {.kernel_height = 1, .kernel_width = 1, .stride_height = 2, .stride_width = 3},
      // Rows and columns that no window reads, beside padding.
      {.stride_height = 2, .stride_width = 3, .pad_top = 1, .pad_left = 2, .pad_bottom = 3, .pad_right = 4},
      {.stride_height = 3, .stride_width = 2, .pad_top = 3, .pad_left = 4},
      {.kernel_height = 1, .kernel_width = 3, .stride_height = 2, .stride_width = 2, .pad_top = 1, .pad_right = 1},
      {.kernel_height = 3, .kernel_width = 1, .stride_height = 1, .stride_width = 2, .pad_left = 1, .pad_bottom = 1},
      {.kernel_height = 3, .kernel_width = 3, .stride_height = 1, .stride_width = 2, .pad_right = 1},
      {.kernel_height = 3, .kernel_width = 3, .dilation_height = 2, .dilation_width = 2},
      {.kernel_height = 3, .kernel_width = 2, .dilation_height = 1, .dilation_width = 3, .pad_left = 2},
      {.kernel_height = 2, .kernel_width = 3, .dilation_height = 3, .dilation_width = 1, .pad_bottom = 3},
      {.kernel_height = 3, .kernel_width = 3, .pad_top = 2, .pad_left = 0, .pad_bottom = 1, .pad_right = 3},
      {.kernel_height = 7,
       .kernel_width = 7,
       .stride_height = 2,
       .stride_width = 2,
       .pad_top = 3,
       .pad_left = 3,
       .pad_bottom = 3,
       .pad_right = 3},
      // Windows that touch nothing but padding, and strides that leave the last rows and columns out.
      {.kernel_height = 2, .kernel_width = 2, .stride_height = 4, .stride_width = 4, .pad_top = 3, .pad_left = 3},
  };
  for (const Window& window : windows) {
    for (const int32_t channels : {3, 9, 24}) expect_exact(convolution_shape(8, 9, channels, 5, window));
  }
}

TEST_P(GemmTest, EveryPairOfGrids) {
  int32_t pairs = 0;
  for (int32_t weight_bits = 1; weight_bits <= 8; ++weight_bits) {
    for (int32_t activation_bits = 1; activation_bits <= 8; ++activation_bits) {
      for (const Grid& weights : test::grids_of(weight_bits)) {
        for (const Grid& activations : test::grids_of(activation_bits)) {
          for (const Window& window : {Window{.kernel_width = 3}, Window{.kernel_width = 2, .pad_left = 1}}) {
            const GemmProblem problem = {convolution_shape(1, 3, 11, 2, window), weights, activations};
            if (!kernel().supports(problem)) continue;
            expect_exact(GemmData(problem));
            ++pairs;
          }
        }
      }
    }
  }
  EXPECT_GT(pairs, 16);
}

TEST_P(GemmTest, Extremes) {
  for (const GemmProblem& problem :
       problems(convolution_shape(2, 3, 200, 5, {.kernel_height = 2, .kernel_width = 3}))) {
    for (const Fill weights : {Fill::Highest, Fill::Lowest}) {
      for (const Fill activations : {Fill::Highest, Fill::Lowest})
        expect_exact(GemmData(problem, activations, weights));
    }
  }
}

TEST_P(GemmTest, DeepExtremes) {
  // Past what 16 bits hold of sums of products, entries or counts of bits (65536 bits: just past half a lane of
  // bitserial_neon), and more pixels than dot multiplies without unpacking.
  for (const int32_t channels : {11000, 65536, 140000}) {
    for (const int32_t bits : {1, 2, 3, 4}) {
      const Grid weights = {.bits = bits, .base = -(1 << (bits - 1))};
      const GemmProblem problem = {convolution_shape(1, 3, channels, 3), weights, {.bits = bits}};
      if (!kernel().supports(problem)) continue;
      for (const Fill activation : {Fill::Highest, Fill::Lowest}) {
        for (const Fill weight : {Fill::Highest, Fill::Lowest}) expect_exact(GemmData(problem, activation, weight));
      }
    }
  }
}

TEST_P(GemmTest, SumsAtTheEndsOfInt32) {
  constexpr int32_t kDepth = 33025;  // kDepth * 255 * 255 is just below 2^31
  const Grid codes = {.bits = 8}, bipolar = {.bits = 8, .step = 2, .base = -255};
  for (const Grid& weights : {codes, bipolar}) {
    for (const Grid& activations : {codes, bipolar}) {
      const GemmProblem problem = {convolution_shape(1, 1, kDepth, 2), weights, activations};
      if (!kernel().supports(problem)) continue;
      expect_exact(GemmData(problem, Fill::Highest, Fill::Highest));
      expect_exact(GemmData(problem, Fill::Lowest, Fill::Highest));
      expect_exact(GemmData(problem, Fill::Lowest, Fill::Lowest));
    }
  }
}

TEST_P(GemmTest, ValuesBeyondInt16) {
  const ConvolutionShape shape = convolution_shape(2, 3, 4, 5, {.kernel_width = 2, .pad_left = 1});
  const Grid wide = {.bits = 4, .step = 5000, .base = -40000}, narrow = {.bits = 3, .step = 1000, .base = -3000};
  for (const GemmProblem& problem : {GemmProblem{shape, wide, narrow}, GemmProblem{shape, narrow, wide}}) {
    if (!kernel().supports(problem)) continue;
    for (const Fill fill : {Fill::Random, Fill::Highest, Fill::Lowest}) expect_exact(GemmData(problem, fill, fill));
  }
}

TEST_P(GemmTest, NarrowWeights) {
  for (const int32_t bits : {2, 3, 4}) {
    const Grid weights = {.bits = bits, .base = -(1 << (bits - 1))};
    const GemmProblem problem = {convolution_shape(2, 3, 20, 5), weights, {.bits = 2}};
    if (kernel().supports(problem)) expect_exact(GemmData(problem, Fill::Random, Fill::Narrow));
  }
}

TEST_P(GemmTest, CodesBeyondTheGridStayInBounds) {
  for (const int32_t bits : {1, 2, 3, 4}) {
    const GemmProblem problem = {
        convolution_shape(1, 1, 1, 1), {.bits = bits, .base = 1 - (1 << bits)}, {.bits = bits}};
    GemmData data(problem, Fill::Highest, Fill::Highest);
    data.codes = {0xff};
    EXPECT_EQ(run(data).size(), 1u);  // AddressSanitizer looks on
  }
}

TEST_P(GemmTest, SliceOfGroupedPixels) {
  for (const GemmProblem& problem : problems(convolution_shape(3, 4, 10, 5, kWindow3x3))) {
    expect_exact(GemmData(problem, Fill::Random, Fill::Random, 10 * 3 + 1));
  }
}

TEST_P(GemmTest, SinglePixelsOfSlicesAndStrides) {
  for (const int32_t channels : {4, 32, 160, 1024, 2048}) {
    for (const int32_t stride : {1, 2}) {
      const Window window = {.stride_height = stride, .stride_width = stride};
      for (const GemmProblem& problem : problems(convolution_shape(2, 17, channels, 33, window))) {
        expect_exact(GemmData(problem, Fill::Random, Fill::Random, channels + 5));
      }
    }
  }
}

TEST_P(GemmTest, TilesInOddPieces) {
  const int32_t out_channels = 3 * kernel().tile_channels + 1;
  for (const GemmProblem& problem : problems(convolution_shape(4, 5, 17, out_channels, kWindow3x3))) {
    const GemmData data(problem);
    const PackedGemm packed(kernel(), data);
    const auto pixels = static_cast<int32_t>(problem.shape.pixels());
    const std::vector<int32_t> whole = run(data, packed, 0, pixels, 0, out_channels);
    for (int32_t pixel = 0; pixel < pixels; pixel += 7) {
      const int32_t pixel_count = std::min(7, pixels - pixel);
      for (int32_t channel = 0; channel < out_channels; channel += 2 * kernel().tile_channels) {
        const int32_t channel_count = std::min(2 * kernel().tile_channels - 1, out_channels - channel);
        const std::vector<int32_t> piece = run(data, packed, pixel, pixel_count, channel, channel_count);
        for (int32_t p = 0; p < pixel_count; ++p) {
          for (int32_t c = 0; c < channel_count; ++c) {
            ASSERT_EQ(piece[p * channel_count + c], whole[(pixel + p) * out_channels + channel + c]);
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, PackingInPieces) {
  const int32_t tile = kernel().tile_channels, out_channels = 2 * tile + 1;
  for (const GemmProblem& problem : problems(convolution_shape(4, 5, 17, out_channels, kWindow3x3))) {
    const GemmData data(problem);
    const PackedGemm whole(kernel(), data);
    PackedBuffer weights(kernel().packed_sizes(problem).weights), image(kernel().packed_sizes(problem).image);
    for (int32_t row = 2 * tile; row >= 0; row -= tile) {
      const auto depth = static_cast<ptrdiff_t>(problem.shape.depth());
      const std::vector<uint8_t> rows(data.weight_codes.begin() + row * depth,
                                      data.weight_codes.begin() + std::min(row + tile, out_channels) * depth);
      kernel().pack_weights(problem, rows.data(), row, std::min(tile, out_channels - row), weights.data());
    }
    for (int32_t row = problem.shape.covered_height(); row > 0; --row) {
      kernel().pack_image(problem, data.codes.data(), data.pixel_stride, row - 1, row, image.data());
    }
    EXPECT_TRUE(weights == whole.weights) << testing::PrintToString(problem);
    EXPECT_TRUE(image == whole.image) << testing::PrintToString(problem);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest, testing::ValuesIn(gemm_kernels().begin(), gemm_kernels().end()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace tidbit::kernels
