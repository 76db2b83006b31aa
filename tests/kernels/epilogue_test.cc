#include "kernels/epilogue/epilogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/every_isa.h"

namespace tidbit::kernels {
namespace {

constexpr int32_t kLowest = std::numeric_limits<int32_t>::min(), kHighest = std::numeric_limits<int32_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr uint8_t kUntouched = 0xee;

template <class Sum>
struct Block {
  int32_t pixels, channels, channel_begin = 0;
  std::vector<Sum> sums = {};  // [pixel][channels + 2]
  Residual residual = {};

  /// Codes (or reals) [pixel][channel], out of an output whose pixels are further apart than its channels.
  template <class Out = uint8_t>
  std::vector<Out> apply(Isa isa, const Epilogue& epilogue) const {
    const ptrdiff_t stride = channels + 5;
    std::vector<Out> strided(static_cast<size_t>((pixels - 1) * stride + channels), Out{kUntouched});
    kernels::apply(epilogue,
                   EpilogueBlock<Sum>{.sums = sums.data(),
                                      .sums_stride = channels + 2,
                                      .residual = residual,
                                      .out = strided.data(),
                                      .out_stride = stride,
                                      .pixels = pixels,
                                      .channel_begin = channel_begin,
                                      .channels = channels},
                   isa);
    std::vector<Out> out;
    for (ptrdiff_t i = 0; i < std::ssize(strided); ++i) {
      if (i % stride < channels) {
        out.push_back(strided[i]);
      } else {
        EXPECT_EQ(strided[i], Out{kUntouched});
      }
    }
    return out;
  }

