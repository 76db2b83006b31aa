// Fixed-point epilogues at every tier, against their definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/epilogue/epilogue.h"
#include "tests/support/every_isa.h"

namespace tidbit::kernels {
namespace {

constexpr int32_t kFirstChannel = 5;
constexpr int64_t kMostOffset = int64_t{1} << 62;

struct Line {
  std::vector<int32_t> multiplier;
  std::vector<int64_t> offset;
  std::vector<uint8_t> shift;

  int64_t at(int32_t sum, size_t c) const { return (int64_t{sum} * multiplier[c] + offset[c]) >> shift[c]; }
};

class FixedPoint : public test::IsaTest {
 protected:
  int64_t below(int64_t end) { return std::uniform_int_distribution<int64_t>(0, end - 1)(random_); }

  /// Of the largest values that a file may have, and of those whose codes change within the sums below.
  Line line(size_t channels) {
    constexpr int32_t kMost = INT32_MAX;
    Line line;
    for (size_t c = 0; c < channels; ++c) {
      const bool extreme = below(4) == 0;
      line.shift.push_back(static_cast<uint8_t>(32 + below(extreme ? 31 : 8)));
      line.multiplier.push_back(
          static_cast<int32_t>(extreme ? (below(2) ? kMost : -kMost) : below(2 * int64_t{kMost}) - kMost));
      const int64_t small = (below(400) - 100) << line.shift.back() | below(int64_t{1} << 32);
      line.offset.push_back(extreme && below(2) ? (below(2) ? kMostOffset : -kMostOffset)
                                                : std::clamp(small, -kMostOffset, kMostOffset));
    }
    return line;
  }

  int32_t sum() {
    constexpr int32_t kEdges[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX};
    return below(4) == 0 ? kEdges[below(std::size(kEdges))] : static_cast<int32_t>(below(4000) - 2000);
  }

  std::mt19937_64 random_{7};
};
TIDBIT_FOR_EVERY_ISA(FixedPoint);

TEST_P(FixedPoint, EqualsItsDefinition) {
  struct Shape {
    int32_t pixels, channels, gap;
  };
  for (const Shape& shape : {Shape{1, 1, 0},
                             {40, 1, 0},
                             {33, 3, 1},
                             {40, 3, 0},
                             {16, 8, 0},
                             {5, 15, 2},
                             {9, 16, 0},
                             {3, 17, 0},
                             {9, 32, 0},
                             {9, 48, 0},
                             {7, 64, 0},
                             {3, 64, 3},
                             {2, 130, 1},
                             {3, 200, 0}}) {
    for (const bool per_channel : {false, true}) {
      for (const bool bent : {false, true}) {
        const auto channels = static_cast<size_t>(per_channel ? kFirstChannel + shape.channels : 1);
        const Line above = line(channels), under = line(channels);
        std::vector<int32_t> knee;
        for (size_t c = 0; c < channels; ++c) knee.push_back(sum());
        Epilogue epilogue = {.form = EpilogueForm::FixedPoint,
                             .per_channel = per_channel,
                             .multiplier = above.multiplier.data(),
                             .offset = above.offset.data(),
                             .shift = above.shift.data(),
                             .lowest = static_cast<int32_t>(below(4)),
                             .highest = static_cast<int32_t>(4 + below(252))};
        if (bent) {
          epilogue.knee = knee.data();
          epilogue.slope_below = under.multiplier.data();
          epilogue.offset_below = under.offset.data();
          epilogue.shift_below = under.shift.data();
        }
        const ptrdiff_t stride = shape.channels + shape.gap;
        const auto size = static_cast<size_t>(shape.pixels * stride - shape.gap);
        std::vector<int32_t> sums(size);
        for (int32_t& s : sums) s = sum();
        constexpr uint8_t kUntouched = 77;
        std::vector<uint8_t> codes(size, kUntouched), expected(size, kUntouched);
        for (size_t i = 0; i < size; ++i) {
          const auto channel = static_cast<ptrdiff_t>(i) % stride;
          if (channel >= shape.channels) continue;
          const size_t c = per_channel ? static_cast<size_t>(kFirstChannel + channel) : 0;
          const int64_t code = bent && sums[i] < knee[c] ? under.at(sums[i], c) : above.at(sums[i], c);
          expected[i] = static_cast<uint8_t>(std::clamp<int64_t>(code, epilogue.lowest, epilogue.highest));
        }
        apply(epilogue,
              EpilogueBlock<int32_t>{.sums = sums.data(),
                                     .sums_stride = stride,
                                     .residual = {},
                                     .out = codes.data(),
                                     .out_stride = stride,
                                     .pixels = shape.pixels,
                                     .channel_begin = kFirstChannel,
                                     .channels = shape.channels},
              isa());
        ASSERT_EQ(codes, expected) << shape.pixels << " pixels, " << shape.channels << " channels"
                                   << (per_channel ? ", per channel" : "") << (bent ? ", bent" : "");
      }
    }
  }
}

}  // namespace
}  // namespace tidbit::kernels
