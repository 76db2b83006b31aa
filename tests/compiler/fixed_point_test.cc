// The search for fixed-point lines, against the thresholds on every sum.
#include "compiler/lowering/fixed_point.h"

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
  for (int64_t k = 1; k <= thresholds.steps; ++k) {
    int64_t sum = -size;
    while (sum <= size && code_of(sum) < static_cast<double>(thresholds.lowest + k)) ++sum;
    thresholds.values.push_back(sum == -size ? std::numeric_limits<int32_t>::min()
                                : sum > size ? std::numeric_limits<int32_t>::max()
                                             : static_cast<double>(sum));
  }
  thresholds.falling.push_back(falling);
}

void expect_equal(const op::FixedPoint& found, const op::Thresholds& thresholds, int64_t size) {
  for (size_t c = 0; c < static_cast<size_t>(thresholds.channels); ++c) {
    for (int64_t i = -size; i <= size; ++i) {
      const auto sum = static_cast<double>(i);
      ASSERT_EQ(code_of(found, sum, c), code_of(thresholds, sum, c)) << "sum " << sum << " channel " << c;
    }
  }
}

class FindFixedPoint : public testing::TestWithParam<double> {};  // the slopes' order of magnitude

TEST_P(FindFixedPoint, GivesTheThresholdsCodes) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> real(-1, 1);
  constexpr int64_t kSize = 9000;
  for (const bool bent : {false, true}) {
    op::Thresholds thresholds = {.channels = 24, .steps = 251, .lowest = 2, .values = {}, .falling = {}};
    for (int64_t c = 0; c < thresholds.channels; ++c) {
      // Some channels never leave their first code, some begin above it, some never reach the last.
      const double slope = c % 6 == 0 ? 0 : GetParam() * std::exp2(real(random)), offset = 128 + 200 * real(random);
      const double below = bent ? 0.3 + 0.2 * real(random) : 1;
      append(thresholds, kSize, c % 3 == 0, [=](int64_t sum) {
        const double y = slope * static_cast<double>(sum);
        return std::nearbyint((y < 0 ? y * below : y) + offset);
      });
    }
    const auto found = find_fixed_point(thresholds, integers(-kSize, kSize, 24));
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

INSTANTIATE_TEST_SUITE_P(Slopes, FindFixedPoint, testing::Values(0.2, 0.05, 0.012, 0.004));

TEST(FindFixedPointLimits, SumsTakeAllOfInt32) {
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

TEST(FindFixedPointLimits, AHalfOfAStepASumIsTooSteep) {
  for (const double slope : {0.49, 0.51}) {
    op::Thresholds thresholds = {.channels = 1, .steps = 100, .values = {}, .falling = {}};
    append(thresholds, 300, false, [=](int64_t sum) { return std::floor(slope * static_cast<double>(sum)); });
    EXPECT_EQ(find_fixed_point(thresholds, integers(-300, 300, 1)).has_value(), slope < 0.5);
  }
}

TEST(FindFixedPointLimits, ACurveHasNone) {
  op::Thresholds thresholds = {.channels = 1, .steps = 255, .values = {}, .falling = {}};
  append(thresholds, 5000, false,
         [](int64_t sum) { return std::nearbyint(128 + 127 * std::tanh(static_cast<double>(sum) / 1000)); });
  EXPECT_FALSE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
}

TEST(FindFixedPointLimits, OneStepOutOfPlaceHasNone) {
  op::Thresholds thresholds = {.channels = 1, .steps = 200, .values = {}, .falling = {}};
  append(thresholds, 5000, false, [](int64_t sum) { return std::floor(static_cast<double>(sum) / 20 + 100); });
  ASSERT_TRUE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
  thresholds.values[40] += 1;
  thresholds.values[160] -= 1;
  EXPECT_FALSE(find_fixed_point(thresholds, integers(-5000, 5000, 1)));
}

}  // namespace
}  // namespace tidbit::compiler