  Sum sum(int32_t pixel, int32_t channel) const { return sums[pixel * (channels + 2) + channel]; }
};

/// One pixel.
template <class Sum>
Block<Sum> row_of(std::vector<Sum> sums) {
  const auto channels = static_cast<int32_t>(sums.size());
  sums.resize(sums.size() + 2);
  return {.pixels = 1, .channels = channels, .sums = std::move(sums)};
}

Epilogue thresholds(const void* values, int32_t steps, const uint8_t* falling = nullptr) {
  return {.form = EpilogueForm::Thresholds, .per_channel = false, .values = values, .falling = falling, .steps = steps};
}

class Thresholds : public test::IsaTest {};
class Affine : public test::IsaTest {};
class Real : public test::IsaTest {};
TIDBIT_FOR_EVERY_ISA(Thresholds);
TIDBIT_FOR_EVERY_ISA(Affine);
TIDBIT_FOR_EVERY_ISA(Real);

TEST_P(Thresholds, CountTheValuesReached) {
  const std::vector<int32_t> values = {-5, 0, 7};
  EXPECT_EQ(row_of<int32_t>({-6, -5, -4, -1, 0, 6, 7, 100}).apply(isa(), thresholds(values.data(), 3)),
            (std::vector<uint8_t>{0, 1, 1, 1, 2, 2, 3, 3}));
}

TEST_P(Thresholds, StartAtTheLowestCode) {
  const std::vector<int32_t> values = {3};
  Epilogue epilogue = thresholds(values.data(), 1);
  epilogue.lowest = 254;
  EXPECT_EQ(row_of<int32_t>({2, 3}).apply(isa(), epilogue), (std::vector<uint8_t>{254, 255}));
}

TEST_P(Thresholds, WithoutStepsAreTheLowestCode) {
  Epilogue epilogue = thresholds(nullptr, 0);
  epilogue.lowest = 2;
  EXPECT_EQ(row_of<int32_t>({kLowest, kHighest}).apply(isa(), epilogue), (std::vector<uint8_t>{2, 2}));
}

TEST_P(Thresholds, FallAsTheSumGrows) {
  const std::vector<int32_t> values = {-3, 4};
  const uint8_t falling = 1;
  EXPECT_EQ(row_of<int32_t>({-5, -4, -3, 3, 4, 5}).apply(isa(), thresholds(values.data(), 2, &falling)),
            (std::vector<uint8_t>{2, 2, 1, 1, 0, 0}));
}

TEST_P(Thresholds, HoldAtTheEndsOfInt32) {
  const std::vector<int32_t> values = {kLowest, 0, kHighest};
  const uint8_t falling = 1;
  const auto row = row_of<int32_t>({kLowest, kLowest + 1, -1, 0, kHighest});
  EXPECT_EQ(row.apply(isa(), thresholds(values.data(), 3)), (std::vector<uint8_t>{1, 1, 1, 2, 3}));
  // -INT32_MIN is above INT32_MAX, not INT32_MIN again.
  EXPECT_EQ(row.apply(isa(), thresholds(values.data(), 3, &falling)), (std::vector<uint8_t>{3, 3, 2, 2, 1}));
}

TEST_P(Thresholds, OfRealSumsTakeInfinityAndNaN) {
  for (const int32_t steps : {2, 7}) {
    std::vector<double> values(static_cast<size_t>(steps));
    for (int32_t k = 0; k < steps; ++k) values[k] = 0.5 * k;
    const auto all = static_cast<uint8_t>(steps);
    EXPECT_EQ(row_of<double>({-kInfinity, kInfinity, kNaN, 0.0, 0.49}).apply(isa(), thresholds(values.data(), steps)),
              (std::vector<uint8_t>{0, all, 0, 1, 1}));
  }
}

TEST_P(Thresholds, OfEveryLengthEqualTheDefinition) {
  std::mt19937 random(3);
  for (const int32_t steps : {1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 63, 255}) {
    constexpr int32_t kChannels = 9, kFirst = 4;
    std::vector<int32_t> values;
    std::vector<uint8_t> falling;
    for (int32_t c = 0; c < kFirst + kChannels; ++c) {
      std::vector<int32_t> row(static_cast<size_t>(steps));
      std::ranges::generate(row, [&] { return static_cast<int32_t>(random() % 200) - 100; });  // with repeats
      std::ranges::sort(row);
      values.insert(values.end(), row.begin(), row.end());
      falling.push_back(random() % 2);
    }
    Block<int32_t> block = {.pixels = 40, .channels = kChannels, .channel_begin = kFirst};
    for (int32_t i = 0; i < 40 * (kChannels + 2); ++i) block.sums.push_back(static_cast<int32_t>(random() % 220) - 110);

    Epilogue epilogue = thresholds(values.data(), steps, falling.data());
    epilogue.per_channel = true;
    std::vector<uint8_t> expected;
    for (int32_t p = 0; p < block.pixels; ++p) {
      for (int32_t c = 0; c < kChannels; ++c) {
        const int32_t sum = falling[kFirst + c] ? -block.sum(p, c) : block.sum(p, c);
        const auto row = values.begin() + ptrdiff_t{kFirst + c} * steps;
        expected.push_back(
            static_cast<uint8_t>(std::count_if(row, row + steps, [=](int32_t value) { return sum >= value; })));
      }
    }
    EXPECT_EQ(block.apply(isa(), epilogue), expected) << steps << " steps";
  }
}

/// sum*1 + 0, to codes.
template <class Real>
Epilogue to_codes(const Real* one_and_zero, int32_t lowest, int32_t highest) {
  return {.form = sizeof(Real) == sizeof(float) ? EpilogueForm::Affine32 : EpilogueForm::Affine64,
          .per_channel = false,
          .multiplier = one_and_zero,
          .offset = one_and_zero + 1,
          .lowest = lowest,
          .highest = highest};
}

constexpr float kFloatIdentity[] = {1, 0};
constexpr double kDoubleIdentity[] = {1, 0};

TEST_P(Affine, RoundsHalfToEven) {
  const std::vector<double> sums = {0.0, 0.49999997, 0.5, 0.50000006, 1.5, 2.5, 2.4999998, 3.5, 254.5, 0.99999994};
  const std::vector<uint8_t> codes = {0, 0, 0, 1, 2, 2, 2, 4, 254, 1};
  EXPECT_EQ(row_of(sums).apply(isa(), to_codes(kFloatIdentity, 0, 255)), codes);
  EXPECT_EQ(row_of(sums).apply(isa(), to_codes(kDoubleIdentity, 0, 255)), codes);
  EXPECT_EQ(row_of<double>({std::nextafter(0.5, 0), std::nextafter(0.5, 1), std::nextafter(2.5, 3)})
                .apply(isa(), to_codes(kDoubleIdentity, 0, 255)),
            (std::vector<uint8_t>{0, 1, 3}));
}

TEST_P(Affine, RoundsToANearestCodeUnderEveryRoundingMode) {
  const std::vector<double> sums = {0.25, 0.5, 0.75, 1.5, 1.75, 2.5};
  for (const int mode : {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO, FE_TONEAREST}) {
    std::fesetround(mode);
    const std::vector<uint8_t> codes = row_of(sums).apply(isa(), to_codes(kDoubleIdentity, 0, 255));
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(codes, (std::vector<uint8_t>{0, 0, 1, 2, 2, 2}));
  }
}

TEST_P(Affine, Clamps) {
  EXPECT_EQ(row_of<int32_t>({kLowest, -1, 0, 1, 2, 7, 8, 9, kHighest}).apply(isa(), to_codes(kFloatIdentity, 1, 8)),
            (std::vector<uint8_t>{1, 1, 1, 1, 2, 7, 8, 8, 8}));
}

TEST_P(Affine, ClampsInfinityAndNaN) {
  const std::vector<double> sums = {-kInfinity, kInfinity, kNaN, -kNaN, 1e300, -1e300};
  const std::vector<uint8_t> codes = {2, 13, 2, 2, 13, 2};
  EXPECT_EQ(row_of(sums).apply(isa(), to_codes(kFloatIdentity, 2, 13)), codes);
  EXPECT_EQ(row_of(sums).apply(isa(), to_codes(kDoubleIdentity, 2, 13)), codes);
}

TEST_P(Affine, RoundsTheSumInItsOwnArithmetic) {
  // 16777217 is no float: 2^-24 of it plus 1.5 is just 2.5 in float32, and above it in float64.
  const std::vector<int32_t> sums = {16777217};
  const float multiplier = 1.0f / (1 << 24), offset = 1.5f;
  const double wide_multiplier = double{multiplier}, wide_offset = double{offset};
  Epilogue epilogue = to_codes(kFloatIdentity, 0, 9);
  epilogue.multiplier = &multiplier;
  epilogue.offset = &offset;
  EXPECT_EQ(row_of(sums).apply(isa(), epilogue), (std::vector<uint8_t>{2}));
  epilogue = to_codes(kDoubleIdentity, 0, 9);
  epilogue.multiplier = &wide_multiplier;
  epilogue.offset = &wide_offset;
  EXPECT_EQ(row_of(sums).apply(isa(), epilogue), (std::vector<uint8_t>{3}));
}

TEST_P(Affine, BendsWhatIsBelowTheKnee) {
  // y = sum + 1; below 4, y/2 + 3: the lines do not meet.
  const auto check = [&]<class Real>(Real) {
    const Real parameters[] = {1, 1, 4, Real(0.5), 3};
    Epilogue epilogue = to_codes(parameters, 1, 9);
    epilogue.knee = parameters + 2;
    epilogue.slope_below = parameters + 3;
    epilogue.offset_below = parameters + 4;
    EXPECT_EQ(row_of<double>({-kInfinity, -9, -4, 1, 2, 2.75, 3, 4, 20, kInfinity, kNaN}).apply(isa(), epilogue),
              (std::vector<uint8_t>{1, 1, 2, 4, 4, 5, 4, 5, 9, 9, 1}));
    EXPECT_EQ(row_of<int32_t>({-9, -4, 1, 2, 3, 4, 20}).apply(isa(), epilogue),
              (std::vector<uint8_t>{1, 2, 4, 4, 4, 5, 9}));
  };
  check(float{});
  check(double{});
}

/// The formula of schema and header, one operation at a time, rounded by the library.
template <class Real>
uint8_t reference_code(Real sum, Real multiplier, Real offset, Real residual, const Epilogue& epilogue) {
  volatile Real value = sum * multiplier;
  value = value + offset;
  const volatile Real product = residual * static_cast<Real>(epilogue.residual_multiplier);
  value = value + product;
  const Real rounded = std::nearbyint(Real{value});
  return static_cast<uint8_t>(
      std::clamp(rounded, static_cast<Real>(epilogue.lowest), static_cast<Real>(epilogue.highest)));
}

template <class Sum, class Real>
void expect_random_codes_equal_the_reference(Isa isa, bool per_channel, bool residual_codes) {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> real(-1, 1);
  constexpr int32_t kPixels = 30, kChannels = 70, kFirst = 3;
  std::vector<Real> multiplier, offset;
  for (int32_t c = 0; c < (per_channel ? kFirst + kChannels : 1); ++c) {
    multiplier.push_back(static_cast<Real>(real(random) * 0.01));
    offset.push_back(static_cast<Real>(8 + 4 * real(random)));
  }
  Block<Sum> block = {.pixels = kPixels, .channels = kChannels, .channel_begin = kFirst};
  for (int32_t i = 0; i < kPixels * (kChannels + 2); ++i) block.sums.push_back(static_cast<Sum>(1000 * real(random)));
  std::vector<uint8_t> codes;
  std::vector<float> reals;
  for (int32_t i = 0; i < kPixels * (kChannels + 1); ++i) {
    codes.push_back(static_cast<uint8_t>(random() % 16));
    reals.push_back(static_cast<float>(5 * real(random)));
  }
  const Grid grid = {.bits = 4, .step = 2, .base = -15};
  if (residual_codes) {
    block.residual = {.codes = codes.data(), .reals = nullptr, .stride = kChannels + 1, .grid = grid};
  } else {
    block.residual = {.codes = nullptr, .reals = reals.data(), .stride = kChannels + 1, .grid = grid};
  }
  const Epilogue epilogue = {
      .form = sizeof(Real) == sizeof(float) ? EpilogueForm::Affine32 : EpilogueForm::Affine64,
      .per_channel = per_channel,
      .multiplier = multiplier.data(),
      .offset = offset.data(),
      .residual_multiplier = 0.3,
      .lowest = 1,
      .highest = 14,
  };
  std::vector<uint8_t> expected;
  for (int32_t p = 0; p < kPixels; ++p) {
    for (int32_t c = 0; c < kChannels; ++c) {
      const int32_t at = p * (kChannels + 1) + c;
      const auto r = residual_codes ? static_cast<Real>(grid.value(codes[at])) : static_cast<Real>(reals[at]);
      const size_t channel = per_channel ? kFirst + c : 0;
      expected.push_back(
          reference_code(static_cast<Real>(block.sum(p, c)), multiplier[channel], offset[channel], r, epilogue));
    }
  }
  EXPECT_EQ(block.apply(isa, epilogue), expected);
}

TEST_P(Affine, EqualsTheReference) {
  for (const bool per_channel : {true, false}) {
    for (const bool residual_codes : {true, false}) {
      expect_random_codes_equal_the_reference<int32_t, float>(isa(), per_channel, residual_codes);
      expect_random_codes_equal_the_reference<int32_t, double>(isa(), per_channel, residual_codes);
      expect_random_codes_equal_the_reference<double, float>(isa(), per_channel, residual_codes);
      expect_random_codes_equal_the_reference<double, double>(isa(), per_channel, residual_codes);
      expect_random_codes_equal_the_reference<float, float>(isa(), per_channel, residual_codes);
      expect_random_codes_equal_the_reference<float, double>(isa(), per_channel, residual_codes);
    }
  }
}

Epilogue to_reals(const double* multiplier, const double* offset, float lowest, float highest) {
  return {.form = EpilogueForm::Real,
          .per_channel = false,
          .multiplier = multiplier,
          .offset = offset,
          .real_lowest = lowest,
          .real_highest = highest};
}

TEST_P(Real, IsRoundedToFloatOnceAtTheEnd) {
  const double multiplier = 1.0 / 3, offset = 0.1;
  const auto unclamped =
      to_reals(&multiplier, &offset, -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity());
  const auto row = row_of<int32_t>({0, 1, -1, 16777217, kLowest, kHighest});
  std::vector<float> expected;
  for (int32_t c = 0; c < row.channels; ++c) {
    const volatile double product = row.sum(0, c) * multiplier;
    expected.push_back(static_cast<float>(product + offset));
  }
  EXPECT_EQ(row.apply<float>(isa(), unclamped), expected);
}

TEST_P(Real, ClampsAndPassesNaN) {
  const std::vector<float> out = row_of<double>({-kInfinity, -2, 3, 7, kInfinity, kNaN})
                                     .apply<float>(isa(), to_reals(kDoubleIdentity, kDoubleIdentity + 1, 0, 6));
  EXPECT_EQ(std::vector<float>(out.begin(), out.end() - 1), (std::vector<float>{0, 0, 3, 6, 6}));
  EXPECT_TRUE(std::isnan(out.back()));
}

TEST_P(Real, AddsTheResidual) {
  const std::vector<uint8_t> codes = {0, 3};
  const std::vector<float> reals = {0.5f, -2.0f};
  auto row = row_of<int32_t>({10, 20});
  Epilogue epilogue = to_reals(kDoubleIdentity, kDoubleIdentity + 1, -100, 100);
  epilogue.residual_multiplier = 0.25;
  row.residual = {.codes = codes.data(), .reals = nullptr, .stride = 2, .grid = {.bits = 2, .base = -2}};
  EXPECT_EQ(row.apply<float>(isa(), epilogue), (std::vector<float>{9.5f, 20.25f}));
  row.residual = {.codes = nullptr, .reals = reals.data(), .stride = 2, .grid = {}};
  EXPECT_EQ(row.apply<float>(isa(), epilogue), (std::vector<float>{10.125f, 19.5f}));
}

}  // namespace
}  // namespace tidbit::kernels
