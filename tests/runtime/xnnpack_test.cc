// Real layers in float32, through XNNPACK or on our own kernels: against those of float64, and which runs which.
#include <gmock/gmock.h>

#include <cmath>

#include "kernels/float32/convolution.h"
#include "tests/runtime/reference.h"
#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

/// What XNNPACK's nodes are called in builds with it.
const std::string kXnnpack = TIDBIT_WITH_XNNPACK ? "xnnpack" : "";

/// What runs a convolution of so many output channels in a group: our own kernel, unless most of its lanes would be
/// empty.
std::string convolution_kernel(int64_t out_channels) {
  const kernels::Float32Kernel* const kernel = kernels::float32_kernel();
  return kernel != nullptr && 2 * out_channels > kernel->panel_channels ? std::string(kernel->name) : kXnnpack;
}

/// A file whose last node is under test, and values of its inputs.
struct Network {
  TbitBuilder builder;
  Random random;
  std::vector<Values> inputs;

  uint32_t input(const Shape& shape) {
    inputs.push_back(random.real_values(shape));
    return builder.input(shape);
  }
  template <class Op>
  void node(Op op, std::vector<uint32_t> from, const Shape& shape) {
    builder.node("tested", std::move(op), std::move(from), {builder.output(builder.real(shape))});
  }
};

struct Case {
  std::string name;
  std::function<void(Network&)> build;
  std::string kernel = kXnnpack;
};

Case convolution(std::string name, const ConvolutionCase& c, bool coded, bool scaled) {
  return {std::move(name),
          [=](Network& n) {
            plain::RealConvolutionT op;
            op.window = std::make_unique<plain::WindowT>(c.window);
            op.groups = c.groups;
            const size_t count = c.out_channels * c.taps() * c.group_channels();
            if (coded) {
              const Grid grid{3, 1, -4};
              op.weights =
                  n.builder.weights(c.out_channels, c.taps(), c.group_channels(), grid, n.random.codes(count, grid));
              op.weights->scales = n.builder.blob(std::vector<double>(c.out_channels, 0.3));
            } else {
              op.weights = n.builder.real_weights(c.out_channels, c.taps(), c.group_channels(), n.random.reals(count));
            }
            const Values m = n.random.reals(c.out_channels), b = n.random.reals(c.out_channels);
            op.epilogues.push_back(scaled ? n.builder.real_affine({m.begin(), m.end()}, {b.begin(), b.end()})
                                          : n.builder.real_affine({1}, {0.5}));
            op.epilogues[0]->form.AsRealAffine()->lowest = -1;
            op.epilogues[0]->form.AsRealAffine()->highest = scaled ? 6 : std::numeric_limits<float>::infinity();
            n.node(std::move(op), {n.input(c.in_shape())}, c.out_shape());
          },
          convolution_kernel(static_cast<int64_t>(c.out_channels / c.groups))};
}

Case pool(std::string name, const ConvolutionCase& c) {
  return {std::move(name), [=](Network& n) {
            plain::AveragePoolT op;
            op.window = std::make_unique<plain::WindowT>(c.window);
            n.node(std::move(op), {n.input(c.in_shape())}, c.out_shape());
          }};
}

Case binary(std::string name, plain::BinaryFunction function, const Shape& a, const Shape& b, const Shape& out) {
  return {std::move(name), [=](Network& n) {
            plain::BinaryT op;
            op.function = function;
            const uint32_t first = n.input(a);
            const uint32_t second = n.input(b);
            for (float& value : n.inputs[1]) value += std::copysign(0.5f, value);  // to be divided by
            n.node(std::move(op), {first, second}, out);
          }};
}

std::unique_ptr<plain::MapStepT> step(TbitBuilder& builder, plain::MapFunction function,
                                      const std::vector<double>& a = {}, const std::vector<double>& b = {}) {
  auto result = std::make_unique<plain::MapStepT>();
  result->function = function;
  if (!a.empty()) result->a = builder.blob(a);
  if (!b.empty()) result->b = builder.blob(b);
  return result;
}

using Steps = std::vector<std::tuple<plain::MapFunction, std::vector<double>, std::vector<double>>>;

Case map(std::string name, const Steps& steps) {
  return {std::move(name), [=](Network& n) {
            plain::MapT op;
            for (const auto& [function, a, b] : steps) op.steps.push_back(step(n.builder, function, a, b));
            const Shape shape{2, 7, 9, 3};
            n.node(std::move(op), {n.input(shape)}, shape);
          }};
}

Case softmax(std::string name, uint32_t axis) {
  return {std::move(name), [=](Network& n) {
            plain::SoftmaxT op;
            op.axis = axis;
            n.node(std::move(op), {n.input({5, 37})}, {5, 37});
          }};
}

using Function = plain::MapFunction;

