// Lines through thresholds, and what becomes of them, against the thresholds on every sum.
#include "compiler/lowering/lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/compiler/epilogues.h"

namespace tidbit::compiler {
namespace {

/// Thresholds of a function that rises over [-size, size], by trying every sum.
void append(op::Thresholds& thresholds, int64_t size, bool falling, const auto& code_of) {
  int64_t sum = -size;
  for (int64_t k = 1; k <= thresholds.steps; ++k) {
    while (sum <= size && code_of(sum) < static_cast<double>(thresholds.lowest + k)) ++sum;
    thresholds.values.push_back(sum == -size ? std::numeric_limits<int32_t>::min()
                                : sum > size ? std::numeric_limits<int32_t>::max()
                                             : static_cast<double>(sum));
  }
  thresholds.falling.push_back(falling);
}

/// On every sum of [-size, size], in the order in which the code rises.
void expect_equal(const op::Epilogue& found, const op::Thresholds& thresholds, int64_t size) {
  const auto steps = static_cast<size_t>(thresholds.steps);
  for (size_t c = 0; c < static_cast<size_t>(thresholds.channels); ++c) {
    const double* values = thresholds.values.data() + c * steps;
    size_t reached = 0;
    for (auto key = static_cast<double>(-size); key <= static_cast<double>(size); ++key) {
      while (reached < steps && values[reached] <= key) ++reached;
      const double sum = thresholds.falling[c] ? -key : key;
      ASSERT_EQ(code_of(found, sum, c), thresholds.lowest + static_cast<int32_t>(reached))
          << "sum " << sum << " channel " << c;
    }
  }
}

std::optional<op::FixedPoint> find_fixed_point(const op::Thresholds& t, const SumDomain& domain) {
  const auto lines = find_lines(t, domain);
  return lines ? fixed_point(*lines, t.lowest, t.lowest + static_cast<int32_t>(t.steps)) : std::nullopt;
}

constexpr int64_t kSize = 9000;
constexpr size_t kChannels = 24;

/// Of lines of about that slope, rising and falling, whose knees lie within `spread` of the middle code. Some channels
/// never leave their first code; where the spread is large, some begin above it, and some never reach the last.
op::Thresholds of_lines(double slope, bool bent, double spread) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> real(-1, 1);
  op::Thresholds thresholds = {.channels = kChannels, .steps = 251, .lowest = 2, .values = {}, .falling = {}};
  for (size_t c = 0; c < kChannels; ++c) {
    const double m = c % 6 == 0 ? 0 : slope * std::exp2(real(random)), offset = 128 + spread * real(random);
    const double below = bent ? 0.3 + 0.2 * real(random) : 1;
    append(thresholds, kSize, c % 3 == 0, [=](int64_t sum) {
      const double y = m * static_cast<double>(sum);
      return std::nearbyint((y < 0 ? y * below : y) + offset);
    });
  }
  return thresholds;
}

class AffineLines : public testing::TestWithParam<double> {};  // the slopes' order of magnitude

TEST_P(AffineLines, GiveTheThresholdsCodesInFloat32) {
  for (const bool bent : {false, true}) {
    const op::Thresholds thresholds = of_lines(GetParam(), bent, 90);
    const auto lines = find_lines(thresholds, integers(-kSize, kSize, kChannels));
    ASSERT_TRUE(lines);
    op::Affine found = affine(*lines, 2, 253);
    EXPECT_EQ(!found.knee.empty(), bent);
    found.float32 = true;
    expect_equal(found, thresholds, kSize);
  }
}

INSTANTIATE_TEST_SUITE_P(Slopes, AffineLines, testing::Values(5.0, 0.9, 0.4));

class FixedPointLines : public testing::TestWithParam<double> {};

TEST_P(FixedPointLines, GiveTheThresholdsCodes) {
  for (const bool bent : {false, true}) {
    const op::Thresholds thresholds = of_lines(GetParam(), bent, 200);
    const auto found = find_fixed_point(thresholds, integers(-kSize, kSize, kChannels));
    ASSERT_TRUE(found);
    EXPECT_EQ(!found->knee.empty(), bent);
    EXPECT_EQ(found->lowest, 2);
    EXPECT_EQ(found->highest, 253);
    for (const op::FixedPointLine* line : {&found->line, &found->below}) {
      for (size_t c = 0; c < line->shift.size(); ++c) {
        EXPECT_GE(line->shift[c], 32);
        EXPECT_LE(line->shift[c], 62);
        EXPECT_GT(line->multiplier[c], std::numeric_limits<int32_t>::min());
        EXPECT_LE(std::abs(line->offset[c]), int64_t{1} << 62);
      }
    }
    expect_equal(*found, thresholds, kSize);
  }
}

INSTANTIATE_TEST_SUITE_P(Slopes, FixedPointLines, testing::Values(0.2, 0.05, 0.012, 0.004));

TEST(FindLines, SumsTakeAllOfInt32) {
  op::Thresholds thresholds = {.channels = 1, .steps = 255, .values = {}, .falling = {}};
  const double slope = 256 / std::exp2(32);
  for (int k = 1; k <= 255; ++k) thresholds.values.push_back(std::ceil((k - 128.5) / slope));
  thresholds.falling = {0};
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  const auto found = find_fixed_point(thresholds, integers(-kMost, kMost, 1));
  ASSERT_TRUE(found);
  for (const double step : thresholds.values) {
    for (const double sum : {step - 1, step}) ASSERT_EQ(code_of(*found, sum, 0), code_of(thresholds, sum, 0)) << sum;
  }
  for (const int32_t sum : {-kMost, kMost}) EXPECT_EQ(code_of(*found, sum, 0), code_of(thresholds, sum, 0));
}

TEST(FindLines, AHalfOfAStepASumIsTooSteep) {
  for (const double slope : {0.49, 0.51}) {
    op::Thresholds thresholds = {.channels = 1, .steps = 100, .values = {}, .falling = {}};
    append(thresholds, 300, false, [=](int64_t sum) { return std::floor(slope * static_cast<double>(sum)); });
    EXPECT_EQ(find_fixed_point(thresholds, integers(-300, 300, 1)).has_value(), slope < 0.5);
  }
}

TEST(FindLines, ACurveHasNone) {
  op::Thresholds thresholds = {.channels = 1, .steps = 255, .values = {}, .falling = {}};
  append(thresholds, 5000, false,
         [](int64_t sum) { return std::nearbyint(128 + 127 * std::tanh(static_cast<double>(sum) / 1000)); });
  EXPECT_FALSE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
}

TEST(FindLines, OneStepOutOfPlaceHasNone) {
  op::Thresholds thresholds = {.channels = 1, .steps = 200, .values = {}, .falling = {}};
  append(thresholds, 5000, false, [](int64_t sum) { return std::floor(static_cast<double>(sum) / 20 + 100); });
  ASSERT_TRUE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
  thresholds.values[40] += 1;
  thresholds.values[160] -= 1;
  EXPECT_FALSE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
}

}  // namespace
}  // namespace tidbit::compiler
