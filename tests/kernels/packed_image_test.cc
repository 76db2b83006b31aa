// Blocks of pixels and what of their windows is padding, against windows walked tap by tap.
#include "kernels/packed_image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/gemm_runner.h"

namespace tidbit::kernels {
namespace {

const Window kWindows[] = {
    {},
    {.kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1},
    {.kernel_height = 5, .kernel_width = 4, .stride_height = 2, .stride_width = 3, .pad_top = 4, .pad_left = 2},
    {.kernel_height = 3, .kernel_width = 3, .dilation_height = 2, .dilation_width = 3, .pad_left = 5, .pad_right = 6},
    {.kernel_height = 2, .kernel_width = 2, .stride_height = 4, .stride_width = 4, .pad_top = 5, .pad_left = 5},
    {.kernel_height = 7, .kernel_width = 7, .stride_height = 2, .stride_width = 2, .pad_bottom = 6, .pad_right = 6},
};

bool row_inside(const ConvolutionShape& shape, int32_t y, int32_t row) {
  const int32_t at = y * shape.window.stride_height + row * shape.window.dilation_height - shape.window.pad_top;
  return at >= 0 && at < shape.height;
}

bool tap_inside(const ConvolutionShape& shape, int32_t x, int32_t tap) {
  const int32_t at = x * shape.window.stride_width + tap * shape.window.dilation_width - shape.window.pad_left;
  return at >= 0 && at < shape.width;
}

/// What a block leaves out is padding, and it leaves out all it can.
void expect_padding_left_out(const ConvolutionShape& shape, int32_t pixel, const PixelBlock& block) {
  const int32_t y = pixel / shape.out_width, first = pixel % shape.out_width, last = first + block.pixels - 1;
  for (int32_t row = 0; row < shape.window.kernel_height; ++row) {
    EXPECT_EQ(row_inside(shape, y, row), row >= block.row_begin && row < block.row_end) << "row " << row;
  }
  for (int32_t tap = 0; tap < shape.window.kernel_width; ++tap) {
    const bool needed_first = tap_inside(shape, first, tap), needed_last = tap_inside(shape, last, tap);
    EXPECT_TRUE(tap >= block.tap_begin || !needed_first) << "tap " << tap;
    EXPECT_TRUE(tap < block.tap_end || !needed_last) << "tap " << tap;
    EXPECT_TRUE(block.pixels > 1 || tap < block.tap_begin || tap >= block.tap_end || needed_first) << "tap " << tap;
  }
}

TEST(PixelBlocks, CutAllPixelsAndLeaveOutPadding) {
  for (const Window& window : kWindows) {
    const ConvolutionShape shape = test::convolution_shape(9, 13, 1, 1, window);
    for (const int32_t begin : {0, 1, shape.out_width - 1, shape.out_width}) {
      for (const int32_t most : {1, 4, 14}) {
        const auto count = static_cast<int32_t>(std::min<int64_t>(64, shape.pixels() - begin));
        if (count <= 0) continue;
        std::vector<PixelBlock> blocks(static_cast<size_t>(count));
        const int32_t number = pixel_blocks(shape, begin, count, most, true, blocks.data());
        int32_t next = 0;
        for (int32_t i = 0; i < number; ++i) {
          const PixelBlock& block = blocks[static_cast<size_t>(i)];
          EXPECT_EQ(block.first, next);
          EXPECT_TRUE(block.pixels >= 1 && block.pixels <= most) << block.pixels;
          next += block.pixels;
          if (shape.out_width < 3) continue;  // rows too short to be blocks
          EXPECT_EQ((begin + block.first) / shape.out_width, (begin + next - 1) / shape.out_width);
          expect_padding_left_out(shape, begin + block.first, block);
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

TEST(PixelBlocks, OfWholeWindowsCrossRows) {
  const ConvolutionShape shape = test::convolution_shape(9, 13, 1, 1, kWindows[1]);
  PixelBlock blocks[30];
  ASSERT_EQ(pixel_blocks(shape, 5, 30, 14, false, blocks), 3);
  for (const PixelBlock& block : blocks) {
    if (&block == blocks + 3) break;
    EXPECT_EQ(block.pixels, 10);
    EXPECT_EQ(block.row_begin, 0);
    EXPECT_EQ(block.row_end, 3);
    EXPECT_EQ(block.tap_begin, 0);
    EXPECT_EQ(block.tap_end, 3);
  }
}

TEST(PackedImage, LeavesOutWhatNoWindowReads) {
  const Window window = {.stride_height = 2, .stride_width = 3, .pad_top = 1, .pad_left = 2, .pad_right = 1};
  const PackedImage strided = packed_image(test::convolution_shape(9, 13, 1, 1, window), 1, 5, 1);
  EXPECT_EQ(strided.bytes, 5u * 6 * 5);  // every second of 9 rows, every third of 16 columns
  EXPECT_EQ(strided.out_row_step, 30u);
  EXPECT_EQ(strided.out_pixel_step, 5u);
  EXPECT_EQ(strided.left_pad, 1);  // columns -2, 1, 4, 7, 10, 13
  EXPECT_EQ(strided.first_inside, 1);
  EXPECT_EQ(strided.inside, 4);
  const Window far = {.stride_width = INT32_MAX, .pad_left = 1};  // reads column -1 alone
  EXPECT_EQ(packed_image(test::convolution_shape(1, 13, 1, 1, far), 1, 5, 1).inside, 0);
  const Window wide = {.kernel_width = 2, .stride_height = 2, .stride_width = 3};  // columns 0, 1, 3, 4, ...
  EXPECT_EQ(packed_image(test::convolution_shape(9, 13, 1, 1, wide), 1, 5, 1).bytes, 5u * 11 * 5);
}

TEST(InsideShare, CountsRowsAndTaps) {
  for (const Window& window : kWindows) {
    const ConvolutionShape shape = test::convolution_shape(9, 13, 1, 1, window);
    int32_t rows = 0, taps = 0;
    for (int32_t y = 0; y < shape.out_height; ++y) {
      for (int32_t row = 0; row < window.kernel_height; ++row) rows += row_inside(shape, y, row);
    }
    for (int32_t x = 0; x < shape.out_width; ++x) {
      for (int32_t tap = 0; tap < window.kernel_width; ++tap) taps += tap_inside(shape, x, tap);
    }
    const InsideShare share = inside_share(shape);
    EXPECT_DOUBLE_EQ(share.rows, static_cast<double>(rows) / (shape.out_height * window.kernel_height));
    EXPECT_DOUBLE_EQ(share.taps, static_cast<double>(taps) / (shape.out_width * window.kernel_width));
  }
}

}  // namespace
}  // namespace tidbit::kernels