const std::vector<Case>& cases() {
  using plain::BinaryFunction;
  const Shape image{2, 4, 5, 6};
  static const std::vector<Case> all = {
      convolution("pointwise", {"", 1, 5, 7, 9, 20, square_window(1)}, false, false),
      convolution("padded", {"", 2, 6, 5, 3, 5, square_window(3, 1, 1)}, false, true),
      convolution("lopsided", {"", 1, 7, 9, 5, 11, lopsided_window()}, false, true),
      convolution("coded", {"", 1, 7, 9, 5, 11, square_window(3, 2, 1)}, true, false),
      convolution("grouped", {"", 1, 5, 5, 12, 27, square_window(3, 1, 1), 3}, false, true),
      convolution("wide", {"", 1, 13, 17, 40, 75, square_window(3, 2, 1)}, false, false),
      convolution("wide_groups", {"", 2, 5, 6, 14, 80, lopsided_window(), 2}, true, true),
      convolution("wide_and_fully_connected", {"", 30, 1, 1, 300, 50, square_window(1)}, false, false),
      convolution("depthwise", {"", 1, 15, 15, 20, 20, square_window(3, 2, 1), 20}, false, true),
      convolution("depthwise_dilated", {"", 1, 9, 9, 6, 6, square_window(2, 1, 1, 3), 6}, false, false),
      convolution("depthwise_doubling", {"", 1, 5, 5, 6, 12, square_window(3, 1, 1), 6}, false, false),
      convolution("fully_connected", {"", 5, 1, 1, 100, 19, square_window(1)}, false, true),
      convolution("fully_connected_of_codes", {"", 1, 1, 1, 100, 19, square_window(1)}, true, true),
      convolution("fully_connected_groups", {"", 3, 1, 1, 12, 8, square_window(1), 4}, false, true),
      pool("global_mean", {"", 2, 6, 7, 5, 5,
                           [] {
                             plain::WindowT w;
                             w.kernel_height = 6;
                             w.kernel_width = 7;
                             return w;
                           }()}),
      pool("halving_mean", {"", 1, 6, 8, 5, 5, square_window(2, 2)}),
      pool("padded_mean", {"", 1, 6, 8, 5, 5, square_window(3, 2, 1)}),
      binary("add", BinaryFunction::Add, image, image, image),
      binary("subtract_channels", BinaryFunction::Sub, image, {6}, image),
      binary("multiply_pixels", BinaryFunction::Mul, {2, 1, 1, 6}, image, image),
      binary("divide_outer", BinaryFunction::Div, {4, 1}, {1, 5}, {4, 5}),
      map("clamp", {{Function::Clamp, {0}, {1.5}}}),
      map("relu", {{Function::Clamp, {0}, {INFINITY}}}),
      map("sigmoid", {{Function::Sigmoid, {}, {}}}),
      map("leaky_relu", {{Function::LeakyRelu, {0.1}, {}}}),
      map("prelu", {{Function::LeakyRelu, {0.1, -0.5, 2}, {}}}),
      map("line", {{Function::Affine, {0.7, -3, 1}, {0.1}}}),
      map("line_and_clamp", {{Function::Affine, {0.7}, {1, 2, 3}}, {Function::Clamp, {-1}, {2}}}),
      softmax("softmax", 1),
  };
  return all;
}

class Float32Layers : public testing::TestWithParam<Case> {};

TEST_P(Float32Layers, GiveWhatFloat64Gives) {
  Network n;
  GetParam().build(n);
  const TbitFile file = n.builder.finish();
  const Model model = load(file), ours = load(file, {.xnnpack = false});
  EXPECT_EQ(model.nodes().back().kernel, GetParam().kernel);
  EXPECT_EQ(ours.nodes().back().kernel, "");
  const Values found = run_every_way(model, n.inputs)[0], expected = run_every_way(ours, n.inputs)[0];
  const auto [lowest, highest] = std::ranges::minmax(expected);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found[i], expected[i], 2e-6 * (highest - lowest)) << i;
}

INSTANTIATE_TEST_SUITE_P(, Float32Layers, testing::ValuesIn(cases()), [](const auto& test) { return test.param.name; });

/// Layers that XNNPACK has not got, or would compute another way.
class WithoutXnnpack : public testing::TestWithParam<Case> {};

TEST_P(WithoutXnnpack, RunOnOurKernels) {
  Network n;
  GetParam().build(n);
  const TbitFile file = n.builder.finish();
  const Model model = load(file);
  EXPECT_EQ(model.nodes().back().kernel, "");
  EXPECT_EQ(run_every_way(model, n.inputs), run_every_way(load(file, {.xnnpack = false}), n.inputs));
}

