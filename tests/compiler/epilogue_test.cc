// The search for epilogues, against the function itself on every sum.
#include "compiler/lowering/epilogue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/compiler/epilogues.h"

namespace tidbit::compiler {
namespace {

/// Scale, batch norm of both signs and a dead channel, ReLU.
Chain typical_chain(uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> real(-1, 1);
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {0.013, 0.02, 0.007}));
  chain.append({ScalarFunction::BatchNormalization{
      ChannelValues({1.3 + real(random), -0.7, 0}), ChannelValues({real(random), real(random), real(random)}),
      ChannelValues({real(random), real(random), real(random)}), ChannelValues({0.5, 1.5, 0.1}), 1e-5}});
  chain.append({op::Unary{op::UnaryFunction::Relu}});
  return chain;
}

class FindEpilogue : public ::testing::TestWithParam<int> {};

TEST_P(FindEpilogue, GivesTheFunctionsCodeOnEverySum) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    const CodeFunction function = quantizer(typical_chain(seed), GetParam(), seed % 2 == 0, 0.02);
    const op::Epilogue epilogue = find_epilogue(function, integers(-3000, 3000, 3), 3);
    for (int sum = -3000; sum <= 3000; ++sum) {
      for (size_t c = 0; c < 3; ++c) {
        ASSERT_EQ(code_of(epilogue, sum, c), function(sum, static_cast<int64_t>(c)))
            << "sum " << sum << " channel " << c;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, FindEpilogue, ::testing::Range(1, 9));

TEST(FindEpilogue, NarrowCodesTakeThresholdsAndWideOnesALine) {
  const auto form = [](int bits) {
    return find_epilogue(quantizer(typical_chain(3), bits, false, 0.05), integers(-3000, 3000, 3), 3).index();
  };
  EXPECT_EQ(form(2), 0U);
  EXPECT_EQ(form(4), 1U);
}

/// Scale and batch norm, leaky ReLUs of every kind, and lines of both signs behind them.
Chain bent_chain(uint32_t seed, size_t channels) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> real(-1, 1);
  std::vector<double> scale, bias, slope, factor, half;
  for (size_t c = 0; c < channels; ++c) {
    scale.push_back(0.01 * real(random));
    bias.push_back(c % 4 ? real(random) : 0);
    slope.push_back(c % 5 == 0 ? 0 : c % 5 == 1 ? 1 : 1 + real(random));
    factor.push_back(c % 5 == 0 ? 0.9 : c % 3 ? 1 : 2 * real(random));
    half.push_back(c % 2 ? 0.01 : real(random));  // a tie at the knee
  }
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, scale));
  chain.append(operand(op::BinaryFunction::Add, bias));
  chain.append({ScalarFunction::PRelu{ChannelValues(slope)}});
  chain.append(operand(op::BinaryFunction::Mul, factor));
  chain.append(operand(op::BinaryFunction::Add, half));
  return chain;
}

class FindBentEpilogue : public ::testing::TestWithParam<int> {};

TEST_P(FindBentEpilogue, GivesTheFunctionsCodeOnEverySum) {
  constexpr size_t kChannels = 30;
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    const CodeFunction function =
        quantizer(bent_chain(seed, kChannels), GetParam(), true, 0.02 * (1 << (8 - GetParam())));
    const op::Epilogue epilogue = find_epilogue(function, integers(-900, 900, kChannels), kChannels);
    const auto* affine = std::get_if<op::Affine>(&epilogue);
    const auto* fixed = std::get_if<op::FixedPoint>(&epilogue);
    ASSERT_EQ(affine ? affine->knee.size() : fixed ? fixed->knee.size() : 0, kChannels);
    for (int sum = -900; sum <= 900; ++sum) {
      for (size_t c = 0; c < kChannels; ++c) {
        ASSERT_EQ(code_of(epilogue, sum, c), function(sum, static_cast<int64_t>(c)))
            << "sum " << sum << " channel " << c << " seed " << seed;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, FindBentEpilogue, ::testing::Range(3, 9));

TEST(FindEpilogue, ALeakyReluIsOneLineForAllChannelsWhereTheyAgree) {
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {0.013}));
  chain.append({ScalarFunction::PRelu{ChannelValues({0.1})}});
  const op::Epilogue epilogue = find_epilogue(quantizer(chain, 4, true, 0.05), integers(-99, 99, 3), 3);
  ASSERT_TRUE(std::holds_alternative<op::Affine>(epilogue));
  EXPECT_EQ(std::get<op::Affine>(epilogue).knee.size(), 1U);
}

