// Pooling on vectors, for the ISA files: channels are lanes, the taps of a window are taken in a register.
//
// The last lanes of a pixel are taken by a vector that ends with it, where the pixel has enough channels, and overlaps
// the one before: it computes the same again. Pixels of fewer channels are for the tier
// below.
//
// `V` holds a tier's vectors and operations, in an anonymous namespace, and so all that is instantiated here is local
// to its file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/pool/tiers.h"

namespace tidbit::kernels::pool_tiers {

template <class V>
struct Pools {
  /// The taps of a window inside the image: `rows` of `columns`.
  struct Taps {
    ptrdiff_t first, row_step, column_step;  // in elements
    int32_t rows, columns;
  };

  /// Taps of an axis that are inside [0, extent): from `skipped` on, `count` of them.
  struct Span {
    int32_t skipped, count;
  };
  static Span inside(int64_t begin, int32_t taps, int32_t dilation, int32_t extent) {
    const int64_t skipped = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    const int64_t fitting = begin < extent ? (extent - 1 - begin) / dilation + 1 : 0;
    const int64_t end = fitting < taps ? fitting : taps;
    return {static_cast<int32_t>(skipped), static_cast<int32_t>(end > skipped ? end - skipped : 0)};
  }

  static Taps taps_of(const ConvolutionShape& shape, int32_t out_pixel) {
    const Window& window = shape.window;
    const int64_t top = int64_t{out_pixel / shape.out_width} * window.stride_height - window.pad_top;
    const int64_t left = int64_t{out_pixel % shape.out_width} * window.stride_width - window.pad_left;
    const Span rows = inside(top, window.kernel_height, window.dilation_height, shape.height);
    const Span columns = inside(left, window.kernel_width, window.dilation_width, shape.width);
    const int64_t y = top + int64_t{rows.skipped} * window.dilation_height;
    const int64_t x = left + int64_t{columns.skipped} * window.dilation_width;
    return {.first = static_cast<ptrdiff_t>((y * shape.width + x) * shape.channels),
            .row_step = ptrdiff_t{window.dilation_height} * shape.width * shape.channels,
            .column_step = ptrdiff_t{window.dilation_width} * shape.channels,
            .rows = rows.count,
            .columns = columns.count};
  }

  /// Calls reduce(taps, channel, count) for runs of channels [channel, channel + count), where count is a multiple of
  /// `lanes`; the last one overlaps.
  template <class Reduce>
  static void for_each_pixel(const ConvolutionShape& shape, int32_t lanes, int32_t pixel_begin, int32_t pixel_count,
                             const Reduce& reduce) {
    const int32_t channels = shape.channels;
    for (int32_t p = 0; p < pixel_count; ++p) {
      const Taps taps = taps_of(shape, pixel_begin + p);
      const ptrdiff_t out = ptrdiff_t{p} * channels;
      int32_t channel = 0;
      for (; channel + lanes <= channels; channel += lanes) reduce(taps, channel, out + channel);
      if (channel < channels) reduce(taps, channels - lanes, out + channels - lanes);
    }
  }

  /// Max: of Vector lanes of Element.
  template <class Lanes, class Element>
  static void max_of_windows(const ConvolutionShape& shape, const Element* in, int32_t pixel_begin, int32_t pixel_count,
                             Element* out) {
    for_each_pixel(shape, Lanes::kCount, pixel_begin, pixel_count,
                   [&](const Taps& taps, ptrdiff_t channel, ptrdiff_t at) {
                     const Element* row = in + taps.first + channel;
                     auto most = Lanes::lowest();
                     for (int32_t y = 0; y < taps.rows; ++y, row += taps.row_step) {
                       const Element* x = row;
                       for (int32_t column = 0; column < taps.columns; ++column, x += taps.column_step) {
                         most = Lanes::greater(Lanes::load(x), most);
                       }
                     }
                     Lanes::store(out + at, most);
                   });
  }

  static void max_codes(const ConvolutionShape& shape, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
                        uint8_t* out) noexcept {
    if (shape.channels >= V::Bytes::kCount) {
      return max_of_windows<typename V::Bytes>(shape, in, pixel_begin, pixel_count, out);
    }
    if (shape.channels >= V::FewBytes::kCount) {
      return max_of_windows<typename V::FewBytes>(shape, in, pixel_begin, pixel_count, out);
    }
    V::below().max_codes(shape, in, pixel_begin, pixel_count, out);
  }

  static void max_reals(const ConvolutionShape& shape, const float* in, int32_t pixel_begin, int32_t pixel_count,
                        float* out) noexcept {
    if (shape.channels < V::Floats::kCount) return V::below().max_reals(shape, in, pixel_begin, pixel_count, out);
    max_of_windows<typename V::Floats>(shape, in, pixel_begin, pixel_count, out);
  }

  /// Codes are summed in uint16 lanes, which are added to int32 ones before they can overflow.
  static void sum_codes(const ConvolutionShape& shape, const Grid& grid, const uint8_t* in, int32_t pixel_begin,
                        int32_t pixel_count, int32_t* sums) noexcept {
    using Words = typename V::Words;
    constexpr int32_t kFlush = 65535 / 255;
    if (shape.channels < Words::kCount) return V::below().sum_codes(shape, grid, in, pixel_begin, pixel_count, sums);
    for_each_pixel(
        shape, Words::kCount, pixel_begin, pixel_count, [&](const Taps& taps, ptrdiff_t channel, ptrdiff_t at) {
          const uint8_t* row = in + taps.first + channel;
          typename Words::Sums total = Words::no_sums();
          auto part = Words::zero();
          int32_t until_flush = kFlush;
          for (int32_t y = 0; y < taps.rows; ++y, row += taps.row_step) {
            const uint8_t* x = row;
            for (int32_t column = 0; column < taps.columns; ++column, x += taps.column_step) {
              part = Words::add(part, Words::load(x));
              if (--until_flush == 0) {
                Words::flush(total, part);
                until_flush = kFlush;
              }
            }
          }
          Words::flush(total, part);
          const auto base =
              static_cast<uint32_t>(grid.base) * static_cast<uint32_t>(taps.rows) * static_cast<uint32_t>(taps.columns);
          Words::store(sums + at, total, grid.step, static_cast<int32_t>(base));
        });
  }
};

}  // namespace tidbit::kernels::pool_tiers
