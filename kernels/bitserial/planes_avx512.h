// Packing pixels to planes with AVX-512BW, for the tiers that have it: a comparison gives one bit a code.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {
namespace {

template <int32_t kPlanes>
void pack_pixel(const uint8_t* codes, int32_t channels, std::byte* packed, size_t line_bytes) {
  int32_t channel = 0;
  for (; channel + 64 <= channels; channel += 64, packed += 8) {
    const __m512i group = _mm512_loadu_si512(codes + channel);
    for (int32_t plane = 0; plane < kPlanes; ++plane) {
      const uint64_t bits = _mm512_test_epi8_mask(group, _mm512_set1_epi8(static_cast<char>(1 << plane)));
      std::memcpy(packed + plane * line_bytes, &bits, 8);
    }
  }
  if (channel == channels) return;
  const auto left = static_cast<uint32_t>(channels - channel);
  const __m512i group = _mm512_maskz_loadu_epi8(~uint64_t{0} >> (64 - left), codes + channel);
  const __mmask16 bytes = static_cast<__mmask16>((1u << (left + 7) / 8) - 1);
  for (int32_t plane = 0; plane < kPlanes; ++plane) {
    const uint64_t bits = _mm512_test_epi8_mask(group, _mm512_set1_epi8(static_cast<char>(1 << plane)));
    _mm_mask_storeu_epi8(packed + plane * line_bytes, bytes, _mm_cvtsi64_si128(static_cast<int64_t>(bits)));
  }
}

template <int32_t kPlanes>
void pack_planes(const PixelRow& row) {
  if (row.pixel_stride == row.channels && row.channels % 8 == 0) {
    return pack_pixel<kPlanes>(row.codes, row.pixels * row.channels, row.packed, row.line_bytes);
  }
  for (int32_t pixel = 0; pixel < row.pixels; ++pixel) {
    pack_pixel<kPlanes>(row.codes + pixel * row.pixel_stride, row.channels, row.packed + pixel * row.pixel_bytes,
                        row.line_bytes);
  }
}

void pack_pixels_avx512(const PixelRow& row) noexcept {
  using Pack = void (*)(const PixelRow&);
  static constexpr Pack kPacks[kMaxBits] = {pack_planes<1>, pack_planes<2>, pack_planes<3>, pack_planes<4>,
                                            pack_planes<5>, pack_planes<6>, pack_planes<7>, pack_planes<8>};
  kPacks[row.planes - 1](row);
}

}  // namespace
}  // namespace tidbit::kernels::bitserial
