// Every pass must leave the graph's meaning alone: evaluate(before) == evaluate(after), after each pass of the table.
#include "compiler/passes/passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiler/evaluate.h"
#include "tests/support/graph_builder.h"

namespace tidbit::compiler {
namespace {

using test::GraphBuilder;

struct Case {
  const char* name;
  void (*build)(GraphBuilder&);
  /// How many operators of the lowered graph still compute on reals: Linear with real input, Map, Binary, MatMul, ...
  int real_operators = 0;
  /// Graphs in which nothing real comes between quantizers must keep every bit; others get float32's share.
  double tolerance = 0;
};

int real_operators(const Graph& graph) {
  return static_cast<int>(std::ranges::count_if(graph.nodes, [](const Node& node) {
    const auto* linear = std::get_if<op::Linear>(&node.op);
    return (linear && linear->kind == op::LinearKind::RealInput) || std::holds_alternative<op::Map>(node.op) ||
           std::holds_alternative<op::Binary>(node.op) || std::holds_alternative<op::MatMul>(node.op) ||
           std::holds_alternative<op::AveragePool>(node.op) || std::holds_alternative<op::Softmax>(node.op);
  }));
}

std::vector<Tensor> inputs_of(const Graph& graph, GraphBuilder& builder, double reach) {
  std::vector<Tensor> inputs;
  for (ValueId input : graph.inputs) inputs.push_back(builder.random(graph[input].shape, -reach, reach));
  return inputs;
}

void expect_equal(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual, double tolerance,
                  std::string_view where) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i].shape, actual[i].shape) << where;
    double range = 1e-30;
    for (double x : expected[i].data) range = std::max(range, std::abs(x));
    for (size_t k = 0; k < expected[i].data.size(); ++k) {
      // Reals leave the lowered graph as float32.
      ASSERT_NEAR(expected[i].data[k], actual[i].data[k], range * std::max(tolerance, 2e-7))
          << "after " << where << ", output " << i << ", element " << k;
    }
  }
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class PassesTest : public ::testing::TestWithParam<Case> {};

TEST_P(PassesTest, LeaveTheMeaningAlone) {
  GraphBuilder builder(7);
  GetParam().build(builder);
  const Graph original = builder.graph();
  Graph graph = original;
  verify(graph);
  const std::vector<Tensor> some = inputs_of(original, builder, 1.2), wide = inputs_of(original, builder, 30);
  const std::vector<Tensor> expected_some = evaluate(original, some), expected_wide = evaluate(original, wide);
  for (const Pass& pass : passes()) {
    pass.run(graph);
    ASSERT_NO_THROW(verify(graph)) << pass.name << "\n" << to_text(graph);
    expect_equal(expected_some, evaluate(graph, some), GetParam().tolerance, pass.name);
    expect_equal(expected_wide, evaluate(graph, wide), GetParam().tolerance, pass.name);
    if (HasFatalFailure()) FAIL() << to_text(graph);
  }
  EXPECT_EQ(real_operators(graph), GetParam().real_operators) << to_text(graph);
}

// --- Graphs.

using B = GraphBuilder;

template <int kWeightBits, int kActivationBits>
void conv_block(B& b) {
  ValueId x = b.node(B::quantizer(8, true, 0.02), {b.input({1, 3, 9, 8})});
  x = b.node(B::convolution(3, 1, 1), {x, b.weights({8, 3, 3, 3}, 8)});
  x = b.node(B::relu(), {b.batch_normalization(x)});
  x = b.node(B::quantizer(kActivationBits, false, 0.11), {x});
  x = b.node(B::convolution(3, 2, 1), {x, b.weights({10, 8, 3, 3}, kWeightBits)});
  x = b.node(B::relu(), {b.batch_normalization(x)});
  b.output(b.node(B::quantizer(kActivationBits, false, 0.07), {x}));
}

