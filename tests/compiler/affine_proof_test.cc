// Proofs of affine epilogues, and those behind a residual, which rest on them.
#include "compiler/lowering/affine_proof.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/compiler/epilogues.h"

namespace tidbit::compiler {
namespace {

/// In three channels, on every sum from -200 to 200 and every residual code.
void expect_equal(const op::Epilogue& epilogue, const Chain& before, const CodeFunction& after,
                  const ResidualInput& residual) {
  for (int sum = -200; sum <= 200; ++sum) {
    for (size_t c = 0; c < 3; ++c) {
      for (int v = residual.grid->lowest(); v <= residual.grid->highest(); ++v) {
        const double y = before(sum, static_cast<int64_t>(c)) + residual.scale * v;
        ASSERT_EQ(code_of(epilogue, sum, c, v), after(y, static_cast<int64_t>(c))) << sum << " " << c << " " << v;
      }
    }
  }
}

TEST(FindResidualEpilogue, GivesTheFunctionsCodeOnEverySumAndCode) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    Chain before;
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> real(0.01, 0.2);
    before.append(operand(op::BinaryFunction::Mul, {real(random), -real(random), 0}));
    before.append(operand(op::BinaryFunction::Add, {real(random), -real(random), real(random)}));
    Chain after;
    after.append({op::Unary{op::UnaryFunction::Relu}});
    const CodeFunction function = quantizer(after, 4, seed % 2 == 0, 0.125);
    const ResidualInput residual{Grid{4, 1, -8}, seed % 3 ? 0.1 : -0.25};
    const auto epilogue = find_residual_epilogue(before, function, residual, integers(-200, 200, 3), 3);
    ASSERT_TRUE(epilogue.has_value());
    expect_equal(*epilogue, before, function, residual);
  }
}

TEST(FindResidualEpilogue, BendsAtALeakyReluBehindTheSum) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    Chain before;
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> real(0.01, 0.2);
    before.append(operand(op::BinaryFunction::Mul, {real(random), -real(random), 0}));
    before.append(operand(op::BinaryFunction::Add, {real(random), -real(random), seed % 2 ? 0.125 : real(random)}));
    Chain after;
    after.append({ScalarFunction::PRelu{ChannelValues({0.25, real(random), 1 + 5 * real(random)})}});
    after.append(operand(op::BinaryFunction::Add, {0.0625}));
    const CodeFunction function = quantizer(after, 5, true, 0.125);
    const ResidualInput residual{Grid{4, 1, -8}, seed % 3 ? 0.1 : -0.25};
    const auto epilogue = find_residual_epilogue(before, function, residual, integers(-200, 200, 3), 3);
    ASSERT_TRUE(epilogue.has_value());
    EXPECT_EQ(std::get<op::Affine>(*epilogue).knee.size(), 3U);
    expect_equal(*epilogue, before, function, residual);
  }
}

TEST(FindResidualEpilogue, TakesTheSignOfTheSum) {
  struct Scales {
    double sum, bias, residual;
  };
  // With exact zeros, without any, and with zeros that lie between two sums.
  for (const Scales& s : {Scales{0.5, 0.25, 0.75}, {0.0123, 0.31, 0.1}, {-0.25, 0.125, -0.5}, {0.031, 0, 0.07}}) {
    Chain before;
    before.append(operand(op::BinaryFunction::Mul, {s.sum, 3 * s.sum, -s.sum}));
    before.append(operand(op::BinaryFunction::Add, {s.bias, -s.bias, 0}));
    Quantizer q;
    q.bipolar = true;
    const CodeFunction function = {
        {}, {ScalarFunction::FakeQuant{q, ChannelValues({1}), ChannelValues({0})}}, Grid{1, 2, -1}, 1};
    const ResidualInput residual{Grid{2, 2, -3}, s.residual};
    const auto epilogue = find_residual_epilogue(before, function, residual, integers(-500, 500, 3), 3);
    ASSERT_TRUE(epilogue.has_value()) << s.sum;
    for (int sum = -500; sum <= 500; ++sum) {
      for (size_t c = 0; c < 3; ++c) {
        for (int v = -3; v <= 3; v += 2) {
          const double y = before(sum, static_cast<int64_t>(c)) + residual.scale * v;
          ASSERT_EQ(code_of(*epilogue, sum, c, v), y >= 0) << s.sum << " " << sum << " " << c << " " << v;
        }
      }
    }
  }
}

