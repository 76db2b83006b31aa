#include <cmath>
#include <limits>

#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

constexpr Grid kCodes2{2, 1, 0}, kCodes3{3, 1, -4};

TEST(Quantize, CountsThresholdsOfEachChannel) {
  Random random;
  for (const Shape& shape : {Shape{1, 4, 3, 5}, Shape{7}, Shape{2, 3000}, Shape{}}) {
    const size_t channels = shape.empty() ? 1 : shape.back();
    std::vector<double> values;
    std::vector<uint8_t> falling;
    for (size_t i = 0; i < channels; ++i) {
      const double first = random.integer(-8, 4) / 4.0;
      values.insert(values.end(), {first, first, first + 0.5});
      falling.push_back(i % 3 == 1);
    }
    TbitBuilder builder;
    const uint32_t in = builder.input(shape), out = builder.codes(shape, kCodes2);
    plain::QuantizeT op;
    op.epilogue = builder.thresholds(0, 3, values, falling);
    builder.node("quantize", std::move(op), {in}, {out});
    builder.code_output(out);
    const Values x = random.real_values(shape);
    const std::vector<Values> outputs = run_every_way(builder, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t c = i % channels;
      const double s = falling[c] != 0 ? -x[i] : x[i];
      int expected = 0;
      for (size_t k = 0; k < 3; ++k) expected += s >= values[c * 3 + k];
      ASSERT_EQ(outputs[0][i], expected) << i;
    }
  }
}

TEST(Quantize, GivesACodeForWhateverComes) {
  TbitBuilder builder;
  const Shape shape{4};
  const uint32_t in = builder.input(shape), affine = builder.codes(shape, kCodes3),
                 steps = builder.codes(shape, kCodes2);
  plain::QuantizeT op;
  op.epilogue = builder.affine<double>({2}, {0.5}, 6);
  builder.node("affine", std::move(op), {in}, {affine});
  op.epilogue = builder.thresholds<double>(0, 3, {0, 1, 2});
  builder.node("thresholds", std::move(op), {in}, {steps});
  builder.code_output(affine);
  builder.code_output(steps);
  const float infinity = std::numeric_limits<float>::infinity();
  const TbitFile file = builder.finish();
  const auto outputs = run(load(file), {{std::nanf(""), infinity, -infinity, 1}}, {});
  EXPECT_EQ(outputs[0], (Values{0, 6, 0, 2}));
  EXPECT_EQ(outputs[1], (Values{0, 3, 0, 2}));
}

TEST(Dequantize, LooksReal) {
  Random random;
  for (const bool per_channel : {false, true}) {
    const Shape shape{200, 30, 5};
    const Values table = random.reals(per_channel ? 5 * 8 : 8);
    TbitBuilder builder;
    const uint32_t in = builder.code_input(shape, kCodes3), out = builder.output(builder.real(shape));
    plain::DequantizeT op;
    op.values = builder.blob(table);
    builder.node("dequantize", std::move(op), {in}, {out});
    const Values codes = random.code_values(shape, kCodes3);
    const std::vector<Values> outputs = run_every_way(builder, {codes});
    for (size_t i = 0; i < codes.size(); ++i) {
      ASSERT_EQ(outputs[0][i], table[(per_channel ? i % 5 * 8 : 0) + static_cast<size_t>(codes[i])]);
    }
  }
}

TEST(Lookup, LooksUpCodes) {
  Random random;
  for (const bool per_channel : {false, true}) {
    const Shape shape{1, 80, 60, 6};
    const std::vector<uint8_t> table = random.codes((per_channel ? 6 : 1) * 8, kCodes2);
    TbitBuilder builder;
    const uint32_t in = builder.code_input(shape, kCodes3), out = builder.codes(shape, kCodes2);
    plain::LookupT op;
    op.codes = builder.blob(table);
    builder.node("lookup", std::move(op), {in}, {out});
    builder.code_output(out);
    const Values codes = random.code_values(shape, kCodes3);
    const std::vector<Values> outputs = run_every_way(builder, {codes});
    for (size_t i = 0; i < codes.size(); ++i) {
      ASSERT_EQ(outputs[0][i], table[(per_channel ? i % 6 * 8 : 0) + static_cast<size_t>(codes[i])]);
    }
  }
}