void bipolar_block(B& b) {
  ValueId x = b.node(B::bipolar(1), {b.input({1, 4, 6, 6})});
  x = b.node(B::convolution(3, 1, 1), {x, b.weights({8, 4, 3, 3}, 1)});
  x = b.node(B::bipolar(0.5), {b.batch_normalization(x)});
  x = b.node(B::convolution(1, 1, 0), {x, b.weights({5, 8, 1, 1}, 1)});
  b.output(x);
}

void residual_block(B& b) {
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 8, 6, 6})});
  ValueId y = b.node(B::convolution(3, 1, 1), {x, b.weights({8, 8, 3, 3}, 2), b.constant(b.random({8}, -0.5, 0.5))});
  y = b.node(B::relu(), {b.node(B::add(), {b.batch_normalization(y), x})});
  y = b.node(B::quantizer(4, false, 0.125), {y});
  b.output(y);
}

void two_readers(B& b) {  // a real skip and a quantizer read one sum
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 8, 5, 5})});
  x = b.batch_normalization(b.node(B::convolution(3, 1, 1), {x, b.weights({8, 8, 3, 3}, 2)}));
  b.output(b.node(B::quantizer(2, false, 0.5), {b.node(B::relu(), {x})}));
  b.output(x);
}

void residual_of_two_layers(B& b) {  // neither side has a quantizer of its own
  ValueId x = b.node(B::quantizer(2, false, 0.3), {b.input({1, 8, 6, 6})});
  ValueId main = b.batch_normalization(b.node(B::convolution(3, 2, 1), {x, b.weights({8, 8, 3, 3}, 2)}));
  ValueId skip = b.batch_normalization(b.node(B::convolution(1, 2, 0), {x, b.weights({8, 8, 1, 1}, 2)}));
  b.output(b.node(B::quantizer(2, false, 0.3), {b.node(B::relu(), {b.node(B::add(), {main, skip})})}));
}

void crossed_residuals(B& b) {  // each layer is the other's residual: fusing both would be a cycle
  ValueId x = b.node(B::quantizer(3, false, 0.2), {b.input({1, 4, 4, 4})});
  ValueId p = b.node(B::convolution(3, 1, 1), {x, b.weights({4, 4, 3, 3}, 2)});
  ValueId q = b.node(B::convolution(1, 1, 0), {x, b.weights({4, 4, 1, 1}, 2)});
  const op::Binary subtract{op::BinaryFunction::Sub};
  b.output(b.node(B::quantizer(4, true, 0.05), {b.node(subtract, {p, q})}));
  b.output(b.node(B::quantizer(4, true, 0.07), {b.node(subtract, {q, p})}));
}

void difference_of_layer_and_codes(B& b) {
  ValueId x = b.node(B::quantizer(4, true, 0.125), {b.input({1, 4, 4, 4})});
  ValueId p = b.node(B::convolution(3, 1, 1), {x, b.weights({4, 4, 3, 3}, 4)});
  b.output(b.node(B::quantizer(4, true, 0.25), {b.node(op::Binary{op::BinaryFunction::Sub}, {p, x})}));
}

void pooled_codes(B& b) {
  ValueId x = b.node(B::quantizer(4, true, 0.1), {b.input({1, 6, 8, 8})});
  op::MaxPool max;
  op::AveragePool average;
  for (size_t i : {0, 1}) {
    max.window.kernel[i] = max.window.stride[i] = 2;
    average.window.kernel[i] = 4;
  }
  x = b.node(average, {b.node(max, {x})});
  b.output(b.node(B::quantizer(6, true, 0.03), {x}));
}

void padded_average(B& b) {  // the divisor varies at the border: stays real
  ValueId x = b.node(B::quantizer(4, false, 0.25), {b.input({1, 2, 5, 5})});
  op::AveragePool average;
  for (size_t i : {0, 1}) average.window.kernel[i] = 3, average.window.pad_begin[i] = average.window.pad_end[i] = 1;
  b.output(b.node(average, {x}));
}

