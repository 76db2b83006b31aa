#include "kernels/pool/pool.h"

#include <algorithm>
#include <limits>

#include "kernels/taps.h"

namespace tidbit::kernels {
namespace {

template <class Element>
void max_of_windows(const ConvolutionShape& shape, const Element* in, int32_t pixel_begin, int32_t pixel_count,
                    Element lowest, Element* out) {
  const ptrdiff_t channels = shape.channels;
  for (int32_t p = 0; p < pixel_count; ++p, out += channels) {
    std::fill_n(out, channels, lowest);
    for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
      const Element* x = in + pixel * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) out[c] = out[c] < x[c] ? x[c] : out[c];
    });
  }
}

}  // namespace

void max_pool(const ConvolutionShape& shape, const uint8_t* in, int32_t pixel_begin, int32_t pixel_count,
              uint8_t* out) noexcept {
  max_of_windows(shape, in, pixel_begin, pixel_count, uint8_t{0}, out);
}

void max_pool(const ConvolutionShape& shape, const float* in, int32_t pixel_begin, int32_t pixel_count,
              float* out) noexcept {
  max_of_windows(shape, in, pixel_begin, pixel_count, -std::numeric_limits<float>::infinity(), out);
}

void sum_pool(const ConvolutionShape& shape, const Grid& grid, const uint8_t* in, int32_t pixel_begin,
              int32_t pixel_count, int32_t* sums) noexcept {
  const ptrdiff_t channels = shape.channels;
  for (int32_t p = 0; p < pixel_count; ++p, sums += channels) {
    std::fill_n(sums, channels, 0);
    for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
      const uint8_t* x = in + pixel * channels;
      for (ptrdiff_t c = 0; c < channels; ++c) sums[c] += grid.value(x[c]);
    });
  }
}

void average_pool(const ConvolutionShape& shape, bool count_padding, const float* in, int32_t pixel_begin,
                  int32_t pixel_count, float* out) noexcept {
  constexpr int32_t kBlock = 64;  // channels summed at a time
  for (int32_t p = 0; p < pixel_count; ++p, out += shape.channels) {
    for (int32_t first = 0; first < shape.channels; first += kBlock) {
      const int32_t channels = std::min(kBlock, shape.channels - first);
      double sums[kBlock] = {};
      int32_t taps = 0;
      for_each_tap(shape, pixel_begin + p, [&](int32_t, ptrdiff_t pixel) {
        const float* x = in + pixel * shape.channels + first;
        for (int32_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(x[c]);
        ++taps;
      });
      if (count_padding) taps = shape.window.taps();
      for (int32_t c = 0; c < channels; ++c) out[first + c] = static_cast<float>(sums[c] / taps);
    }
  }
}

}  // namespace tidbit::kernels
