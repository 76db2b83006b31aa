// Depthwise convolution with VPDPBUSD: windows of 3x3 over codes and filters that fit bytes; the rest is the tier's
// below.
//
// A column of the image is the bytes of its three rows, interleaved by channel (and a fourth, whose weight is 0): one
// VPDPBUSD adds a column of the window for 16 channels. Neighbouring windows share columns, so that a pixel interleaves
// as many as the stride. Three rows of 64 channels take eleven shuffles, and a pixel twelve VPDPBUSD.
//
// Packed weights: a block for each 64 channels: int32 constants [channel] (base * sum v_w), then
// step * v_w [column][channel][row]. Padding takes the code of 0.
#include <immintrin.h>

#include <cstring>

#include "kernels/depthwise/tiers.h"

namespace tidbit::kernels::depthwise_tiers {
namespace {

constexpr int32_t kChannels = 64;  // of a block
constexpr int32_t kTaps = 3;       // along either axis
constexpr size_t kBlockBytes = kChannels * sizeof(int32_t) * (1 + kTaps);
constexpr int32_t kLeastChannels = 33;  // fewer leave too much of the vectors empty

bool fits(const DepthwiseProblem& problem) {
  const Window& window = problem.shape.window;
  if (window.kernel_height != kTaps || window.kernel_width != kTaps) return false;
  if (window.dilation_height != 1 || window.dilation_width != 1 || problem.shape.channels < kLeastChannels)
    return false;
  const int64_t step = problem.activations.step, last = (1 << problem.weights.bits) - 1;
  const int64_t lowest = step * problem.weights.base, highest = lowest + step * problem.weights.step * last;
  return lowest >= INT8_MIN && highest <= INT8_MAX && (!window.padded() || problem.activations.zero_code() >= 0);
}

int32_t blocks(int32_t channels) { return (channels + kChannels - 1) / kChannels; }

uint64_t weight_bytes(const DepthwiseProblem& problem) noexcept {
  if (!fits(problem)) return kAvx512.weight_bytes(problem);
  return static_cast<uint64_t>(blocks(problem.shape.channels)) * kBlockBytes;
}

void pack_weights(const DepthwiseProblem& problem, const uint8_t* codes, std::byte* packed) noexcept {
  if (!fits(problem)) return kAvx512.pack_weights(problem, codes, packed);
  const int32_t channels = problem.shape.channels;
  std::memset(packed, 0, static_cast<size_t>(weight_bytes(problem)));
  for (int32_t c = 0; c < channels; ++c) {
    std::byte* const constants = packed + c / kChannels * kBlockBytes;
    std::byte* const weights = constants + kChannels * sizeof(int32_t);
    const int32_t at = c % kChannels;
    int32_t sum = 0;
    for (int32_t tap = 0; tap < kTaps * kTaps; ++tap) {
      const int32_t weight = problem.weights.value(codes[ptrdiff_t{tap} * channels + c]);
      const int32_t row = tap / kTaps, column = tap % kTaps;
      weights[(column * kChannels + at) * 4 + row] = static_cast<std::byte>(problem.activations.step * weight);
      sum += weight;
    }
    sum *= problem.activations.base;
    std::memcpy(constants + at * sizeof(sum), &sum, sizeof(sum));
  }
}

/// Four times sixteen channels of a block, in order.
struct Quarters {
  __m512i v0, v1, v2, v3;
};

Quarters load(const std::byte* p) {
  return {_mm512_load_si512(p), _mm512_load_si512(p + 64), _mm512_load_si512(p + 128), _mm512_load_si512(p + 192)};
}

Quarters add_products(const Quarters& sums, const Quarters& codes, const Quarters& weights) {
  return {_mm512_dpbusd_epi32(sums.v0, codes.v0, weights.v0), _mm512_dpbusd_epi32(sums.v1, codes.v1, weights.v1),
          _mm512_dpbusd_epi32(sums.v2, codes.v2, weights.v2), _mm512_dpbusd_epi32(sums.v3, codes.v3, weights.v3)};
}

/// A row of the image at a block's channels; where it is padding, one pixel of that for all columns.
struct Row {
  const uint8_t* codes;
  ptrdiff_t column_step;
};

/// The block's channels of three rows. kWhole: it has all of them, else those of `lanes`.
template <bool kWhole>
struct Rows {
  Row row0, row1, row2;
  int32_t width;
  int32_t padding;
  __mmask64 lanes;

  /// Interleaving works within quarters of vectors: first, what a quarter of the result is made of is brought there.
  __m512i at(const Row& row, ptrdiff_t x) const {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const uint8_t* codes = row.codes + x * row.column_step;
    return _mm512_permutexvar_epi32(order, kWhole ? _mm512_loadu_si512(codes) : _mm512_maskz_loadu_epi8(lanes, codes));
  }

