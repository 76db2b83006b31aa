#include <cmath>

#include "kernels/gemm.h"
#include "tests/runtime/reference.h"
#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

const std::vector<ConvolutionCase>& cases() {
  static const std::vector<ConvolutionCase> all = {
      {"pointwise", 1, 5, 7, 9, 70, square_window(1), 1},
      {"padded", 1, 6, 5, 17, 5, square_window(3, 1, 1), 1},
      {"strided", 2, 9, 8, 8, 4, square_window(3, 2, 1), 1},
      {"dilated", 1, 8, 8, 3, 6, square_window(2, 1, 1, 3), 1},
      {"lopsided", 1, 7, 9, 5, 3, lopsided_window(), 1},
      {"grouped", 1, 5, 5, 12, 9, square_window(3, 1, 1), 3},
      {"one_channel_groups", 1, 4, 6, 5, 10, square_window(3, 1, 1), 5},
      {"many_tiles", 1, 21, 19, 4, 130, square_window(3, 1, 1), 1},
      {"only_padding_beside", 1, 1, 1, 4, 3, square_window(3, 1, 1), 1},
      {"fully_connected", 5, 1, 1, 100, 67, square_window(1), 1},
  };
  return all;
}

constexpr Grid kUnsigned1{1, 1, 0}, kUnsigned2{2, 1, 0}, kUnsigned4{4, 1, 0}, kUnsigned8{8, 1, 0};
constexpr Grid kSigned2{2, 1, -2}, kSigned3{3, 1, -4}, kSigned4{4, 1, -8}, kSigned8{8, 1, -128}, kZeroPoint6{6, 1, -17};
constexpr Grid kBipolar1{1, 2, -1}, kBipolar2{2, 2, -3}, kBipolar4{4, 2, -15};

/// Of weights and of activations.
constexpr std::pair<Grid, Grid> kGrids[] = {
    {kSigned2, kUnsigned2}, {kBipolar1, kBipolar1},    {kBipolar1, kUnsigned2}, {kSigned2, kBipolar2},
    {kSigned4, kUnsigned4}, {kBipolar4, kSigned3},     {kSigned8, kUnsigned8},  {kSigned8, kSigned2},
    {kSigned2, kUnsigned8}, {kZeroPoint6, kUnsigned1}, {kSigned3, kZeroPoint6},
};

/// A convolution whose first output is its sums, and whose second is codes of 3 bits by thresholds that fall in every
/// second channel.
struct Layer {
  std::vector<uint8_t> weights;
  std::vector<int32_t> thresholds;
  std::vector<uint8_t> falling;
  TbitFile file;

  int32_t code(double sum, size_t channel) const {
    const double s = falling[channel] != 0 ? -sum : sum;
    int32_t count = 0;
    for (size_t k = 0; k < kSteps; ++k) count += s >= thresholds[channel * kSteps + k];
    return kLowest + count;
  }

  static constexpr uint32_t kSteps = 6;
  static constexpr uint8_t kLowest = 1;
};

Layer make_layer(const ConvolutionCase& c, const Grid& weights_grid, const Grid& grid, Random& random) {
  Layer layer{random.codes(c.out_channels * c.taps() * c.group_channels(), weights_grid), {}, {}, TbitFile(0)};
  for (uint32_t i = 0; i < c.out_channels; ++i) {
    std::vector<int32_t> steps;
    for (uint32_t k = 0; k < Layer::kSteps; ++k) steps.push_back(random.integer(-40, 40));
    std::ranges::sort(steps);
    layer.thresholds.insert(layer.thresholds.end(), steps.begin(), steps.end());
    layer.falling.push_back(i % 2);
  }
  TbitBuilder builder;
  const uint32_t in = builder.code_input(c.in_shape(), grid);
  plain::ConvolutionT op;
  op.window = std::make_unique<plain::WindowT>(c.window);
  op.groups = c.groups;
  op.weights = builder.weights(c.out_channels, c.taps(), c.group_channels(), weights_grid, layer.weights);
  op.epilogues.push_back(builder.identity());
  op.epilogues.push_back(builder.thresholds(Layer::kLowest, Layer::kSteps, layer.thresholds, layer.falling));
  const uint32_t sums = builder.output(builder.real(c.out_shape())), codes = builder.codes(c.out_shape(), {3, 1, 0});
  builder.node("conv", std::move(op), {in}, {sums, codes});
  builder.code_output(codes);
  layer.file = builder.finish();
  return layer;
}