TEST(FindResidualEpilogue, RefusesAKneeBeforeTheSum) {
  Chain before;
  before.append({ScalarFunction::PRelu{ChannelValues({0.5})}});
  EXPECT_FALSE(find_residual_epilogue(before, quantizer({}, 4, false, 1), {Grid{4, 1, 0}, 1}, integers(-9, 9, 1), 1));
}

TEST(FindResidualEpilogue, RefusesAClampBeforeTheSum) {
  Chain before;
  before.append({op::Unary{op::UnaryFunction::Relu}});
  EXPECT_FALSE(find_residual_epilogue(before, quantizer({}, 4, false, 1), {Grid{4, 1, 0}, 1}, integers(-9, 9, 1), 1));
}

TEST(AffineProof, LooksAtTheKnee) {
  Chain chain;
  chain.append(operand(op::BinaryFunction::Mul, {1.0 / 128}));
  const CodeFunction function = quantizer(chain, 4, true, 1);
  op::Affine affine = {.multiplier = {1.0 / 128}, .offset = {8}, .lowest = 0, .highest = 15};
  const SumDomain domain = integers(-76, 128, 1);
  EXPECT_TRUE(gives_codes(affine, function, domain, 1));
  // 2*y + 1/2 for y below 1/4 (all moved by 8): right at the ends and on both sides of each step, but 1 for 0 close to
  // the knee.
  affine.knee = {8.25};
  affine.slope_below = {2};
  affine.offset_below = {-7.5};
  for (const double sum : {-76.0, -65.0, -64.0, 64.0, 65.0, 128.0})
    EXPECT_EQ(code_of(affine, sum, 0), function(sum, 0));
  EXPECT_NE(code_of(affine, 31, 0), function(31, 0));
  EXPECT_FALSE(gives_codes(affine, function, domain, 1));
}

/// Of so many channels that they are proved by several threads; only the last is wrong.
TEST(AffineProof, LooksAtEveryChannelOfMany) {
  constexpr size_t kChannels = 64;
  std::vector<double> multiplier, offset;
  for (size_t c = 0; c < kChannels; ++c) {
    multiplier.push_back(std::sqrt(1e-4 + 1e-6 * static_cast<double>(c)));  // no fraction, so no ties
    offset.push_back(0.31 - multiplier.back() * 3.3);
  }
  Chain before;
  before.append(operand(op::BinaryFunction::Mul, multiplier));
  before.append(operand(op::BinaryFunction::Add, offset));
  const CodeFunction after = quantizer({}, 8, true, 0.037);
  const ResidualInput residual{Grid{8, 1, -128}, 0.021};
  const SumDomain domain = integers(-900, 900, kChannels);
  const auto epilogue = find_residual_epilogue(before, after, residual, domain, kChannels);
  ASSERT_TRUE(epilogue.has_value());
  op::Affine affine = std::get<op::Affine>(*epilogue);
  EXPECT_TRUE(gives_codes(affine, before, after, residual, domain, kChannels));
  affine.offset.back() += 0.01;
  EXPECT_FALSE(gives_codes(affine, before, after, residual, domain, kChannels));
  affine = std::get<op::Affine>(*epilogue);
  affine.multiplier.back() *= 1.0001;
  EXPECT_FALSE(gives_codes(affine, before, after, residual, domain, kChannels));
}

}  // namespace
}  // namespace tidbit::compiler