TEST(FindEpilogue, AClampedLineBends) {
  for (const double factor : {1.0, -0.7}) {
    Chain chain;
    chain.append(operand(op::BinaryFunction::Mul, {0.01307}));
    chain.append({op::Clip{-0.9, 1.1}});
    chain.append({ScalarFunction::PRelu{ChannelValues({0.3})}});
    chain.append(operand(op::BinaryFunction::Mul, {factor}));
    const CodeFunction function = quantizer(chain, 8, true, 0.01);
    const op::Epilogue epilogue = find_epilogue(function, integers(-300, 300, 1), 1);
    ASSERT_TRUE(std::holds_alternative<op::Affine>(epilogue));
    for (int sum = -300; sum <= 300; ++sum) ASSERT_EQ(code_of(epilogue, sum, 0), function(sum, 0)) << sum;
  }
}

TEST(FindEpilogue, TwoKneesTakeThresholds) {
  Chain chain = bent_chain(2, 3);
  chain.append({ScalarFunction::PRelu{ChannelValues({0.5})}});
  const CodeFunction function = quantizer(chain, 5, true, 0.1);
  const op::Epilogue epilogue = find_epilogue(function, integers(-900, 900, 3), 3);
  ASSERT_TRUE(std::holds_alternative<op::Thresholds>(epilogue));
  for (int sum = -900; sum <= 900; ++sum) ASSERT_EQ(code_of(epilogue, sum, 2), function(sum, 2));
}

TEST(FindEpilogue, ALineThatFloat32CannotTellIsRefused) {
  // Sums beyond 2^24 with a step at every one: float32 cannot even hold them, float64 can.
  Chain chain;
  chain.append(operand(op::BinaryFunction::Sub, {(1 << 26) + 1}));
  const op::Epilogue epilogue = find_epilogue(quantizer(chain, 8, false, 1), integers(1 << 26, (1 << 26) + 300, 1), 1);
  ASSERT_TRUE(std::holds_alternative<op::Affine>(epilogue));
  EXPECT_FALSE(std::get<op::Affine>(epilogue).float32);
  for (int sum = 1 << 26; sum <= (1 << 26) + 300; ++sum) {
    ASSERT_EQ(code_of(epilogue, sum, 0), std::min(std::max(sum - (1 << 26) - 1, 0), 255));
  }
}

TEST(FindEpilogue, AGentleLineThatFloat32CannotTellIsInFixedPoint) {
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {1.0137e-5, -3.3071e-6}));
  chain.append(operand(op::BinaryFunction::Add, {0.30071, 0.70093}));
  const CodeFunction function = quantizer(chain, 8, true, 0.01);
  const op::Epilogue epilogue = find_epilogue(function, integers(-400'000, 400'000, 2), 2);
  ASSERT_TRUE(std::holds_alternative<op::FixedPoint>(epilogue));
  for (int sum = -400'000; sum <= 400'000; ++sum) {
    for (size_t c = 0; c < 2; ++c) {
      ASSERT_EQ(code_of(epilogue, sum, c), function(sum, static_cast<int64_t>(c))) << sum;
    }
  }
}

TEST(FindEpilogue, ACurveTakesThresholdsHoweverWide) {
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {0.01}));
  chain.append({op::Unary{op::UnaryFunction::Tanh}});
  const CodeFunction function = quantizer(chain, 8, true, 1.0 / 127);
  const op::Epilogue epilogue = find_epilogue(function, integers(-1000, 1000, 1), 1);
  ASSERT_TRUE(std::holds_alternative<op::Thresholds>(epilogue));
  for (int sum = -1000; sum <= 1000; ++sum) ASSERT_EQ(code_of(epilogue, sum, 0), function(sum, 0));
}

TEST(FindEpilogue, FloatThresholdsAreTheFirstFloatThatReachesTheCode) {
  for (double scale : {0.1, 0.25, 1.0 / 3, 7e-13, 1e20}) {
    const CodeFunction function = quantizer({}, 2, true, scale);
    const SumDomain domain{SumDomain::Kind::Float32, {}, {}};
    const auto thresholds = std::get<op::Thresholds>(find_epilogue(function, domain, 1));
    ASSERT_EQ(thresholds.steps, 3);
    for (double t : thresholds.values) {
      const auto at = static_cast<float>(t);
      ASSERT_EQ(static_cast<double>(at), t);
      const float before = std::nextafter(at, -std::numeric_limits<float>::infinity());
      EXPECT_EQ(function(at, 0), function(before, 0) + 1) << scale;
    }
  }
}

TEST(FindEpilogue, DoubleThresholdsAreTheFirstDoubleThatReachesTheCode) {
  for (const int bits : {2, 5}) {
    Chain chain;  // a curve, so that it takes thresholds however wide; and the whole range of float64 is searched
    chain.append({op::Unary{op::UnaryFunction::Tanh}});
    const CodeFunction function = quantizer(chain, bits, true, 2.0 / (1 << bits));
    const SumDomain domain{SumDomain::Kind::Float64, {}, {}};
    const auto thresholds = std::get<op::Thresholds>(find_epilogue(function, domain, 1));
    ASSERT_EQ(thresholds.steps, (1 << bits) - 1);
    for (double t : thresholds.values) {
      const double before = std::nextafter(t, -std::numeric_limits<double>::infinity());
      EXPECT_EQ(function(t, 0), function(before, 0) + 1) << t;
    }
  }
}

