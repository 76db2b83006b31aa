// What operators compute, by their definitions: on values, one output at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/tbit_builder.h"

namespace tidbit::test {

inline plain::WindowT square_window(uint32_t kernel, uint32_t stride = 1, uint32_t pad = 0, uint32_t dilation = 1) {
  plain::WindowT w;
  w.kernel_height = w.kernel_width = kernel;
  w.stride_height = w.stride_width = stride;
  w.dilation_height = w.dilation_width = dilation;
  w.pad_top = w.pad_left = w.pad_bottom = w.pad_right = pad;
  return w;
}

/// No number of it is the same in y and in x.
inline plain::WindowT lopsided_window() {
  plain::WindowT w;
  w.kernel_height = 3;
  w.kernel_width = 2;
  w.stride_height = 1;
  w.stride_width = 3;
  w.dilation_height = 2;
  w.pad_top = 1;
  w.pad_left = 0;
  w.pad_bottom = 3;
  w.pad_right = 1;
  return w;
}

struct ConvolutionCase {
  std::string name;
  uint32_t images, height, width, channels, out_channels;
  plain::WindowT window;
  uint32_t groups = 1;

  uint32_t reach_height() const { return (window.kernel_height - 1) * window.dilation_height + 1; }
  uint32_t reach_width() const { return (window.kernel_width - 1) * window.dilation_width + 1; }
  uint32_t out_height() const {
    return (height + window.pad_top + window.pad_bottom - reach_height()) / window.stride_height + 1;
  }
  uint32_t out_width() const {
    return (width + window.pad_left + window.pad_right - reach_width()) / window.stride_width + 1;
  }
  uint32_t taps() const { return window.kernel_height * window.kernel_width; }
  uint32_t group_channels() const { return channels / groups; }
  Shape in_shape() const { return {images, height, width, channels}; }
  Shape out_shape() const { return {images, out_height(), out_width(), out_channels}; }

  /// Calls visit(tap, y, x) for the taps of an output pixel that are inside the image.
  template <class Visit>
  void for_each_tap(uint32_t out_y, uint32_t out_x, const Visit& visit) const {
    for (uint32_t ky = 0; ky < window.kernel_height; ++ky) {
      for (uint32_t kx = 0; kx < window.kernel_width; ++kx) {
        const int64_t y = int64_t{out_y} * window.stride_height + ky * window.dilation_height - window.pad_top;
        const int64_t x = int64_t{out_x} * window.stride_width + kx * window.dilation_width - window.pad_left;
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        visit(ky * window.kernel_width + kx, static_cast<size_t>(y), static_cast<size_t>(x));
      }
    }
  }

  /// Calls visit(output element, image, y, x, channel) in the order of the output.
  template <class Visit>
  void for_each_output(size_t samples, const Visit& visit) const {
    size_t element = 0;
    for (size_t image = 0; image < samples * images; ++image) {
      for (uint32_t y = 0; y < out_height(); ++y) {
        for (uint32_t x = 0; x < out_width(); ++x) {
          for (uint32_t channel = 0; channel < out_channels; ++channel) visit(element++, image, y, x, channel);
        }
      }
    }
  }
};

/// Sums over the taps inside the image of input values [image][y][x][channel] times weights [out channel][tap][channel
/// of the group]: padding is 0.
inline std::vector<double> convolve(const ConvolutionCase& c, size_t samples, const std::vector<double>& in,
                                    const std::vector<double>& weights) {
  std::vector<double> sums(samples * c.images * c.out_height() * c.out_width() * c.out_channels);
  const size_t group_outputs = c.out_channels / c.groups;
  c.for_each_output(samples, [&](size_t element, size_t image, uint32_t out_y, uint32_t out_x, size_t out_channel) {
    const size_t first = out_channel / group_outputs * c.group_channels();
    c.for_each_tap(out_y, out_x, [&](size_t tap, size_t y, size_t x) {
      for (size_t k = 0; k < c.group_channels(); ++k) {
        sums[element] += in[((image * c.height + y) * c.width + x) * c.channels + first + k] *
                         weights[(out_channel * c.taps() + tap) * c.group_channels() + k];
      }
    });
  });
  return sums;
}

/// The values v of codes.
template <class Codes>
std::vector<double> values_of(const Codes& codes, const Grid& grid) {
  std::vector<double> values;
  for (const auto code : codes) values.push_back(grid.value(static_cast<int32_t>(code)));
  return values;
}

}  // namespace tidbit::test
