// The operators of ONNX, and evaluate() itself.
#include "compiler/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace tidbit::compiler {
namespace {

class Builder {
 public:
  Graph graph;

  ValueId value(Shape shape) {
    Value value;
    value.shape = std::move(shape);
    return graph.add(std::move(value));
  }
  ValueId input(Shape shape) {
    graph.inputs.push_back(value(std::move(shape)));
    return graph.inputs.back();
  }
  ValueId constant(Tensor tensor) {
    const ValueId id = value(tensor.shape);
    graph[id].constant = std::move(tensor);
    return id;
  }
  ValueId node(Operator op, std::vector<ValueId> inputs) {
    graph.nodes.push_back({"node" + std::to_string(graph.nodes.size()), std::move(op), std::move(inputs), {}});
    const ValueId output = value(output_shapes(graph, graph.nodes.back())[0]);
    graph.nodes.back().outputs = {output};
    graph.outputs = {output};
    return output;
  }
};

Tensor random_tensor(Shape shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor = {std::move(shape), {}};
  for (int64_t i = elements(tensor.shape); i > 0; --i) tensor.data.push_back(std::normal_distribution<>(0, 1)(random));
  return tensor;
}

/// One operator on constants or inputs, all given here.
Tensor run(Operator op, std::vector<Tensor> inputs) {
  Builder builder;
  std::vector<ValueId> ids;
  for (const Tensor& tensor : inputs) ids.push_back(builder.input(tensor.shape));
  builder.node(std::move(op), ids);
  return evaluate(builder.graph, std::move(inputs))[0];
}

void expect_close(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.shape, expected.shape);
  for (size_t i = 0; i < actual.data.size(); ++i) {
    ASSERT_NEAR(actual.data[i], expected.data[i], 1e-12 * std::max(1.0, std::abs(expected.data[i]))) << i;
  }
}

/// [N,C,H,W] the slow way.
Tensor naive_convolution(const op::Convolution& op, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const Window& window = op.window;
  const int64_t in = x.shape[1], height = x.shape[2], width = x.shape[3], out = w.shape[0], depth = w.shape[1];
  const auto extent = [&](size_t axis, int64_t input) {
    const int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    return (input + window.pad_begin[axis] + window.pad_end[axis] - reach) / window.stride[axis] + 1;
  };
  Tensor y = {{x.shape[0], out, extent(0, height), extent(1, width)}, {}};
  for (int64_t n = 0; n < y.shape[0]; ++n) {
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < y.shape[2]; ++i) {
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          long double sum = bias.data[static_cast<size_t>(o)];
          for (int64_t c = 0; c < depth; ++c) {
            for (int64_t k = 0; k < window.kernel[0] * window.kernel[1]; ++k) {
              const int64_t ky = k / window.kernel[1], kx = k % window.kernel[1];
              const int64_t row = i * window.stride[0] + ky * window.dilation[0] - window.pad_begin[0];
              const int64_t column = j * window.stride[1] + kx * window.dilation[1] - window.pad_begin[1];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              const int64_t channel = o / (out / op.groups) * depth + c;
              sum += static_cast<long double>(
                         x.data[static_cast<size_t>(((n * in + channel) * height + row) * width + column)]) *
                     w.data[static_cast<size_t>((o * depth + c) * window.kernel[0] * window.kernel[1] + k)];
            }
          }
          y.data.push_back(static_cast<double>(sum));
        }
      }
    }
  }
  return y;
}

const op::Transpose kToChannelsLast = {{0, 2, 3, 1}};

TEST(Convolution, EqualsTheSlowWayInBothLayouts) {
  struct Case {
    Shape x, w;
    Window window;
    int64_t groups;
  };
  const Case cases[] = {
      {{1, 3, 7, 6}, {9, 3, 3, 3}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, 1},
      {{2, 4, 9, 8}, {6, 2, 3, 2}, {{3, 2}, {2, 3}, {2, 1}, {0, 2}, {3, 1}}, 2},
      {{1, 5, 6, 6}, {5, 1, 2, 2}, {{2, 2}, {2, 1}, {1, 3}, {1, 0}, {0, 2}}, 5},
      {{3, 17, 1, 1}, {20, 17, 1, 1}, {}, 1},
  };
  for (const Case& c : cases) {
    op::Convolution op = {.window = c.window, .groups = c.groups};
    const Tensor x = random_tensor(c.x, 1), w = random_tensor(c.w, 2), bias = random_tensor({c.w[0]}, 3);
    const Tensor expected = naive_convolution(op, x, w, bias);
    expect_close(run(op, {x, w, bias}), expected);
    op.layout = Layout::ChannelsLast;
    const Tensor last = run(op, {run(kToChannelsLast, {x}), run(kToChannelsLast, {w}), bias});
    expect_close(last, run(kToChannelsLast, {expected}));
  }
}