TEST(FindEpilogue, FloatLinesAreExactOnBothSidesOfEveryStep) {
  for (double scale : {0.1, 0.0039215386, 0.05}) {
    const CodeFunction function = quantizer({}, 8, false, scale);
    const op::Epilogue epilogue = find_epilogue(function, {SumDomain::Kind::Float32, {}, {}}, 1);
    for (int code = 1; code < 256; ++code) {
      auto x = static_cast<float>((code - 0.5) * scale);
      for (int i = 0; i < 5; ++i) x = std::nextafter(x, 0.0F);
      for (int i = 0; i < 10; ++i, x = std::nextafter(x, 1e9F)) {
        ASSERT_EQ(code_of(epilogue, x, 0), function(x, 0)) << scale << " * " << code;
      }
    }
  }
}

/// Where all of float64 may come, a multiplier would have to round like a division. Near multiples of a unit it need
/// not.
TEST(FindEpilogue, ALineOfSumsNearMultiplesIsExactOnAllOfThem) {
  constexpr double kUnit = 0.0719 / 16, kSpread = 1e-14;
  for (const double scale : {0.1, 0.0123, 0.017}) {
    for (const bool falls : {false, true}) {
      Chain chain;
      chain.append(operand(op::BinaryFunction::Mul, {falls ? -1.0 : 1.0}));
      chain.append({ScalarFunction::PRelu{ChannelValues({0.3})}});
      const CodeFunction function = quantizer(chain, 8, true, scale);
      SumDomain domain{SumDomain::Kind::Float64, {}, {}};
      EXPECT_TRUE(std::holds_alternative<op::Thresholds>(find_epilogue(function, domain, 1)));
      domain.unit = kUnit;
      domain.spread = kSpread;
      const op::Epilogue epilogue = find_epilogue(function, domain, 1);
      ASSERT_TRUE(std::holds_alternative<op::Affine>(epilogue)) << scale;
      for (int i = -6000; i <= 6000; ++i) {
        for (const double off : {-kSpread, -kSpread / 3, 0.0, kSpread / 2, kSpread}) {
          const double sum = i * kUnit + off;
          ASSERT_EQ(code_of(epilogue, sum, 0), function(sum, 0)) << scale << " " << sum;
        }
      }
    }
  }
}

TEST(FindEpilogue, StepsNearAMultipleAreHeldToTheLastBit) {
  for (const double scale : {0.1, 0.25, 0.0123}) {  // with a step at every second multiple
    const CodeFunction function = quantizer({}, 8, false, scale);
    const SumDomain domain{SumDomain::Kind::Float64, {}, {}, scale / 2, 1e-14};
    const op::Epilogue epilogue = find_epilogue(function, domain, 1);
    EXPECT_TRUE(scale != 0.25 || std::holds_alternative<op::Affine>(epilogue));  // exact in binary
    for (int i = -300; i <= 300; ++i) {
      double sum = i * scale / 2;
      for (int k = 0; k < 8; ++k) sum = std::nextafter(sum, -1e9);
      for (int k = 0; k < 16; ++k, sum = std::nextafter(sum, 1e9)) {
        ASSERT_EQ(code_of(epilogue, sum, 0), function(sum, 0)) << sum;
      }
    }
  }
}

TEST(FindEpilogue, TiesGoToEven) {
  Chain half;
  half.append(operand(op::BinaryFunction::Mul, {0.5}));
  for (int bits : {2, 4, 8}) {
    const CodeFunction function = quantizer(half, bits, true, 1);
    const op::Epilogue epilogue = find_epilogue(function, integers(-600, 600, 1), 1);
    for (int sum = -600; sum <= 600; ++sum) ASSERT_EQ(code_of(epilogue, sum, 0), function(sum, 0)) << sum;
  }
}

TEST(FindRealEpilogue, ClampsMustAgree) {
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {2, -3}));
  chain.append({op::Unary{op::UnaryFunction::Relu}});
  const auto line = find_real_epilogue(chain, 2);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->multiplier, (std::vector<double>{2, -3}));
  EXPECT_EQ(line->lowest, 0);
  EXPECT_TRUE(std::isinf(line->highest));
  chain.append(operand(op::BinaryFunction::Add, {1, 2}));
  EXPECT_FALSE(find_real_epilogue(chain, 2).has_value());
}

TEST(FindRealEpilogue, HasNoKnee) {
  Chain chain;
  chain.append({ScalarFunction::PRelu{ChannelValues({0.5})}});
  EXPECT_FALSE(find_real_epilogue(chain, 1).has_value());
}

}  // namespace
}  // namespace tidbit::compiler
