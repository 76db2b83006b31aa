// The packed image of the GEMM families (gemm.h): where the taps of a window are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/gemm.h"

namespace tidbit::kernels {

/// A packed image is the rows and columns of the padded image that windows read: the covered ones, of which windows of
/// one row or column skip some by their stride. A row is one or more lines (bit-planes, say). Neighbouring taps of a
/// kernel row are one contiguous *run* of a line: all kernel_width of them, or just one where dilation sets them apart.
/// A window is kernel_rows x row_runs runs.
///
/// Plain numbers, so that ISA files need no inline function that other files share.
struct PackedImage {
  size_t pixel_bytes;  // of one line
  size_t line_bytes;
  size_t row_bytes;  // of all lines
  size_t bytes;      // of the image

  // Of the covered rows and columns, every row_step-th and column_step-th is packed.
  int32_t row_step, column_step;
  int32_t columns;       // packed ones
  int32_t left_pad;      // of them, before those of the image
  int32_t inside;        // of them, those of the image
  int32_t first_inside;  // the image's column that is the first of these

  int32_t kernel_rows, row_runs;
  int32_t run_taps;
  size_t run_bytes;
  size_t kernel_row_step;  // bytes from a kernel row's runs to the next one's
  size_t run_step;         // bytes from a run to the next of its kernel row

  // The window of output pixel p starts at (p / out_width) * out_row_step + (p % out_width) * out_pixel_step.
  int32_t out_width;
  size_t out_row_step, out_pixel_step;
};

/// Runs may be read in whole units of `read_bytes`: lines have room for that.
PackedImage packed_image(const ConvolutionShape&, int32_t lines, size_t pixel_bytes, size_t read_bytes);

/// Neighbouring output pixels that a kernel takes together, and the part of their windows that is not all padding:
/// kernel rows [row_begin, row_end), of which the first pixel needs the taps from tap_begin on, the last one those
/// before tap_end, and those between all of them.
struct PixelBlock {
  int32_t first, pixels;
  int32_t row_begin, row_end;
  int32_t tap_begin, tap_end;
};

/// Cuts the output pixels [begin, begin + count) into blocks of about one size, at most `most`, whose `first` counts
/// from `begin`; returns how many blocks. With `by_rows` no block crosses rows (unless these are short), else windows
/// are whole.
int32_t pixel_blocks(const ConvolutionShape&, int32_t begin, int32_t count, int32_t most, bool by_rows,
                     PixelBlock* blocks) noexcept;

/// How much of all windows is not padding: the share of kernel rows, and of their taps.
struct InsideShare {
  double rows, taps;
};

InsideShare inside_share(const ConvolutionShape&) noexcept;

/// Packs rows of the covered image (GemmKernel::pack_image): calls pack_pixel(codes, packed) for each pixel, where
/// codes are the pixel's or null for padding, and packed is its place in the row's first line.
template <class PackPixel>
void pack_rows(const ConvolutionShape& shape, const PackedImage& layout, const uint8_t* codes, ptrdiff_t pixel_stride,
               int32_t row_begin, int32_t row_end, std::byte* packed, const PackPixel& pack_pixel) {
  const size_t used = static_cast<size_t>(layout.columns) * layout.pixel_bytes;
  for (int32_t row = row_begin; row < row_end; ++row) {
    if (row % layout.row_step != 0) continue;
    std::byte* out = packed + static_cast<size_t>(row / layout.row_step) * layout.row_bytes;
    const int32_t y = row - shape.window.pad_top;
    const bool inside = y >= 0 && y < shape.height;
    for (int32_t column = 0; column < layout.columns; ++column) {
      const int32_t x = column * layout.column_step - shape.window.pad_left;
      const bool padding = !inside || x < 0 || x >= shape.width;
      const uint8_t* pixel = padding ? nullptr : codes + (ptrdiff_t{y} * shape.width + x) * pixel_stride;
      pack_pixel(pixel, out + static_cast<size_t>(column) * layout.pixel_bytes);
    }
    for (size_t line = 0; line < layout.row_bytes; line += layout.line_bytes) {
      std::memset(out + line + used, 0, layout.line_bytes - used);
    }
  }
}

}  // namespace tidbit::kernels