  Quarters column(ptrdiff_t x) const {
    if (x < 0 || x >= width) {
      const __m512i codes = _mm512_set1_epi8(static_cast<char>(padding));
      return {codes, codes, codes, codes};
    }
    const __m512i a = at(row0, x), b = at(row1, x), c = at(row2, x);
    const __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
    const __m512i low_c = _mm512_unpacklo_epi8(c, c), high_c = _mm512_unpackhi_epi8(c, c);
    return {_mm512_unpacklo_epi16(low_ab, low_c), _mm512_unpackhi_epi16(low_ab, low_c),
            _mm512_unpacklo_epi16(high_ab, high_c), _mm512_unpackhi_epi16(high_ab, high_c)};
  }

  void store(int32_t* sums, const Quarters& of) const {
    if constexpr (kWhole) {
      _mm512_storeu_si512(sums, of.v0);
      _mm512_storeu_si512(sums + 16, of.v1);
      _mm512_storeu_si512(sums + 32, of.v2);
      _mm512_storeu_si512(sums + 48, of.v3);
    } else {
      _mm512_mask_storeu_epi32(sums, static_cast<__mmask16>(lanes), of.v0);
      _mm512_mask_storeu_epi32(sums + 16, static_cast<__mmask16>(lanes >> 16), of.v1);
      _mm512_mask_storeu_epi32(sums + 32, static_cast<__mmask16>(lanes >> 32), of.v2);
      _mm512_mask_storeu_epi32(sums + 48, static_cast<__mmask16>(lanes >> 48), of.v3);
    }
  }
};

/// `pixels` neighbours of a row of the output, the first of whose windows begins at column x. kStride: along the row; 3
/// stands for all from there on, where windows share no columns.
template <bool kWhole, int32_t kStride>
void run_row(const Rows<kWhole>& rows, const std::byte* block, ptrdiff_t x, ptrdiff_t stride, int32_t pixels,
             int32_t* sums, ptrdiff_t sums_stride) {
  constexpr size_t kVectors = kChannels * sizeof(int32_t);
  const Quarters constants = load(block), left_weights = load(block + kVectors),
                 middle_weights = load(block + 2 * kVectors), right_weights = load(block + 3 * kVectors);
  Quarters left = rows.column(x), middle = rows.column(x + 1);
  for (; pixels > 0; --pixels, sums += sums_stride) {
    const Quarters right = rows.column(x + 2);
    rows.store(sums, add_products(add_products(add_products(constants, left, left_weights), middle, middle_weights),
                                  right, right_weights));
    x += stride;
    if (pixels == 1) break;
    if constexpr (kStride == 1) {
      left = middle;
      middle = right;
    } else {
      left = kStride == 2 ? right : rows.column(x);
      middle = rows.column(x + 1);
    }
  }
}

template <bool kWhole>
void run_block(const DepthwiseProblem& problem, const uint8_t* codes, const std::byte* block, int32_t left,
               const uint8_t* outside, int32_t pixel_begin, int32_t pixel_count, int32_t* sums) {
  const ConvolutionShape& shape = problem.shape;
  const Window& window = shape.window;
  const auto run = window.stride_width == 1   ? run_row<kWhole, 1>
                   : window.stride_width == 2 ? run_row<kWhole, 2>
                                              : run_row<kWhole, 3>;
  int32_t row = pixel_begin / shape.out_width, column = pixel_begin % shape.out_width;
  for (int32_t done = 0; done < pixel_count; ++row, column = 0) {
    const int32_t rest = shape.out_width - column, pixels = pixel_count - done < rest ? pixel_count - done : rest;
    const auto row_at = [&](int32_t tap) -> Row {
      const int32_t y = row * window.stride_height - window.pad_top + tap;
      if (y < 0 || y >= shape.height) return {outside, 0};
      return {codes + ptrdiff_t{y} * shape.width * shape.channels, shape.channels};
    };
    const Rows<kWhole> rows = {.row0 = row_at(0),
                               .row1 = row_at(1),
                               .row2 = row_at(2),
                               .width = shape.width,
                               .padding = problem.activations.zero_code(),
                               .lanes = kWhole ? ~__mmask64{0} : (__mmask64{1} << left) - 1};
    run(rows, block, ptrdiff_t{column} * window.stride_width - window.pad_left, window.stride_width, pixels,
        sums + ptrdiff_t{done} * shape.channels, shape.channels);
    done += pixels;
  }
}

void run(const DepthwiseProblem& problem, const uint8_t* codes, const std::byte* weights, int32_t pixel_begin,
         int32_t pixel_count, int32_t* sums) noexcept {
  if (!fits(problem)) return kAvx512.run(problem, codes, weights, pixel_begin, pixel_count, sums);
  alignas(64) uint8_t outside[kChannels];
  std::memset(outside, problem.activations.zero_code(), sizeof(outside));
  for (int32_t channel = 0; channel < problem.shape.channels; channel += kChannels, weights += kBlockBytes) {
    const int32_t left = problem.shape.channels - channel;
    const auto run_channels = left >= kChannels ? run_block<true> : run_block<false>;
    run_channels(problem, codes + channel, weights, left, outside, pixel_begin, pixel_count, sums + channel);
  }
}

}  // namespace

constinit const Tier kAvx512Vnni = {weight_bytes, pack_weights, run};

}  // namespace tidbit::kernels::depthwise_tiers