TEST(DotProducts, AreSummedInTwiceTheDigits) {
  const Tensor row = {{1, 4}, {1e16, 1, -1e16, 1e-3}}, ones = {{4, 1}, {1, 1, 1, 1}};
  EXPECT_EQ(run(op::MatMul{}, {row, ones}).data[0], 1.001);
  // A product's own rounding error counts too: (1 + e)(1 - e) - 1 = -e^2.
  const double e = std::ldexp(1, -30);
  const Tensor a = {{1, 2}, {1 + e, -1}}, b = {{2, 1}, {1 - e, 1}};
  EXPECT_EQ(run(op::MatMul{}, {a, b}).data[0], -e * e);
}

TEST(DotProducts, SurviveWhatCannotBeSplit) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kHuge = 1e308;
  const Tensor ones = {{2, 1}, {1, 1}};
  EXPECT_EQ(run(op::MatMul{}, {{{1, 2}, {kInfinity, 1}}, ones}).data[0], kInfinity);
  EXPECT_EQ(run(op::MatMul{}, {{{1, 2}, {kHuge, -kHuge}}, ones}).data[0], 0);
}

TEST(MatMul, BroadcastsItsBatch) {
  const Tensor a = random_tensor({2, 1, 3, 5}, 1), b = random_tensor({4, 5, 9}, 2);
  const Tensor y = run(op::MatMul{}, {a, b});
  ASSERT_EQ(y.shape, (Shape{2, 4, 3, 9}));
  for (size_t i = 0; i < y.data.size(); ++i) {
    const size_t column = i % 9, row = i / 9 % 3, right = i / 27 % 4, left = i / 108;
    double sum = 0;
    for (size_t k = 0; k < 5; ++k) sum += a.data[(left * 3 + row) * 5 + k] * b.data[(right * 5 + k) * 9 + column];
    EXPECT_NEAR(y.data[i], sum, 1e-12);
  }
}

TEST(MatMul, TakesVectors) {
  const Tensor vector = {{2}, {2, 3}}, matrix = {{2, 2}, {1, 10, 100, 1000}};
  EXPECT_EQ(run(op::MatMul{}, {vector, matrix}).data, (std::vector<double>{302, 3020}));
  EXPECT_EQ(run(op::MatMul{}, {matrix, vector}).data, (std::vector<double>{32, 3200}));
  const Tensor product = run(op::MatMul{}, {vector, vector});
  EXPECT_EQ(product.shape, Shape{});
  EXPECT_EQ(product.data, std::vector<double>{13});
}

TEST(Binary, BroadcastsBothSides) {
  const Tensor a = {{2, 1}, {1, 2}}, b = {{3}, {10, 20, 30}};
  const Tensor y = run(op::Binary{op::BinaryFunction::Sub}, {a, b});
  EXPECT_EQ(y.shape, (Shape{2, 3}));
  EXPECT_EQ(y.data, (std::vector<double>{-9, -19, -29, -8, -18, -28}));
  EXPECT_EQ(run(op::Binary{op::BinaryFunction::Pow}, {b, Tensor::scalar(2)}).data,
            (std::vector<double>{100, 400, 900}));
}

TEST(FakeQuant, HasAScaleAChannel) {
  const Quantizer q = {.scale = {{2, 1}, {0.5, 2}}, .zero_point = Tensor::scalar(1), .lowest = 0, .highest = 3};
  const Tensor y = run(op::FakeQuant{q}, {{{2, 3}, {-9, 0.25, 0.74, -1, 3, 9}}});
  // Halves go to even: 0.25/0.5 + 1 = 1.5 is 2, -1/2 + 1 = 0.5 is 0, 3/2 + 1 = 2.5 is 2.
  EXPECT_EQ(y.data, (std::vector<double>{-0.5, 0.5, 0.5, -2, 2, 4}));
}

TEST(FakeQuant, BipolarTakesZeroForPositive) {
  const Quantizer q = {.scale = Tensor::scalar(0.5), .zero_point = Tensor::scalar(0), .bipolar = true};
  EXPECT_EQ(run(op::FakeQuant{q}, {{{3}, {-0.1, 0, 7}}}).data, (std::vector<double>{-0.5, 0.5, 0.5}));
}

