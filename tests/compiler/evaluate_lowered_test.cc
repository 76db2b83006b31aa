// The lowered operators, whose formulas schema/tidbit.fbs gives, against plain loops.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "compiler/evaluate.h"

namespace tidbit::compiler {
namespace {

struct Argument {
  Tensor tensor;
  std::optional<Grid> grid = {};  // codes on it
};

std::vector<Tensor> run(Operator op, const std::vector<Argument>& arguments) {
  Graph graph;
  Node node = {"node", std::move(op), {}, {}};
  std::vector<const Tensor*> inputs;
  for (const Argument& argument : arguments) {
    Value value;
    value.shape = argument.tensor.shape;
    value.codes = argument.grid.has_value();
    if (argument.grid) value.quantization = Quantization{*argument.grid, {1}, -1};
    node.inputs.push_back(graph.add(value));
    inputs.push_back(&argument.tensor);
  }
  return evaluate_node(graph, node, inputs);
}

std::mt19937& random_source() {
  static std::mt19937 source(7);
  return source;
}

Argument random_codes(Shape shape, Grid grid) {
  Tensor tensor = {std::move(shape), {}};
  std::uniform_int_distribution<> code(0, grid.levels() - 1);
  for (int64_t i = elements(tensor.shape); i > 0; --i) tensor.data.push_back(code(random_source()));
  return {std::move(tensor), grid};
}

Argument random_reals(Shape shape) {
  Tensor tensor = {std::move(shape), {}};
  for (int64_t i = elements(tensor.shape); i > 0; --i) {
    tensor.data.push_back(static_cast<float>(std::normal_distribution<>(0, 1)(random_source())));
  }
  return {std::move(tensor)};
}

op::Weights random_weights(int64_t rows, int64_t taps, int64_t channels, Grid grid) {
  op::Weights weights;
  weights.rows = rows, weights.taps = taps, weights.channels = channels, weights.grid = grid;
  std::uniform_int_distribution<> code(0, grid.levels() - 1);
  for (int64_t i = rows * taps * channels; i > 0; --i)
    weights.codes.push_back(static_cast<uint8_t>(code(random_source())));
  return weights;
}

/// real = sum, as it is.
op::RealAffine sum_itself() {
  op::RealAffine epilogue;
  epilogue.multiplier = {1};
  epilogue.offset = {0};
  return epilogue;
}

double value_of(const Argument& argument, size_t i) {
  return argument.grid ? argument.grid->value(static_cast<int32_t>(argument.tensor.data[i])) : argument.tensor.data[i];
}

/// The sum at one output of a [N,H,W,C] layer.
double naive_sum(const op::Linear& linear, const Argument& x, int64_t n, int64_t y, int64_t column, int64_t output) {
  const Window& window = linear.window;
  const op::Weights& w = linear.weights;
  const Shape& shape = x.tensor.shape;
  const bool depthwise = linear.kind == op::LinearKind::Depthwise;
  double sum = 0;
  for (int64_t tap = 0; tap < window.kernel[0] * window.kernel[1]; ++tap) {
    const int64_t row = y * window.stride[0] + tap / window.kernel[1] * window.dilation[0] - window.pad_begin[0];
    const int64_t col = column * window.stride[1] + tap % window.kernel[1] * window.dilation[1] - window.pad_begin[1];
    if (row < 0 || row >= shape[1] || col < 0 || col >= shape[2]) continue;
    const int64_t pixel = ((n * shape[1] + row) * shape[2] + col) * shape[3];
    const int64_t first = depthwise ? output : output / (w.rows / linear.groups) * w.channels;
    for (int64_t c = 0; c < (depthwise ? 1 : w.channels); ++c) {
      const auto at =
          static_cast<size_t>(depthwise ? tap * w.channels + output : (output * w.taps + tap) * w.channels + c);
      double weight = w.grid ? double(w.grid->value(w.codes[at])) : double(w.reals[at]);
      if (!w.scales.empty()) weight *= w.scales[w.scales.size() == 1 ? 0 : static_cast<size_t>(output)];
      sum += value_of(x, static_cast<size_t>(pixel + first + c)) * weight;
    }
  }
  return sum;
}

void expect_sums(const op::Linear& linear, const Argument& x, double tolerance) {
  const Tensor y = run(linear, {x})[0];
  for (size_t i = 0; i < y.data.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const Shape& s = y.shape;
    const double sum =
        naive_sum(linear, x, at / (s[1] * s[2] * s[3]), at / (s[2] * s[3]) % s[1], at / s[3] % s[2], at % s[3]);
    ASSERT_NEAR(y.data[i], static_cast<float>(sum), tolerance) << "output " << i;
  }
}

constexpr Grid kUnsigned2 = {2, 1, 0}, kBipolar1 = {1, 2, -1}, kBipolar2 = {2, 2, -3}, kSigned4 = {4, 1, -8};
const Window kWindow = {{3, 2}, {2, 1}, {1, 2}, {1, 2}, {2, 1}};

TEST(Linear, SumsOnEveryPairOfGridsSkippingThePadding) {
  for (const Grid x : {kUnsigned2, kBipolar1, kBipolar2, kSigned4}) {
    for (const Grid w : {kUnsigned2, kBipolar1, kBipolar2, kSigned4}) {
      op::Linear linear = {op::LinearKind::Quantized, kWindow, 2, random_weights(6, 6, 5, w), {sum_itself()}};
      expect_sums(linear, random_codes({2, 6, 7, 10}, x), 0);
      linear = {op::LinearKind::Depthwise, kWindow, 1, random_weights(6, 1, 9, w), {sum_itself()}};
      expect_sums(linear, random_codes({2, 6, 7, 9}, x), 0);
    }
  }
}

TEST(Linear, SumsOfReals) {
  op::Linear linear = {op::LinearKind::RealInput, kWindow, 2, random_weights(6, 6, 5, kSigned4), {sum_itself()}};
  linear.weights.scales = {0.5, 0.25, 1, 2, 0.125, 3};
  expect_sums(linear, random_reals({2, 6, 7, 10}), 1e-4);
  linear.weights.scales = {0.5};
  expect_sums(linear, random_reals({2, 6, 7, 10}), 1e-4);
  linear.weights.scales.clear();
  linear.weights.grid.reset();
  for (size_t i = 0; i < linear.weights.codes.size(); ++i)
    linear.weights.reals.push_back(0.25F * static_cast<float>(i % 7));
  expect_sums(linear, random_reals({2, 6, 7, 10}), 1e-4);
}

TEST(Linear, IsFullyConnectedOverTheLastAxis) {
  const op::Linear linear = {op::LinearKind::Quantized, {}, 1, random_weights(3, 1, 4, kSigned4), {sum_itself()}};
  for (const Shape& shape : {Shape{4}, Shape{2, 4}, Shape{2, 5, 4}, Shape{2, 1, 2, 3, 4}}) {
    const Argument x = random_codes(shape, kUnsigned2);
    Shape expected = shape;
    expected.back() = 3;
    const Tensor y = run(linear, {x})[0];
    ASSERT_EQ(y.shape, expected);
    for (size_t i = 0; i < y.data.size(); ++i) {
      double sum = 0;
      for (size_t c = 0; c < 4; ++c)
        sum += value_of(x, i / 3 * 4 + c) * kSigned4.value(linear.weights.codes[i % 3 * 4 + c]);
      EXPECT_EQ(y.data[i], sum);
    }
  }
}

/// One output a sum: x is [sums][1], the weight 1.
std::vector<double> epilogue_of(const op::Epilogue& epilogue, const std::vector<double>& sums,
                                const std::vector<double>& residuals = {}) {
  op::Weights one;
  one.rows = one.taps = one.channels = 1;
  one.reals = {1};
  std::vector<Argument> arguments = {{{{static_cast<int64_t>(sums.size()), 1}, sums}}};
  if (!residuals.empty()) arguments.push_back({{arguments[0].tensor.shape, residuals}});
  return run(op::Linear{op::LinearKind::RealInput, {}, 1, one, {epilogue}}, arguments)[0].data;
}

using Numbers = std::vector<double>;

TEST(Epilogue, ThresholdsCountTheStepsReached) {
  op::Thresholds thresholds = {.channels = 1, .steps = 3, .lowest = 2, .values = {-4, 0, 0}, .falling = {}};
  EXPECT_EQ(epilogue_of(thresholds, {-5, -4, -1, 0, 9}), (Numbers{2, 3, 3, 5, 5}));
  thresholds.falling = {1};
  EXPECT_EQ(epilogue_of(thresholds, {-1, 0, 1, 4, 5}), (Numbers{5, 5, 3, 3, 2}));
}

TEST(Epilogue, ThresholdsAreAChannelsOwn) {
  const op::Thresholds thresholds = {.channels = 2, .steps = 1, .values = {0, 10}, .falling = {0, 1}};
  const Tensor y = run(op::Quantize{thresholds}, {{{{2, 2}, {5, 5, -5, -11}}}})[0];
  EXPECT_EQ(y.data, (Numbers{1, 0, 0, 1}));
}

TEST(Epilogue, AffineRoundsHalvesToEvenAndClamps) {
  const op::Affine affine = {.multiplier = {0.5}, .offset = {1}, .lowest = 0, .highest = 3};
  EXPECT_EQ(epilogue_of(affine, {-9, -1, 1, 3, 9}), (Numbers{0, 0, 2, 2, 3}));
}

TEST(Epilogue, AffineInFloat32RoundsEachOperation) {
  op::Affine affine = {.float32 = true, .multiplier = {0.5}, .offset = {1e-9}, .lowest = 0, .highest = 255};
  EXPECT_EQ(epilogue_of(affine, {5}), Numbers{2});  // 2.5 + 1e-9 is 2.5 in float32
  affine.float32 = false;
  EXPECT_EQ(epilogue_of(affine, {5}), Numbers{3});
  // The sum too is rounded to float32: 2^24 + 1 becomes 2^24.
  affine = {.float32 = true, .multiplier = {1}, .offset = {-16777216}, .lowest = 0, .highest = 255};
  EXPECT_EQ(epilogue_of(affine, {16777217}), Numbers{0});
  // A fused multiply-add would keep the part of the product that rounding drops, and give 1.
  const float third = 1.0F / 3;
  float sum = 3000;
  while (static_cast<double>(third) * sum - static_cast<double>(third * sum) < 1e-5) ++sum;
  affine = {.float32 = true, .multiplier = {third}, .offset = {0.5 - static_cast<double>(third * sum)}, .highest = 255};
  EXPECT_EQ(epilogue_of(affine, {sum}), Numbers{0});
}

TEST(Epilogue, AffineBendsWhatIsBelowTheKnee) {
  op::Affine affine = {.multiplier = {2}, .offset = {1}, .residual_multiplier = 1, .lowest = 0, .highest = 15};
  affine.knee = {5};
  affine.slope_below = {0.5};
  affine.offset_below = {3};
  EXPECT_EQ(epilogue_of(affine, {-3, 0, 1, 2, 3}, {0, 2, 0, 0, 0}), (Numbers{0, 4, 4, 5, 7}));
  affine.float32 = true;
  affine.offset_below = {1e-9};  // 2.5 + 1e-9 is 2.5 in float32
  affine.knee = {6};
  EXPECT_EQ(epilogue_of(affine, {2}, {0}), Numbers{2});
}

TEST(Epilogue, FixedPointShiftsAndTakesTheLineBelowTheKnee) {
  op::FixedPoint fixed = {.line = {{1 << 30}, {int64_t{1} << 31}, {32}}, .lowest = 1, .highest = 9};  // (sum/4 + 1/2)
  EXPECT_EQ(epilogue_of(fixed, {-9, 1, 5, 6, 13, 14, 100}), (Numbers{1, 1, 1, 2, 3, 4, 9}));
  fixed.knee = {14};
  fixed.below = {{-(1 << 30)}, {int64_t{7} << 32}, {32}};  // 7 - sum/4
  EXPECT_EQ(epilogue_of(fixed, {-100, 0, 1, 13, 14}), (Numbers{9, 7, 6, 3, 4}));
}

TEST(Epilogue, ResidualsAreAddedLast) {
  const op::Affine affine = {
      .multiplier = {1}, .offset = {0.25}, .residual_multiplier = 0.5, .lowest = 0, .highest = 15};
  EXPECT_EQ(epilogue_of(affine, {1, 1, 1}, {0, 3, -9}), (Numbers{1, 3, 0}));
  op::RealAffine real = sum_itself();
  real.residual_multiplier = 2;
  real.highest = 4;
  EXPECT_EQ(epilogue_of(real, {1, 1, 0.1}, {1, 7, 0}), (Numbers{3, 4, static_cast<double>(0.1F)}));
}

TEST(Epilogue, ResidualCodesStandForTheirValues) {
  op::Affine affine = {.multiplier = {1}, .offset = {0}, .residual_multiplier = 1, .lowest = 0, .highest = 15};
  const op::Linear linear = {
      op::LinearKind::Quantized, {}, 1, {1, 1, 1, Grid{2, 1, 0}, {1}, {}, {}}, {affine, sum_itself()}};
  const Argument x = {{{3, 1}, {1, 2, 3}}, kUnsigned2}, residual = {{{3, 1}, {0, 2, 3}}, kBipolar2};
  const std::vector<Tensor> outputs = run(linear, {x, residual});
  EXPECT_EQ(outputs[0].data, (Numbers{0, 3, 6}));  // residual values -3, 1, 3
  EXPECT_EQ(outputs[1].data, (Numbers{1, 2, 3}));
}

TEST(Tables, DequantizeLookupCombine) {
  const Argument x = {{{2, 2}, {0, 3, 1, 2}}, kUnsigned2};
  EXPECT_EQ(run(op::Dequantize{1, {-1, 0.5, 2, 4}}, {x})[0].data, (Numbers{-1, 4, 0.5, 2}));
  EXPECT_EQ(run(op::Dequantize{2, {0, 1, 2, 3, 10, 11, 12, 13}}, {x})[0].data, (Numbers{0, 13, 1, 12}));
  EXPECT_EQ(run(op::Lookup{2, {3, 2, 1, 0, 4, 5, 6, 7}}, {x})[0].data, (Numbers{3, 7, 2, 6}));
  const Argument one_bit = {{{2, 2}, {1, 0, 1, 0}}, kBipolar1};
  EXPECT_EQ(run(op::Combine{{0, 1, 2, 3, 4, 5, 6, 7}}, {x, one_bit})[0].data, (Numbers{1, 6, 3, 4}));
}

TEST(ResidualAdd, AddsValues) {
  const Argument x = {{{1, 3}, {0, 2, 3}}, kUnsigned2}, residual = {{{1, 3}, {0, 2, 3}}, kBipolar2};  // -3, 1, 3
  const op::Affine affine = {.multiplier = {1}, .offset = {1}, .residual_multiplier = 0.5, .lowest = 0, .highest = 5};
  EXPECT_EQ(run(op::ResidualAdd{affine}, {x, residual})[0].data, (Numbers{0, 4, 5}));  // -0.5, 3.5, 5.5
}

TEST(CodePool, SumsTheValuesInsideTheImage) {
  const Argument x = {{{1, 2, 2, 1}, {0, 1, 2, 3}}, kBipolar2};  // values -3, -1, 1, 3
  op::CodePool pool = {{{2, 2}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, sum_itself()};
  EXPECT_EQ(run(pool, {x})[0].data, (Numbers{-3, -1, 1, 3}));
  pool.window = {{2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  pool.epilogue = op::Affine{.multiplier = {0.25}, .offset = {2}, .lowest = 0, .highest = 3};
  EXPECT_EQ(run(pool, {x})[0].data, Numbers{2});
}

TEST(Map, RunsEachFunction) {
  using Function = op::MapStep::Function;
  const auto map = [](op::MapStep step, const Numbers& x) {
    return run(op::Map{{std::move(step)}}, {{{{static_cast<int64_t>(x.size()), 1}, x}}})[0].data;
  };
  EXPECT_EQ(map({Function::Affine, {2}, {1}}, {3, -1}), (Numbers{7, -1}));
  EXPECT_EQ(map({Function::Clamp, {-1}, {1}}, {3, -2, 0.5}), (Numbers{1, -1, 0.5}));
  EXPECT_EQ(map({Function::LeakyRelu, {0.5}, {}}, {3, -2}), (Numbers{3, -1}));
  EXPECT_EQ(map({Function::Sigmoid, {}, {}}, {0}), Numbers{0.5});
  EXPECT_EQ(map({Function::Tanh, {}, {}}, {0.5}), Numbers{std::tanh(0.5)});
  EXPECT_EQ(map({Function::FakeQuant, {0.5}, {1}, 0, 3, Rounding::Floor}, {-9, 0.3, 0.6, 9}),
            (Numbers{-0.5, 0, 0.5, 1}));
  EXPECT_EQ(map({Function::Bipolar, {0.5}, {}}, {-1, 0}), (Numbers{-0.5, 0.5}));
}

TEST(Map, ChainsWithAChannelsOwnNumbers) {
  using Function = op::MapStep::Function;
  const op::Map map = {{{Function::Affine, {2, 3}, {1}}, {Function::Clamp, {0}, {10, 5}}}};
  EXPECT_EQ(run(map, {{{{2, 2}, {1, 1, 9, 9}}}})[0].data, (Numbers{3, 4, 10, 5}));
}

TEST(Movement, WorksOnCodesAsOnReals) {
  const Argument x = {{{1, 2, 2, 1}, {0, 3, 2, 1}}, kBipolar2};
  EXPECT_EQ(run(op::MaxPool{{{2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, Layout::ChannelsLast}, {x})[0].data, Numbers{3});
  EXPECT_EQ(run(op::Transpose{{0, 2, 1, 3}}, {x})[0].data, (Numbers{0, 2, 3, 1}));
  EXPECT_EQ(run(op::Concat{3}, {x, x})[0].data, (Numbers{0, 0, 3, 3, 2, 2, 1, 1}));
  EXPECT_EQ(run(op::Pad{{0, 0, 1, 0}, {0, 0, 0, 0}, 2}, {x})[0].data, (Numbers{2, 0, 3, 2, 2, 1}));
  EXPECT_EQ(run(op::Resize{{1}, {0, 0, 1}, Layout::ChannelsLast}, {x})[0].data, (Numbers{2, 2, 1}));
}

}  // namespace
}  // namespace tidbit::compiler
