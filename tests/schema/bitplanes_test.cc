#include "schema/bitplanes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace tidbit::bitplanes {
namespace {

TEST(BitPlanes, AreLaidOutAsTheFormatSays) {
  // Two taps of nine channels, 2 bits: planes of 2 taps x 2 bytes, low plane first.
  const std::vector<uint8_t> codes = {1, 2, 3, 0, 0, 0, 0, 2, 3,  //
                                      0, 1, 0, 0, 0, 0, 0, 0, 2};
  std::vector<uint8_t> planes(bytes_per_row(2, 2, 9));
  pack_row(codes.data(), 2, 2, 9, planes.data());
  EXPECT_EQ(planes, (std::vector<uint8_t>{0b00000101, 1, 0b00000010, 0,     // bit 0
                                          0b10000110, 1, 0b00000000, 1}));  // bit 1
}

TEST(BitPlanes, RoundTripAndZeroTheirPadding) {
  std::mt19937 random(11);
  for (int32_t bits = 1; bits <= 4; ++bits) {
    for (const size_t taps : {1, 2, 9}) {
      for (const size_t channels : {1, 7, 8, 9, 16, 63, 64, 65, 130}) {
        std::vector<uint8_t> codes(taps * channels);
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random() % (1u << bits));
        std::vector<uint8_t> planes(bytes_per_row(bits, taps, channels), 0xff);
        pack_row(codes.data(), bits, taps, channels, planes.data());
        std::vector<uint8_t> unpacked(codes.size(), 0xff);
        unpack_row(planes.data(), bits, taps, channels, unpacked.data());
        EXPECT_EQ(unpacked, codes);
        for (size_t tap = 0; channels % 8 != 0 && tap < taps * bits; ++tap) {
          EXPECT_EQ(planes[(tap + 1) * bytes_per_tap(channels) - 1] >> (channels % 8), 0);
        }
      }
    }
  }
}

TEST(BitPlanes, TakeTheBytesTheySay) {
  EXPECT_EQ(bytes_per_tap(1), 1u);
  EXPECT_EQ(bytes_per_tap(8), 1u);
  EXPECT_EQ(bytes_per_tap(9), 2u);
  EXPECT_EQ(bytes_per_row(3, 9, 65), 3u * 9 * 9);
}

}  // namespace
}  // namespace tidbit::bitplanes