TEST(Softmax, OverAnyAxis) {
  const Tensor x = {{2, 2}, {0, 1000, std::log(3), 1000}};
  const Tensor rows = run(op::Softmax{-1}, {x}), columns = run(op::Softmax{0}, {x});
  expect_close(rows, {{2, 2}, {0, 1, 0, 1}});
  expect_close(columns, {{2, 2}, {0.25, 0.5, 0.75, 0.5}});
}

TEST(AveragePool, CountsPaddingOnlyIfToldTo) {
  const Tensor x = {{1, 1, 2, 2}, {1, 2, 3, 6}};
  op::AveragePool pool = {.window = {{2, 2}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}};
  EXPECT_EQ(run(pool, {x}).data, (std::vector<double>{1, 2, 3, 6}));
  pool.count_padding = true;
  EXPECT_EQ(run(pool, {x}).data, (std::vector<double>{0.25, 0.5, 0.75, 1.5}));
}

TEST(MaxPool, PaddingNeverWins) {
  const op::MaxPool pool = {.window = {{2, 2}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, .layout = Layout::ChannelsLast};
  EXPECT_EQ(run(pool, {{{1, 2, 2, 1}, {-1, -2, -3, -6}}}).data, (std::vector<double>{-1, -2, -3, -6}));
}

TEST(Layout, ConcatPadResizeTranspose) {
  const Tensor x = {{1, 1, 2, 2}, {1, 2, 3, 4}};
  EXPECT_EQ(run(op::Concat{2}, {x, x}).data, (std::vector<double>{1, 2, 3, 4, 1, 2, 3, 4}));
  EXPECT_EQ(run(op::Concat{3}, {x, x}).data, (std::vector<double>{1, 2, 1, 2, 3, 4, 3, 4}));
  EXPECT_EQ(run(op::Transpose{{0, 1, 3, 2}}, {x}).data, (std::vector<double>{1, 3, 2, 4}));
  const op::Pad pad = {.before = {0, 0, 0, 1}, .after = {0, 0, 1, 0}, .value = 9};
  EXPECT_EQ(run(pad, {x}).data, (std::vector<double>{9, 1, 2, 9, 3, 4, 9, 9, 9}));
  const op::Resize resize = {.rows = {1, 0, 1}, .columns = {0}};
  EXPECT_EQ(run(resize, {x}).data, (std::vector<double>{3, 1, 3}));
}

TEST(Evaluate, ObserverSeesAndReplaces) {
  Builder builder;
  const ValueId x = builder.input({2});
  const ValueId relu = builder.node(op::Unary{op::UnaryFunction::Relu}, {x});
  builder.node(op::Binary{op::BinaryFunction::Add}, {relu, builder.constant(Tensor::scalar(1))});
  std::vector<std::string> seen;
  const auto results = evaluate(builder.graph, {{{2}, {-5, 5}}}, [&](const Node& node, std::span<Tensor> outputs) {
    if (seen.empty()) {
      EXPECT_EQ(outputs[0].data, (std::vector<double>{0, 5}));
      outputs[0].data = {7, 8};
    }
    seen.push_back(node.name);
  });
  EXPECT_EQ(results[0].data, (std::vector<double>{8, 9}));
  EXPECT_EQ(seen, (std::vector<std::string>{"node0", "node1"}));
}

TEST(Evaluate, GivesOutputsThatOthersReadToo) {
  Builder builder;
  const ValueId x = builder.input({1});
  const ValueId relu = builder.node(op::Unary{op::UnaryFunction::Relu}, {x});
  const ValueId sum = builder.node(op::Binary{op::BinaryFunction::Add}, {relu, relu});
  builder.graph.outputs = {relu, sum, relu, x};
  const auto results = evaluate(builder.graph, {{{1}, {3}}});
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(results[i].data, std::vector<double>{i == 1 ? 6.0 : 3.0});
}

TEST(Evaluate, RefusesWrongInputs) {
  Builder builder;
  builder.node(op::Unary{op::UnaryFunction::Relu}, {builder.input({2})});
  EXPECT_THROW(evaluate(builder.graph, {}), CompileError);
  EXPECT_THROW(evaluate(builder.graph, {{{3}, {1, 2, 3}}}), CompileError);
  EXPECT_THROW(evaluate(builder.graph, {{{2}, {1, 2, 3}}}), CompileError);
  const Tensor wrong = {{3}, {1, 2, 3}};
  const Tensor* const inputs[] = {&wrong};
  EXPECT_THROW(evaluate_node(builder.graph, builder.graph.nodes[0], inputs), CompileError);
  const Tensor* const absent[] = {nullptr};
  EXPECT_THROW(evaluate_node(builder.graph, builder.graph.nodes[0], absent), CompileError);
}

}  // namespace
}  // namespace tidbit::compiler