void truncated_average(B& b) {  // Brevitas' AvgPool: mean, times the taps, truncated
  ValueId x = b.node(B::quantizer(4, false, 0.125), {b.input({1, 3, 4, 4})});
  op::AveragePool average;
  for (size_t i : {0, 1}) average.window.kernel[i] = average.window.stride[i] = 2;
  x = b.node(op::Binary{op::BinaryFunction::Mul}, {b.node(average, {x}), b.constant(4.0)});
  op::Trunc trunc;
  trunc.scale = 0.125;
  trunc.divisor = 4;
  trunc.lowest = -HUGE_VAL;
  trunc.highest = HUGE_VAL;
  trunc.output_scale = 0.125;
  x = b.node(trunc, {x});
  x = b.node(B::convolution(1, 1, 0), {x, b.weights({4, 3, 1, 1}, 2)});
  b.output(x);
}

void pixel_shuffle(B& b) {  // convolution, depth to space, ReLU, quantizer: the quantizer belongs behind the layer
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 4, 5, 5})});
  x = b.node(B::convolution(3, 1, 1), {x, b.weights({8, 4, 3, 3}, 4)});
  const auto reshape = [&](ValueId value, Shape shape) {
    Graph& graph = const_cast<Graph&>(b.graph());
    Value result;
    result.shape = std::move(shape);
    graph.nodes.push_back(
        {"reshape" + std::to_string(graph.nodes.size()), op::Reshape{}, {value}, {graph.add(result)}});
    return graph.nodes.back().outputs[0];
  };
  x = reshape(x, {1, 2, 2, 2, 5, 5});
  x = b.node(op::Transpose{{0, 1, 4, 2, 5, 3}}, {x});
  x = b.node(B::relu(), {reshape(x, {1, 2, 10, 10})});
  b.output(b.node(B::quantizer(8, false, 1.0 / 255), {x}));
}

void quantizer_below_pool(B& b) {  // max commutes with what rises: the quantizer moves up
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 4, 6, 6})});
  x = b.node(B::convolution(3, 1, 1), {x, b.weights({6, 4, 3, 3}, 3)});
  op::MaxPool max;
  for (size_t i : {0, 1}) max.window.kernel[i] = 3, max.window.stride[i] = 2, max.window.pad_begin[i] = 1;
  x = b.node(B::relu(), {b.node(max, {x})});
  b.output(b.node(B::quantizer(3, false, 0.2), {x}));
}

void falling_function_below_pool(B& b) {  // and does not where it falls
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 4, 6, 6})});
  op::MaxPool max;
  for (size_t i : {0, 1}) max.window.kernel[i] = max.window.stride[i] = 2;
  x = b.node(op::Binary{op::BinaryFunction::Mul}, {b.node(max, {x}), b.constant(-1.0)});
  b.output(b.node(B::quantizer(3, true, 0.2), {x}));
}

void fully_connected(B& b) {
  ValueId x = b.node(B::quantizer(3, false, 0.2), {b.input({2, 20})});
  x = b.node(op::MatMul{}, {x, b.weights({20, 12}, 3, 1)});
  x = b.node(B::add(), {x, b.constant(b.random({12}, -1, 1))});
  x = b.node(B::quantizer(3, false, 0.1), {b.node(B::relu(), {b.batch_normalization(x)})});
  x = b.node(op::MatMul{}, {x, b.weights({12, 4}, 2, 1)});
  b.output(b.node(op::Softmax{1}, {x}));
}

void transposed_weights(B& b) {  // Brevitas: quantizer, then Transpose, then MatMul
  ValueId x = b.node(B::quantizer(2, true, 1, true), {b.input({1, 16})});
  b.output(b.node(op::MatMul{}, {x, b.node(op::Transpose{{1, 0}}, {b.weights({5, 16}, 2)})}));
}

void real_activations(B& b) {  // quantized weights alone; the quantizer behind them is still exact
  ValueId x = b.node(op::MatMul{}, {b.input({1, 16}), b.weights({16, 8}, 2, 1)});
  x = b.node(B::quantizer(4, false, 0.0625), {b.node(B::relu(), {x})});
  b.output(b.node(op::MatMul{}, {x, b.weights({8, 3}, 4, 1)}));
}