const std::vector<Case>& cases_without() {
  static const std::vector<Case> all = {
      {"mean_that_counts_padding",
       [](Network& n) {
         plain::AveragePoolT op;
         op.window = std::make_unique<plain::WindowT>(square_window(3, 1, 1));
         op.count_padding = true;
         n.node(std::move(op), {n.input({1, 4, 4, 2})}, {1, 4, 4, 2});
       }},
      {"clamp_to_one_value",
       [](Network& n) {
         map("", {{Function::Clamp, {1}, {1}}}).build(n);
       }},
      {"clamp_a_channel",
       [](Network& n) {
         map("", {{Function::Clamp, {0, 1, 2}, {3}}}).build(n);
       }},
      {"tanh",
       [](Network& n) {
         map("", {{Function::Tanh, {}, {}}}).build(n);
       }},
      {"chain",
       [](Network& n) {
         map("", {{Function::Sigmoid, {}, {}}, {Function::Sigmoid, {}, {}}}).build(n);
       }},
      {"softmax_of_columns", [](Network& n) { softmax("", 0).build(n); }},
      {"six_axes",
       [](Network& n) {
         binary("", {}, {1, 2, 1, 2, 1, 2}, {2, 1, 2, 1, 2, 1}, {2, 2, 2, 2, 2, 2}).build(n);
       }},
  };
  return all;
}

INSTANTIATE_TEST_SUITE_P(, WithoutXnnpack, testing::ValuesIn(cases_without()),
                         [](const auto& test) { return test.param.name; });

plain::RealConvolutionT pointwise(TbitBuilder& builder, std::unique_ptr<plain::EpilogueT> epilogue) {
  plain::RealConvolutionT op;
  op.weights = builder.real_weights(3, 1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  op.epilogues.push_back(std::move(epilogue));
  return op;
}

TEST(XnnpackLayers, AreThoseWhoseResultsNoQuantizerSees) {
  TbitBuilder builder;
  const Shape shape{4, 3};
  const uint32_t in = builder.input(shape);
  const auto layer = [&](const char* name, uint32_t from, uint32_t to) {
    builder.node(name, pointwise(builder, builder.identity()), {from}, {to});
  };
  const uint32_t seen = builder.real(shape), also_seen = builder.real(shape), moved = builder.real(shape);
  const uint32_t codes = builder.codes(shape, {2, 1, 0}), head = builder.real(shape), mapped = builder.real(shape);
  const uint32_t direct = builder.codes(shape, {2, 1, 0});
  layer("seen", in, seen);
  layer("also seen", seen, also_seen);
  builder.node("move", plain::TransposeT(), {also_seen}, {moved}).op.AsTranspose()->permutation = {0, 1};
  plain::QuantizeT quantize;
  quantize.epilogue = builder.thresholds<double>(0, 3, {0, 1, 2});
  builder.node("quantize", std::move(quantize), {moved}, {codes});
  layer("head", seen, head);
  plain::MapT fake_quant;
  fake_quant.steps.push_back(step(builder, plain::MapFunction::Bipolar, {1}));
  builder.node("fake quant", std::move(fake_quant), {in}, {mapped});
  builder.node("to codes", pointwise(builder, builder.thresholds<double>(0, 2, {0, 1})), {mapped}, {direct});
  layer("last", mapped, builder.output(builder.real(shape)));
  builder.output(head);
  builder.code_output(codes);
  builder.code_output(direct);
  const TbitFile file = builder.finish();
  const Model model = load(file);
  for (const NodeInfo& node : model.nodes()) {
    EXPECT_EQ(node.kernel, node.name == "head" || node.name == "last" ? kXnnpack : "") << node.name;
  }
}

TEST(XnnpackLayers, CountTheirPackedWeights) {
  TbitBuilder builder;
  const uint32_t in = builder.input({1, 3});
  builder.node("file", pointwise(builder, builder.identity()), {in}, {builder.output(builder.real({1, 3}))});
  builder.node("scaled", pointwise(builder, builder.real_affine({2}, {0})), {in},
               {builder.output(builder.real({1, 3}))});
  const TbitFile file = builder.finish();
  const Model model = load(file);
  constexpr size_t kPanel = 16 * (3 + 1) * sizeof(float), kCopy = 9 * sizeof(float);
  EXPECT_EQ(model.nodes()[0].packed_bytes, TIDBIT_WITH_XNNPACK ? kPanel : 0);
  EXPECT_EQ(model.nodes()[1].packed_bytes, TIDBIT_WITH_XNNPACK ? kPanel + kCopy : 0);
  EXPECT_EQ(model.packed_bytes(), model.nodes()[0].packed_bytes + model.nodes()[1].packed_bytes);
}

TEST(XnnpackLayers, StayWithinTheLimitOfMemory) {
  TbitBuilder builder;
  const uint32_t in = builder.input({1, 64});
  plain::RealConvolutionT op;
  op.weights = builder.weights(512, 1, 64, {1, 2, -1}, std::vector<uint8_t>(512 * 64));
  op.weights->scales = builder.blob(std::vector<double>{1});
  op.epilogues.push_back(builder.identity());
  builder.node("large", std::move(op), {in}, {builder.output(builder.real({1, 512}))});
  const TbitFile file = builder.finish();
  EXPECT_EQ(load(file).nodes()[0].kernel, convolution_kernel(512));
  EXPECT_EQ(load(file, {.max_arena_bytes = 120000}).nodes()[0].kernel, "") << "a copy of 1-bit weights as float32";
}

}  // namespace
}  // namespace tidbit::test
