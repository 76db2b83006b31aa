#include <limits>

#include "tests/runtime/reference.h"
#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

const std::vector<ConvolutionCase>& cases() {
  static const std::vector<ConvolutionCase> all = {
      {"halving", 1, 6, 8, 5, 5, square_window(2, 2)},          {"padded", 2, 7, 7, 3, 3, square_window(3, 2, 1)},
      {"lopsided", 1, 7, 9, 4, 4, lopsided_window()},           {"global", 1, 4, 4, 6, 6, square_window(4)},
      {"many_channels", 1, 2, 3, 9000, 9000, square_window(2)},
  };
  return all;
}

class Pools : public testing::TestWithParam<ConvolutionCase> {};
INSTANTIATE_TEST_SUITE_P(, Pools, testing::ValuesIn(cases()), [](const auto& test) { return test.param.name; });

/// The values of a window: visit(image, y, x, channel) of each tap inside.
template <class Visit>
void for_each_value(const ConvolutionCase& c, const Values& in, size_t image, uint32_t y, uint32_t x, size_t channel,
                    const Visit& visit) {
  c.for_each_tap(y, x, [&](size_t, size_t in_y, size_t in_x) {
    visit(in[((image * c.height + in_y) * c.width + in_x) * c.channels + channel]);
  });
}

TEST_P(Pools, TakeTheMaximumOfReals) {
  const ConvolutionCase& c = GetParam();
  Random random;
  TbitBuilder builder;
  const uint32_t in = builder.input(c.in_shape()), out = builder.output(builder.real(c.out_shape()));
  plain::MaxPoolT op;
  op.window = std::make_unique<plain::WindowT>(c.window);
  builder.node("pool", std::move(op), {in}, {out});
  const Values values = random.reals(kSamples * Random::elements(c.in_shape()), -3, -1);
  const std::vector<Values> outputs = run_every_way(builder, {values});
  c.for_each_output(kSamples, [&](size_t i, size_t image, uint32_t y, uint32_t x, size_t channel) {
    float largest = -std::numeric_limits<float>::infinity();
    for_each_value(c, values, image, y, x, channel, [&](float value) { largest = std::max(largest, value); });
    ASSERT_EQ(outputs[0][i], largest);
  });
}

TEST_P(Pools, TakeTheMaximumOfCodes) {
  const ConvolutionCase& c = GetParam();
  const Grid grid{3, 1, -4};
  Random random;
  TbitBuilder builder;
  const uint32_t in = builder.code_input(c.in_shape(), grid), out = builder.codes(c.out_shape(), grid);
  plain::MaxPoolT op;
  op.window = std::make_unique<plain::WindowT>(c.window);
  builder.node("pool", std::move(op), {in}, {out});
  builder.code_output(out);
  const Values values = random.code_values(c.in_shape(), grid);
  const std::vector<Values> outputs = run_every_way(builder, {values});
  c.for_each_output(kSamples, [&](size_t i, size_t image, uint32_t y, uint32_t x, size_t channel) {
    float largest = 0;
    for_each_value(c, values, image, y, x, channel, [&](float value) { largest = std::max(largest, value); });
    ASSERT_EQ(outputs[0][i], largest);
  });
}

TEST_P(Pools, SumCodes) {
  const ConvolutionCase& c = GetParam();
  for (const Grid& grid : {Grid{2, 1, -1}, Grid{2, 2, -3}}) {
    Random random;
    TbitBuilder builder;
    const uint32_t in = builder.code_input(c.in_shape(), grid), out = builder.codes(c.out_shape(), {4, 1, 0});
    plain::AveragePoolT op;
    op.window = std::make_unique<plain::WindowT>(c.window);
    op.epilogue = builder.affine<float>({1}, {6}, 15);
    builder.node("pool", std::move(op), {in}, {out});
    builder.code_output(out);
    const Values values = random.code_values(c.in_shape(), grid);
    const std::vector<Values> outputs = run_every_way(builder, {values});
    c.for_each_output(kSamples, [&](size_t i, size_t image, uint32_t y, uint32_t x, size_t channel) {
      int32_t sum = 6;
      for_each_value(c, values, image, y, x, channel,
                     [&](float code) { sum += grid.value(static_cast<int32_t>(code)); });
      ASSERT_EQ(outputs[0][i], std::clamp(sum, 0, 15));
    });
  }
}

TEST_P(Pools, TakeTheMeanOfReals) {
  const ConvolutionCase& c = GetParam();
  for (const bool count_padding : {false, true}) {
    Random random;
    TbitBuilder builder;
    const uint32_t in = builder.input(c.in_shape()), out = builder.output(builder.real(c.out_shape()));
    plain::AveragePoolT op;
    op.window = std::make_unique<plain::WindowT>(c.window);
    op.count_padding = count_padding;
    builder.node("pool", std::move(op), {in}, {out});
    const Values values = random.real_values(c.in_shape());
    const std::vector<Values> outputs = run_every_way(builder, {values});
    c.for_each_output(kSamples, [&](size_t i, size_t image, uint32_t y, uint32_t x, size_t channel) {
      double sum = 0;
      uint32_t taps = 0;
      for_each_value(c, values, image, y, x, channel, [&](float value) {
        sum += static_cast<double>(value);
        ++taps;
      });
      ASSERT_EQ(outputs[0][i], static_cast<float>(sum / (count_padding ? c.taps() : taps)));
    });
  }
}

}  // namespace
}  // namespace tidbit::test