void depthwise(B& b) {
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 6, 7, 7})});
  x = b.node(B::convolution(3, 2, 1, 6), {x, b.weights({6, 1, 3, 3}, 4)});
  x = b.node(B::quantizer(4, false, 0.02), {b.node(op::LeakyRelu{0.1}, {b.batch_normalization(x)})});
  x = b.node(B::convolution(1, 1, 0, 2), {x, b.weights({4, 3, 1, 1}, 3)});
  b.output(x);
}

void smooth_activations(B& b) {  // no line: thresholds whatever the width
  ValueId x = b.node(B::quantizer(4, true, 0.1), {b.input({1, 8})});
  x = b.node(op::MatMul{}, {x, b.weights({8, 6}, 4, 1)});
  x = b.node(B::quantizer(5, false, 1.0 / 31), {b.node(op::Unary{op::UnaryFunction::Sigmoid}, {x})});
  x = b.node(op::MatMul{}, {x, b.weights({6, 6}, 4, 1)});
  x = b.node(B::quantizer(8, true, 1.0 / 127), {b.node(op::Unary{op::UnaryFunction::Tanh}, {x})});
  b.output(x);
}

void codes_to_codes(B& b) {  // requantization, twice the same quantizer, and a sum of two grids
  ValueId x = b.input({1, 4, 4, 4});
  ValueId p = b.node(B::quantizer(4, false, 0.1), {x});
  ValueId same = b.node(B::quantizer(4, false, 0.1), {p});
  ValueId coarse = b.node(B::quantizer(2, false, 0.4), {same});
  b.output(b.node(B::quantizer(3, true, 0.3), {b.node(B::add(), {coarse, p})}));
}

void pairs_of_codes(B& b) {  // sums and differences are lines, products are tables
  ValueId p = b.node(B::quantizer(8, true, 0.03), {b.input({1, 4, 9, 9})});
  ValueId q = b.node(B::quantizer(8, false, 0.017), {b.input({1, 4, 9, 9})});
  b.output(b.node(B::quantizer(8, false, 0.021), {b.node(B::relu(), {b.node(B::add(), {p, q})})}));
  b.output(b.node(B::quantizer(3, true, 0.41237), {b.node(op::Binary{op::BinaryFunction::Sub}, {p, q})}));
  b.output(b.node(B::quantizer(8, true, 0.05), {b.node(op::Binary{op::BinaryFunction::Mul}, {p, q})}));
}

void channelwise_normalisation(B& b) {  // of the input, in channels-first layout
  ValueId x =
      b.node(op::Binary{op::BinaryFunction::Sub}, {b.input({1, 3, 5, 5}), b.constant(b.random({1, 3, 1, 1}, 0, 1))});
  x = b.node(op::Binary{op::BinaryFunction::Div}, {x, b.constant(b.random({3, 1, 1}, 0.5, 1))});
  x = b.node(B::quantizer(8, true, 0.05), {x});
  b.output(b.node(B::convolution(3, 1, 1), {x, b.weights({4, 3, 3, 3}, 2)}));
}

void zero_points(B& b) {
  ValueId x = b.node(B::quantizer(4, false, 0.1, false, 5), {b.input({1, 4, 5, 5})});
  x = b.node(B::convolution(3, 1, 1), {x, b.weights({6, 4, 3, 3}, 4)});
  b.output(b.node(B::quantizer(8, false, 0.02, false, 131), {x}));
}

void rounding_modes(B& b) {
  for (Rounding rounding : {Rounding::Floor, Rounding::Ceil, Rounding::TowardZero, Rounding::HalfUp}) {
    ValueId x = b.node(B::quantizer(4, true, 0.25), {b.input({1, 5})});
    x = b.node(op::MatMul{}, {x, b.weights({5, 5}, 4, 1)});
    op::FakeQuant quant = B::quantizer(4, true, 0.125);
    quant.quantizer.rounding = rounding;
    b.output(b.node(quant, {x}));
  }
}