TEST(Combine, LooksUpPairs) {
  Random random;
  const Shape shape{300, 101};
  const std::vector<uint8_t> table = random.codes(8 * 4, {8, 1, 0});
  TbitBuilder builder;
  const uint32_t a = builder.code_input(shape, kCodes3), b = builder.code_input(shape, kCodes2);
  const uint32_t out = builder.codes(shape, {8, 1, 0});
  plain::CombineT op;
  op.codes = builder.blob(table);
  builder.node("combine", std::move(op), {a, b}, {out});
  builder.code_output(out);
  const Values x = random.code_values(shape, kCodes3), y = random.code_values(shape, kCodes2);
  const std::vector<Values> outputs = run_every_way(builder, {x, y});
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(outputs[0][i], table[static_cast<size_t>(x[i]) * 4 + static_cast<size_t>(y[i])]);
  }
}

TEST(ResidualAdd, RunsItsEpiloguesOnTheSum) {
  Random random;
  for (const Shape& shape : {Shape{300, 101}, Shape{1, 9, 7, 16}, Shape{2, 5000}}) {
    const Grid signed8{8, 1, -128}, bipolar2{2, 2, -3}, unsigned8{8, 1, 0};
    TbitBuilder builder;
    const uint32_t a = builder.code_input(shape, signed8), b = builder.code_input(shape, bipolar2);
    const uint32_t codes = builder.codes(shape, unsigned8), reals = builder.output(builder.real(shape));
    plain::ResidualAddT op;
    op.epilogues.push_back(builder.affine<float>({0.25f}, {30}, 200, -2.5));
    op.epilogues.push_back(builder.real_affine({0.5}, {1}));
    builder.node("add", std::move(op), {a, b}, {codes, reals});
    builder.code_output(codes);
    const Values x = random.code_values(shape, signed8), y = random.code_values(shape, bipolar2);
    const std::vector<Values> outputs = run_every_way(builder, {x, y});
    for (size_t i = 0; i < x.size(); ++i) {
      const float v = x[i] - 128, r = 2 * y[i] - 3;
      ASSERT_EQ(outputs[0][i], v * 0.5f + 1) << i;
      ASSERT_EQ(outputs[1][i], std::clamp(std::nearbyint(v * 0.25f + 30 + r * -2.5f), 0.0f, 200.0f)) << i;
    }
  }
}

