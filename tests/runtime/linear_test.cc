// The linear operators beside Convolution: depthwise, and of reals.
#include "tests/runtime/reference.h"
#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

const std::vector<ConvolutionCase>& depthwise_cases() {
  static const std::vector<ConvolutionCase> all = {
      {"padded", 1, 6, 7, 13, 13, square_window(3, 1, 1), 13},
      {"strided", 2, 9, 8, 8, 8, square_window(3, 2, 1), 8},
      {"dilated", 1, 8, 8, 3, 3, square_window(2, 1, 1, 3), 3},
      {"lopsided", 1, 7, 9, 5, 5, lopsided_window(), 5},
      {"many_channels", 1, 3, 3, 5000, 5000, square_window(3, 1, 1), 5000},
      {"one_pixel", 4, 1, 1, 20, 20, square_window(1), 20},
  };
  return all;
}

/// Of weights and of activations.
constexpr std::pair<Grid, Grid> kGrids[] = {
    {{2, 1, -2}, {2, 1, 0}}, {{1, 2, -1}, {1, 2, -1}}, {{8, 1, -128}, {8, 1, 0}}, {{5, 1, -16}, {4, 2, -15}}};

class Depthwise : public testing::TestWithParam<ConvolutionCase> {};

TEST_P(Depthwise, EqualsItsDefinition) {
  const ConvolutionCase& c = GetParam();
  Random random;
  for (const auto& [weights_grid, grid] : kGrids) {
    const std::vector<uint8_t> weights = random.codes(c.taps() * c.channels, weights_grid);  // [tap][channel]
    std::vector<uint8_t> by_channel(weights.size());
    for (size_t tap = 0; tap < c.taps(); ++tap) {
      for (size_t i = 0; i < c.channels; ++i) by_channel[i * c.taps() + tap] = weights[tap * c.channels + i];
    }
    TbitBuilder builder;
    const uint32_t in = builder.code_input(c.in_shape(), grid), out = builder.output(builder.real(c.out_shape()));
    plain::DepthwiseConvolutionT op;
    op.window = std::make_unique<plain::WindowT>(c.window);
    op.weights = builder.weights(c.taps(), 1, c.channels, weights_grid, weights);
    op.epilogues.push_back(builder.identity());
    builder.node("depthwise", std::move(op), {in}, {out});
    const Values values = random.code_values(c.in_shape(), grid);
    const std::vector<double> sums =
        convolve(c, kSamples, values_of(values, grid), values_of(by_channel, weights_grid));
    const std::vector<Values> outputs = run_every_way(builder, {values});
    for (size_t i = 0; i < sums.size(); ++i) ASSERT_EQ(outputs[0][i], sums[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, Depthwise, testing::ValuesIn(depthwise_cases()),
                         [](const auto& test) { return test.param.name; });

const std::vector<ConvolutionCase>& real_cases() {
  static const std::vector<ConvolutionCase> all = {
      {"pointwise", 1, 5, 7, 9, 20, square_window(1)},         {"padded", 2, 6, 5, 3, 5, square_window(3, 1, 1)},
      {"lopsided", 1, 7, 9, 5, 11, lopsided_window()},         {"grouped", 1, 5, 5, 12, 27, square_window(3, 1, 1), 3},
      {"depthwise", 1, 5, 5, 6, 6, square_window(3, 2, 1), 6}, {"many_pixels", 1, 20, 30, 2, 9, square_window(3, 1, 1)},
      {"fully_connected", 5, 1, 1, 100, 19, square_window(1)},
  };
  return all;
}

class RealConvolutions : public testing::TestWithParam<ConvolutionCase> {};

/// Input values and weights are small multiples of powers of two: sums are exact in any order.
Values halves(size_t count, Random& random) {
  Values result(count);
  for (float& value : result) value = static_cast<float>(random.integer(-64, 64)) / 8;
  return result;
}

struct RealLayer {
  std::unique_ptr<plain::WeightsT> weights;
  std::vector<double> values;
};

RealLayer coded_weights(TbitBuilder& builder, const ConvolutionCase& c, const Grid& grid, bool per_channel,
                        Random& random) {
  const size_t row = c.taps() * c.group_channels();
  const std::vector<uint8_t> codes = random.codes(c.out_channels * row, grid);
  std::vector<double> scales;
  for (size_t i = 0; i < (per_channel ? c.out_channels : 1); ++i) scales.push_back(random.integer(1, 16) / 32.0);
  RealLayer layer{builder.weights(c.out_channels, c.taps(), c.group_channels(), grid, codes), values_of(codes, grid)};
  layer.weights->scales = builder.blob(scales);
  for (size_t i = 0; i < layer.values.size(); ++i) layer.values[i] *= scales[per_channel ? i / row : 0];
  return layer;
}

RealLayer float_weights(TbitBuilder& builder, const ConvolutionCase& c, Random& random) {
  const Values values = halves(c.out_channels * c.taps() * c.group_channels(), random);
  return {builder.real_weights(c.out_channels, c.taps(), c.group_channels(), values), {values.begin(), values.end()}};
}

void expect_definition(TbitBuilder& builder, const ConvolutionCase& c, RealLayer layer, Random& random) {
  const uint32_t in = builder.input(c.in_shape());
  const uint32_t sums = builder.output(builder.real(c.out_shape())), codes = builder.codes(c.out_shape(), {2, 1, 0});
  plain::RealConvolutionT op;
  op.window = std::make_unique<plain::WindowT>(c.window);
  op.groups = c.groups;
  op.weights = std::move(layer.weights);
  op.epilogues.push_back(builder.identity());
  op.epilogues.push_back(builder.thresholds<double>(0, 2, {-3.5, 4.25}));
  builder.node("conv", std::move(op), {in}, {sums, codes});
  builder.code_output(codes);
  const Values values = halves(kSamples * Random::elements(c.in_shape()), random);
  const std::vector<double> expected = convolve(c, kSamples, {values.begin(), values.end()}, layer.values);
  const std::vector<Values> outputs = run_every_way(builder, {values});
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(outputs[0][i], static_cast<float>(expected[i])) << i;
    ASSERT_EQ(outputs[1][i], (expected[i] >= -3.5) + (expected[i] >= 4.25)) << i;
  }
}

TEST_P(RealConvolutions, EqualTheirDefinitionWithWeightsInBitPlanes) {
  Random random;
  TbitBuilder builder;
  expect_definition(builder, GetParam(), coded_weights(builder, GetParam(), {2, 1, -2}, true, random), random);
}

TEST_P(RealConvolutions, EqualTheirDefinitionWithWeightsInBytes) {
  Random random;
  TbitBuilder builder;
  expect_definition(builder, GetParam(), coded_weights(builder, GetParam(), {8, 1, -128}, false, random), random);
}

TEST_P(RealConvolutions, EqualTheirDefinitionWithRealWeights) {
  Random random;
  TbitBuilder builder;
  expect_definition(builder, GetParam(), float_weights(builder, GetParam(), random), random);
}

INSTANTIATE_TEST_SUITE_P(, RealConvolutions, testing::ValuesIn(real_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace tidbit::test