class Convolutions : public testing::TestWithParam<ConvolutionCase> {};

TEST_P(Convolutions, EqualTheirDefinitionInEveryFamily) {
  const ConvolutionCase& c = GetParam();
  Random random;
  for (const auto& [weights_grid, grid] : kGrids) {
    SCOPED_TRACE(testing::Message() << "weights " << weights_grid.bits << " bits from " << weights_grid.base
                                    << ", activations " << grid.bits << " bits from " << grid.base);
    const Layer layer = make_layer(c, weights_grid, grid, random);
    const Values in = random.code_values(c.in_shape(), grid);
    const std::vector<double> sums = convolve(c, kSamples, values_of(in, grid), values_of(layer.weights, weights_grid));
    const std::vector<Values> outputs = run_every_way(load(layer.file), {in});
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(outputs[0][i], sums[i]) << "sum " << i;
      ASSERT_EQ(outputs[1][i], layer.code(sums[i], i % c.out_channels)) << "code " << i;
    }
    for (const char* family : {"bitserial", "lut", "dot"}) {
      const Model model = load(layer.file, {.kernel_family = family});
      EXPECT_EQ(run(model, {in}, {.batch = kSamples, .threads = 2}), outputs) << family;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, Convolutions, testing::ValuesIn(cases()), [](const auto& test) { return test.param.name; });

/// One convolution of codes with a residual.
struct ResidualLayer {
  ConvolutionCase c{"residual", 1, 4, 5, 10, 70, square_window(3, 1, 1)};
  Grid weights_grid = kSigned2, grid = kUnsigned2;
  Random random;
  std::vector<uint8_t> weights = random.codes(c.out_channels * c.taps() * c.channels, weights_grid);
  Values in = random.code_values(c.in_shape(), grid);
  std::vector<double> sums = convolve(c, kSamples, values_of(in, grid), values_of(weights, weights_grid));
  TbitBuilder builder;
  uint32_t input = builder.code_input(c.in_shape(), grid);

  plain::ConvolutionT op() {
    plain::ConvolutionT result;
    result.window = std::make_unique<plain::WindowT>(c.window);
    result.weights = builder.weights(c.out_channels, c.taps(), c.channels, weights_grid, weights);
    return result;
  }
};

int32_t round_clamped(double value, int32_t highest) {
  return static_cast<int32_t>(std::clamp<double>(std::nearbyint(value), 0, highest));
}

TEST(Convolution, AddsAResidualOfCodes) {
  ResidualLayer l;
  const Grid residual_grid{3, 1, -4};
  const Values residual = l.random.code_values(l.c.out_shape(), residual_grid);
  const uint32_t r = l.builder.code_input(l.c.out_shape(), residual_grid);
  plain::ConvolutionT op = l.op();
  op.epilogues.push_back(l.builder.affine<float>({0.125f}, {3.5f}, 15, 0.75));
  op.epilogues.push_back(l.builder.affine<double>({0.1}, {7}, 13));
  const uint32_t with = l.builder.codes(l.c.out_shape(), kUnsigned4),
                 without = l.builder.codes(l.c.out_shape(), kUnsigned4);
  l.builder.node("conv", std::move(op), {l.input, r}, {with, without});
  l.builder.code_output(with);
  l.builder.code_output(without);
  const std::vector<Values> outputs = run_every_way(l.builder, {l.in, residual});
  for (size_t i = 0; i < l.sums.size(); ++i) {
    const double v = residual_grid.value(static_cast<int32_t>(residual[i]));
    ASSERT_EQ(outputs[0][i], round_clamped(l.sums[i] * 0.125 + 3.5 + v * 0.75, 15)) << i;
    ASSERT_EQ(outputs[1][i], round_clamped(l.sums[i] * 0.1 + 7, 13)) << i;
  }
}

TEST(Convolution, BendsAnAffineFormBelowItsKnee) {
  ResidualLayer l;
  const Grid residual_grid{3, 1, -4};
  const Values residual = l.random.code_values(l.c.out_shape(), residual_grid);
  const uint32_t r = l.builder.code_input(l.c.out_shape(), residual_grid);
  std::vector<float> multiplier, offset, knee, slope, below;  // exact in float32
  for (uint32_t i = 0; i < l.c.out_channels; ++i) {
    multiplier.push_back(i % 2 ? 0.25f : -0.125f);
    offset.push_back(static_cast<float>(i % 7));
    knee.push_back(static_cast<float>(i % 5));
    slope.push_back(0.25f * static_cast<float>(i % 3));
    below.push_back(0.5f * static_cast<float>(i % 4));
  }
  plain::ConvolutionT op = l.op();
  op.epilogues.push_back(l.builder.bent_affine(l.builder.line(multiplier, offset, 15, 0.75), knee, slope, below));
  op.epilogues.push_back(l.builder.bent_affine<double>(l.builder.line<double>({0.1}, {2}, 13), {3}, {0.5}, {1.5}));
  const uint32_t with = l.builder.codes(l.c.out_shape(), kUnsigned4),
                 without = l.builder.codes(l.c.out_shape(), kUnsigned4);
  l.builder.node("conv", std::move(op), {l.input, r}, {with, without});
  l.builder.code_output(with);
  l.builder.code_output(without);
  const std::vector<Values> outputs = run_every_way(l.builder, {l.in, residual});
  for (size_t i = 0; i < l.sums.size(); ++i) {
    const size_t c = i % l.c.out_channels;
    const double v = residual_grid.value(static_cast<int32_t>(residual[i]));
    const double y = l.sums[i] * double{multiplier[c]} + double{offset[c]} + v * 0.75;
    ASSERT_EQ(outputs[0][i], round_clamped(y < double{knee[c]} ? y * double{slope[c]} + double{below[c]} : y, 15)) << i;
    const double z = l.sums[i] * 0.1 + 2;
    ASSERT_EQ(outputs[1][i], round_clamped(z < 3 ? z * 0.5 + 1.5 : z, 13)) << i;
  }
}

TEST(Convolution, TakesFixedPointLinesOnEitherSideOfAKnee) {
  ResidualLayer l;
  std::vector<int32_t> multiplier, multiplier_below, knee;
  std::vector<int64_t> offset, offset_below;
  std::vector<uint8_t> shift, shift_below;
  for (uint32_t i = 0; i < l.c.out_channels; ++i) {
    multiplier.push_back((i % 2 ? 1 : -1) * static_cast<int32_t>(1'500'000'000 - 40'000'000 * (i % 30)));
    multiplier_below.push_back(static_cast<int32_t>(i % 3) << 29);
    offset.push_back(int64_t{i % 7} << 34);
    offset_below.push_back(int64_t{i % 5} << 33);
    shift.push_back(static_cast<uint8_t>(33 + i % 3));
    shift_below.push_back(static_cast<uint8_t>(32 + i % 4));
    knee.push_back(static_cast<int32_t>(i % 11) - 5);
  }
  plain::ConvolutionT op = l.op();
  op.epilogues.push_back(
      l.builder.fixed_point(l.builder.fixed_point_line(multiplier, offset, shift), 15, knee,
                            l.builder.fixed_point_line(multiplier_below, offset_below, shift_below)));
  op.epilogues.push_back(l.builder.fixed_point(l.builder.fixed_point_line({1 << 30}, {5LL << 33}, {33}), 13));
  const uint32_t bent = l.builder.codes(l.c.out_shape(), kUnsigned4),
                 straight = l.builder.codes(l.c.out_shape(), kUnsigned4);
  l.builder.node("conv", std::move(op), {l.input}, {bent, straight});
  l.builder.code_output(bent);
  l.builder.code_output(straight);
  const std::vector<Values> outputs = run_every_way(l.builder, {l.in});
  for (size_t i = 0; i < l.sums.size(); ++i) {
    const size_t c = i % l.c.out_channels;
    const auto sum = static_cast<int64_t>(l.sums[i]);
    const int64_t code = sum < knee[c] ? (sum * multiplier_below[c] + offset_below[c]) >> shift_below[c]
                                       : (sum * multiplier[c] + offset[c]) >> shift[c];
    ASSERT_EQ(outputs[0][i], std::clamp<int64_t>(code, 0, 15)) << i;
    ASSERT_EQ(outputs[1][i], std::clamp<int64_t>((sum * (1 << 30) + (5LL << 33)) >> 33, 0, 13)) << i;
  }
}

TEST(Convolution, AddsARealResidualToReals) {
  ResidualLayer l;
  const Values residual = l.random.real_values(l.c.out_shape());
  const uint32_t r = l.builder.input(l.c.out_shape());
  std::vector<double> multiplier, offset;
  for (uint32_t i = 0; i < l.c.out_channels; ++i) {
    multiplier.push_back(0.01 * i);
    offset.push_back(1.0 - i);
  }
  plain::ConvolutionT op = l.op();
  op.epilogues.push_back(l.builder.real_affine(multiplier, offset, -2));
  const uint32_t out = l.builder.output(l.builder.real(l.c.out_shape()));
  l.builder.node("conv", std::move(op), {l.input, r}, {out});
  const std::vector<Values> outputs = run_every_way(l.builder, {l.in, residual});
  for (size_t i = 0; i < l.sums.size(); ++i) {
    const size_t channel = i % l.c.out_channels;
    const double sum = l.sums[i] * multiplier[channel] + offset[channel];
    ASSERT_EQ(outputs[0][i], static_cast<float>(sum + static_cast<double>(residual[i]) * -2)) << i;
  }
}

TEST(Convolution, RunsTheFamilyThatIsAskedFor) {
  Random random;
  const Layer layer = make_layer(cases()[1], kSigned2, kUnsigned2, random);
  for (const char* family : {"bitserial", "lut", "dot"}) {
    const Model model = load(layer.file, {.kernel_family = family});
    EXPECT_TRUE(model.nodes()[1].kernel.starts_with(family)) << model.nodes()[1].kernel;
  }
}

TEST(Convolution, TellsWhatItIs) {
  Random random;
  const ConvolutionCase& grouped = cases()[5];
  const Layer layer = make_layer(grouped, kSigned2, kUnsigned4, random);
  const Model model = load(layer.file);
  const NodeInfo& node = model.nodes()[1];
  EXPECT_EQ(node.name, "conv");
  EXPECT_EQ(node.op, "Convolution");
  EXPECT_EQ(node.weight_bits, 2);
  EXPECT_EQ(node.activation_bits, 4);
  EXPECT_EQ(node.macs, 5 * 5 * 9 * 9 * 4);       // pixels, channels, taps, channels of a group
  EXPECT_EQ(node.weight_bytes, 9u * 2 * 9 * 1);  // rows, bits, taps, bytes of 4 channels
  EXPECT_GT(node.packed_bytes, 0u);
  EXPECT_EQ(node.packed_bytes, model.packed_bytes());
  ASSERT_FALSE(node.candidates.empty());
  EXPECT_EQ(node.candidates[0].first, node.kernel);
  EXPECT_TRUE(std::ranges::is_sorted(node.candidates, {}, [](const auto& candidate) { return candidate.second; }));
}

/// Whether a fully connected layer of one row of these weights, all the same, loads.
bool loads_with_sums_of(const Grid& weights_grid, const Grid& grid, uint32_t depth, uint8_t code) {
  TbitBuilder builder;
  const uint32_t in = builder.code_input({1, depth}, grid), out = builder.output(builder.real({1, 1}));
  plain::ConvolutionT op;
  op.weights = builder.weights(1, 1, depth, weights_grid, std::vector<uint8_t>(depth, code));
  op.epilogues.push_back(builder.identity());
  builder.node("wide", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  return Model::load(file.bytes()).ok();
}

TEST(Convolution, IsRefusedWhereSumsOutgrow32Bits) {
  constexpr uint32_t kDeepest = INT32_MAX / (255 * 255);
  const Grid wide{8, 1, -255};
  EXPECT_TRUE(loads_with_sums_of(wide, kUnsigned8, kDeepest, 0));
  EXPECT_FALSE(loads_with_sums_of(wide, kUnsigned8, kDeepest + 1, 0));
  EXPECT_TRUE(loads_with_sums_of(wide, kUnsigned8, kDeepest + 1, 200)) << "these weights are smaller than their grid";
}

TEST(Convolution, SumsUpToTheLastOf32Bits) {
  constexpr uint32_t kDeepest = INT32_MAX / (255 * 255);
  TbitBuilder builder;
  const uint32_t in = builder.code_input({1, kDeepest}, kUnsigned8), out = builder.output(builder.real({1, 1}));
  plain::ConvolutionT op;
  op.weights = builder.weights(1, 1, kDeepest, {8, 1, -255}, std::vector<uint8_t>(kDeepest, 0));
  op.epilogues.push_back(builder.identity());
  builder.node("wide", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  const std::vector<Values> outputs = run(load(file), {Values(kDeepest, 255)}, {});
  EXPECT_EQ(outputs[0][0], static_cast<float>(-255.0 * 255 * kDeepest));
}

}  // namespace
}  // namespace tidbit::test