/// What a Map of one step makes of the values, whose last axis is `channels`.
Values map(const Values& values, uint32_t channels, plain::MapFunction function, const std::vector<double>& a,
           const std::vector<double>& b, double lowest = 0, double highest = 0,
           plain::Rounding rounding = plain::Rounding::HalfEven) {
  TbitBuilder builder;
  const Shape shape{static_cast<uint32_t>(values.size()) / channels, channels};
  const uint32_t in = builder.input(shape), out = builder.output(builder.real(shape));
  auto step = std::make_unique<plain::MapStepT>();
  step->function = function;
  if (!a.empty()) step->a = builder.blob(a);
  if (!b.empty()) step->b = builder.blob(b);
  step->lowest = lowest;
  step->highest = highest;
  step->rounding = rounding;
  plain::MapT op;
  op.steps.push_back(std::move(step));
  builder.node("map", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  return run(load(file), {values}, {})[0];
}

TEST(Map, AppliesEachFunction) {
  using enum plain::MapFunction;
  const Values x{-2, -0.5f, 0, 0.75f, 3, 100};
  EXPECT_EQ(map(x, 1, Affine, {2}, {1}), (Values{-3, 0, 1, 2.5f, 7, 201}));
  EXPECT_EQ(map(x, 3, Affine, {2, 1, 0}, {1}), (Values{-3, 0.5f, 1, 2.5f, 4, 1}));
  EXPECT_EQ(map(x, 2, Clamp, {-1}, {2, 50}), (Values{-1, -0.5f, 0, 0.75f, 2, 50}));
  EXPECT_EQ(map(x, 1, LeakyRelu, {0.5}, {}), (Values{-1, -0.25f, 0, 0.75f, 3, 100}));
  EXPECT_EQ(map(x, 2, Bipolar, {1, 0.25}, {}), (Values{-1, -0.25f, 1, 0.25f, 1, 0.25f}));
  EXPECT_EQ(map({0, 2}, 1, Sigmoid, {}, {}), (Values{0.5f, static_cast<float>(1 / (1 + std::exp(-2.0)))}));
  EXPECT_EQ(map({0, 2}, 1, Tanh, {}, {}), (Values{0, static_cast<float>(std::tanh(2.0))}));
  EXPECT_EQ(map({0, 1}, 1, Exp, {}, {}), (Values{1, static_cast<float>(std::exp(1.0))}));
  EXPECT_EQ(map({1, 2}, 1, Log, {}, {}), (Values{0, static_cast<float>(std::log(2.0))}));
  EXPECT_EQ(map({9, 2}, 1, Sqrt, {}, {}), (Values{3, static_cast<float>(std::sqrt(2.0))}));
  EXPECT_EQ(map({-3, 2}, 1, Abs, {}, {}), (Values{3, 2}));
  EXPECT_EQ(map({0, 0.5f}, 1, Erf, {}, {}), (Values{0, static_cast<float>(std::erf(0.5))}));
  EXPECT_EQ(map({-4, 0, 1.5f, 7}, 1, HardSwish, {}, {}), (Values{0, 0, 1.125f, 7}));
  EXPECT_FLOAT_EQ(map({1}, 1, Gelu, {}, {})[0], 0.841344746f);
  EXPECT_FLOAT_EQ(map({1}, 1, GeluTanh, {}, {})[0], 0.841191990f);
  EXPECT_EQ(map({-3, 2}, 2, Power, {2, 3}, {}), (Values{9, 8}));
  EXPECT_EQ(map({-4, 2}, 2, Quotient, {1, 3}, {}), (Values{-0.25f, 1.5f}));
  // (clamp(round(x/0.5 + 1), 0, 4) - 1) * 0.5
  EXPECT_EQ(map(x, 1, FakeQuant, {0.5}, {1}, 0, 4), (Values{-0.5f, -0.5f, 0, 0.5f, 1.5f, 1.5f}));
}

TEST(Map, RoundsAsItIsTold) {
  const Values x{-2.5f, -1.5f, -1.25f, 0.5f, 1.25f, 1.5f, 1.75f, 2.5f};
  const auto round = [&](plain::Rounding rounding) {
    return map(x, 1, plain::MapFunction::FakeQuant, {1}, {0}, -100, 100, rounding);
  };
  using enum plain::Rounding;
  EXPECT_EQ(round(HalfEven), (Values{-2, -2, -1, 0, 1, 2, 2, 2}));
  EXPECT_EQ(round(Floor), (Values{-3, -2, -2, 0, 1, 1, 1, 2}));
  EXPECT_EQ(round(Ceil), (Values{-2, -1, -1, 1, 2, 2, 2, 3}));
  EXPECT_EQ(round(TowardZero), (Values{-2, -1, -1, 0, 1, 1, 1, 2}));
  EXPECT_EQ(round(AwayFromZero), (Values{-3, -2, -2, 1, 2, 2, 2, 3}));
  EXPECT_EQ(round(HalfUp), (Values{-3, -2, -1, 1, 1, 2, 2, 3}));
  EXPECT_EQ(round(HalfDown), (Values{-2, -1, -1, 0, 1, 1, 2, 2}));
}

TEST(Map, ChainsItsSteps) {
  Random random;
  for (const Shape& shape : {Shape{1, 90, 110, 3}, Shape{2, 700}, Shape{}}) {
    const size_t channels = shape.empty() ? 1 : shape.back();
    const Values slopes = random.reals(channels);
    const std::vector<double> slope(slopes.begin(), slopes.end());
    TbitBuilder builder;
    const uint32_t in = builder.input(shape), out = builder.output(builder.real(shape));
    plain::MapT op;
    for (int i = 0; i < 2; ++i) {
      op.steps.push_back(std::make_unique<plain::MapStepT>());
      op.steps.back()->function = i == 0 ? plain::MapFunction::Affine : plain::MapFunction::LeakyRelu;
      op.steps.back()->a = builder.blob(slope);
      if (i == 0) op.steps.back()->b = builder.blob(std::vector<double>{0.5});
    }
    builder.node("map", std::move(op), {in}, {out});
    const Values x = random.real_values(shape);
    const std::vector<Values> outputs = run_every_way(builder, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      const double y = static_cast<double>(x[i]) * slope[i % channels] + 0.5;
      ASSERT_EQ(outputs[0][i], static_cast<float>(y < 0 ? y * slope[i % channels] : y)) << i;
    }
  }
}

/// The element of a tensor that broadcasts to output element `index`.
size_t broadcast_index(size_t index, const Shape& out, const Shape& shape) {
  size_t result = 0, stride = 1;
  for (size_t i = 1; i <= out.size(); ++i) {
    const size_t coordinate = index % out[out.size() - i];
    index /= out[out.size() - i];
    if (i > shape.size()) continue;
    if (shape[shape.size() - i] > 1) result += coordinate * stride;
    stride *= shape[shape.size() - i];
  }
  return result;
}

TEST(Binary, BroadcastsLikeNumpy) {
  struct Case {
    Shape a, b, out;
  };
  Random random;
  for (const auto& [a, b, out] :
       {Case{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}}, Case{{2, 3, 4}, {4}, {2, 3, 4}}, Case{{3, 1}, {2, 1, 5}, {2, 3, 5}},
        Case{{}, {3, 2}, {3, 2}}, Case{{}, {}, {}}, Case{{1, 4, 1, 3}, {2, 1, 5, 3}, {2, 4, 5, 3}},
        Case{{6, 1, 1}, {6, 2, 3}, {6, 2, 3}}, Case{{150, 1, 20}, {11, 1}, {150, 11, 20}}}) {
    for (const auto function : plain::EnumValuesBinaryFunction()) {
      TbitBuilder builder;
      const uint32_t x = builder.input(a), y = builder.input(b), z = builder.output(builder.real(out));
      plain::BinaryT op;
      op.function = function;
      builder.node("binary", std::move(op), {x, y}, {z});
      const Values u = random.real_values(a), v = random.real_values(b);
      const std::vector<Values> outputs = run_every_way(builder, {u, v});
      const size_t elements = Random::elements(out);
      for (size_t i = 0; i < kSamples * elements; ++i) {
        const size_t sample = i / elements;
        const float p = u[sample * Random::elements(a) + broadcast_index(i % elements, out, a)];
        const float q = v[sample * Random::elements(b) + broadcast_index(i % elements, out, b)];
        const float expected[] = {p + q, p - q, p * q, p / q};
        ASSERT_EQ(outputs[0][i], expected[static_cast<size_t>(function)]) << i;
      }
    }
  }
}

TEST(Constants, AreInEverySampleOfABatch) {
  TbitBuilder builder;
  const Shape shape{2, 2};
  const uint32_t in = builder.input(shape), weights = builder.real({2}), out = builder.output(builder.real(shape));
  builder.constant(weights, {10, 20});
  builder.node("add", plain::BinaryT(), {in, weights}, {out});
  builder.output(weights);
  const std::vector<Values> outputs = run_every_way(builder, {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}});
  EXPECT_EQ(outputs[0], (Values{11, 22, 13, 24, 15, 26, 17, 28, 19, 30, 21, 32}));
  EXPECT_EQ(outputs[1], (Values{10, 20, 10, 20, 10, 20}));
}

}  // namespace
}  // namespace tidbit::test
