// The canonical encoding of quantized weights of 1 to 4 bits, as code.
//
//   bytes [row][bit][tap][ceil(channels/8)], least significant bit-plane first.
//   Bit i of byte j of a plane belongs to channel 8*j + i; the bits past the last channel are zero.
//
// One encoding for every width (3-bit codes do not straddle bytes), ready for bit-serial kernels, and a few byte moves
// away from every other layout. It depends on no ISA and no tile.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidbit::bitplanes {

constexpr size_t bytes_per_tap(size_t channels) { return (channels + 7) / 8; }

constexpr size_t bytes_per_row(int32_t bits, size_t taps, size_t channels) {
  return static_cast<size_t>(bits) * taps * bytes_per_tap(channels);
}

/// One row of codes [tap][channel] to its planes. `planes` holds bytes_per_row bytes and is overwritten.
inline void pack_row(const uint8_t* codes, int32_t bits, size_t taps, size_t channels, uint8_t* planes) {
  const size_t tap_bytes = bytes_per_tap(channels);
  for (int32_t bit = 0; bit < bits; ++bit) {
    for (size_t tap = 0; tap < taps; ++tap) {
      uint8_t* plane = planes + (static_cast<size_t>(bit) * taps + tap) * tap_bytes;
      for (size_t byte = 0; byte < tap_bytes; ++byte) {
        uint8_t packed = 0;
        for (size_t i = 0; i < 8 && byte * 8 + i < channels; ++i) {
          const uint8_t code = codes[tap * channels + byte * 8 + i];
          packed = static_cast<uint8_t>(packed | ((code >> bit) & 1) << i);
        }
        plane[byte] = packed;
      }
    }
  }
}

/// Bit i as byte i, counted from the least significant one.
constexpr uint64_t spread_bits(uint8_t bits) {
  const uint64_t each = (uint64_t{bits} * 0x0101010101010101) & 0x8040201008040201;
  return ((each + 0x7F7F7F7F7F7F7F7F) >> 7) & 0x0101010101010101;
}

/// The inverse of pack_row.
inline void unpack_row(const uint8_t* planes, int32_t bits, size_t taps, size_t channels, uint8_t* codes) {
  const size_t tap_bytes = bytes_per_tap(channels), plane_bytes = taps * tap_bytes;
  for (size_t tap = 0; tap < taps; ++tap, codes += channels) {
    for (size_t byte = 0; byte < tap_bytes; ++byte, ++planes) {
      uint64_t eight = 0;
      for (int32_t bit = 0; bit < bits; ++bit) {
        eight |= spread_bits(planes[static_cast<size_t>(bit) * plane_bytes]) << bit;
      }
      uint8_t* of_byte = codes + 8 * byte;
      const size_t left = channels - 8 * byte;
      if (left >= 8) {
        for (size_t i = 0; i < 8; ++i) of_byte[i] = static_cast<uint8_t>(eight >> 8 * i);  // one store
      } else {
        for (size_t i = 0; i < left; ++i) of_byte[i] = static_cast<uint8_t>(eight >> 8 * i);
      }
    }
  }
}

}  // namespace tidbit::bitplanes