void per_channel_activations(B& b) {  // has no grid of one scale: stays real
  op::FakeQuant quant = B::quantizer(4, false, 1);
  quant.quantizer.scale = b.random({1, 4, 1, 1}, 0.1, 0.2);
  ValueId x = b.node(quant, {b.input({1, 4, 5, 5})});
  b.output(b.node(B::convolution(1, 1, 0), {x, b.weights({3, 4, 1, 1}, 2)}));
}

void concatenated(B& b) {
  ValueId x = b.node(B::quantizer(4, false, 0.1), {b.input({1, 4, 5, 5})});
  ValueId y = b.node(B::quantizer(4, false, 0.1), {b.node(B::convolution(3, 1, 1), {x, b.weights({4, 4, 3, 3}, 2)})});
  op::Pad pad{{0, 0, 1, 1}, {0, 0, 1, 0}, 0.2};
  ValueId z = b.node(pad, {b.node(op::Concat{1}, {x, y})});
  op::Resize resize{{0, 0, 1, 1, 2, 3, 4, 5, 6, 6}, {0, 2, 4, 5, 1, 1}};
  b.output(b.node(B::convolution(1, 1, 0), {b.node(resize, {z}), b.weights({3, 8, 1, 1}, 2)}));
}

void float_network(B& b) {
  ValueId x = b.node(B::convolution(3, 1, 1), {b.input({1, 2, 6, 6}), b.constant(b.random({4, 2, 3, 3}, -1, 1))});
  x = b.node(B::relu(), {b.batch_normalization(x)});
  op::AveragePool average;
  for (size_t i : {0, 1}) average.window.kernel[i] = 6;
  b.output(b.node(average, {x}));
}

TEST(Passes, AddCodesWithoutATable) {
  GraphBuilder builder(7);
  pairs_of_codes(builder);
  Graph graph = builder.graph();
  run_passes(graph);
  const auto count = [&]<class Op>(std::type_identity<Op>) {
    return std::ranges::count_if(graph.nodes, [](const Node& node) { return std::holds_alternative<Op>(node.op); });
  };
  EXPECT_EQ(count(std::type_identity<op::ResidualAdd>()), 2) << to_text(graph);
  EXPECT_EQ(count(std::type_identity<op::Combine>()), 1) << to_text(graph);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Graphs, PassesTest,
    ::testing::Values(
        Case{"ConvW1A2", conv_block<1, 2>}, Case{"ConvW2A2", conv_block<2, 2>}, Case{"ConvW3A5", conv_block<3, 5>},
        Case{"ConvW4A4", conv_block<4, 4>}, Case{"ConvW8A8", conv_block<8, 8>}, Case{"Bipolar", bipolar_block},
        Case{"Residual", residual_block}, Case{"TwoReaders", two_readers},
        Case{"ResidualOfTwoLayers", residual_of_two_layers}, Case{"CrossedResiduals", crossed_residuals, 1},
        Case{"Difference", difference_of_layer_and_codes}, Case{"PooledCodes", pooled_codes},
        Case{"PaddedAverage", padded_average, 1}, Case{"TruncatedAverage", truncated_average},
        Case{"PixelShuffle", pixel_shuffle}, Case{"QuantizerBelowPool", quantizer_below_pool},
        Case{"FallingBelowPool", falling_function_below_pool}, Case{"FullyConnected", fully_connected, 1},
        Case{"TransposedWeights", transposed_weights}, Case{"RealActivations", real_activations, 1},
        Case{"Depthwise", depthwise}, Case{"SmoothActivations", smooth_activations},
        Case{"CodesToCodes", codes_to_codes}, Case{"PairsOfCodes", pairs_of_codes},
        Case{"ChannelwiseNormalisation", channelwise_normalisation}, Case{"ZeroPoints", zero_points},
        Case{"RoundingModes", rounding_modes}, Case{"PerChannelActivations", per_channel_activations, 2, 1e-6},
        Case{"Concatenated", concatenated}, Case{"FloatNetwork", float_network, 2, 1e-6}),
    case_name);

}  // namespace
}  // namespace tidbit::compiler
