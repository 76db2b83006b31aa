#include "compiler/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tidbit::compiler {
namespace {

using ::testing::HasSubstr;

ValueId add_value(Graph& graph, std::string name, Shape shape) {
  Value value;
  value.name = std::move(name);
  value.shape = std::move(shape);
  return graph.add(std::move(value));
}

ValueId add_constant(Graph& graph, std::string name, Shape shape) {
  const ValueId id = add_value(graph, std::move(name), shape);
  const auto size = static_cast<size_t>(elements(shape));
  graph[id].constant = Tensor{std::move(shape), std::vector<double>(size, 0.5)};
  return id;
}

/// x -> Convolution -> Relu -> y
Graph small_graph() {
  Graph graph;
  graph.name = "small";
  const ValueId x = add_value(graph, "x", {1, 2, 4, 4}), w = add_constant(graph, "w", {3, 2, 3, 3});
  const ValueId sum = add_value(graph, "", {1, 3, 2, 2}), y = add_value(graph, "y", {1, 3, 2, 2});
  op::Convolution convolution;
  convolution.window.kernel[0] = convolution.window.kernel[1] = 3;
  graph.nodes.push_back({"conv", convolution, {x, w}, {sum}});
  graph.nodes.push_back({"relu", op::Unary{op::UnaryFunction::Relu}, {sum}, {y}});
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const CompileError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Elements, CountsAndRefusesWhatDoesNotFit) {
  EXPECT_EQ(elements({}), 1);
  EXPECT_EQ(elements({2, 3, 4}), 24);
  EXPECT_EQ(elements({int64_t{1} << 40, 0, int64_t{1} << 40}), 0);
  constexpr int64_t kMost = PTRDIFF_MAX / sizeof(double);
  EXPECT_EQ(elements({kMost}), kMost);
  EXPECT_EQ(elements({2, kMost / 2}), kMost - 1);
  EXPECT_THROW(elements({2, kMost / 2 + 1}), CompileError);
  EXPECT_THROW(elements({int64_t{1} << 32, int64_t{1} << 31}), CompileError);
  EXPECT_THROW(elements({3, -1}), CompileError);
  EXPECT_THROW(elements({0, -1}), CompileError);
  EXPECT_EQ(to_string(Shape{1, 20, 3}), "[1,20,3]");
}

TEST(Rounding, EachModeOnHalvesAndAround) {
  struct Case {
    double x;
    double half_even, floor, ceil, toward_zero, away_from_zero, half_up, half_down;
  };
  // The table of QONNX's documentation, and what lies close to a half.
  const Case cases[] = {
      {5.5, 6, 5, 6, 5, 6, 6, 5},
      {2.5, 2, 2, 3, 2, 3, 3, 2},
      {1.6, 2, 1, 2, 1, 2, 2, 2},
      {1.1, 1, 1, 2, 1, 2, 1, 1},
      {1, 1, 1, 1, 1, 1, 1, 1},
      {-1, -1, -1, -1, -1, -1, -1, -1},
      {-1.1, -1, -2, -1, -1, -2, -1, -1},
      {-1.6, -2, -2, -1, -1, -2, -2, -2},
      {-2.5, -2, -3, -2, -2, -3, -3, -2},
      {-5.5, -6, -6, -5, -5, -6, -6, -5},
      {0.49999999999999994, 0, 0, 1, 0, 1, 0, 0},
      {4503599627370497, 4503599627370497, 4503599627370497, 4503599627370497, 4503599627370497, 4503599627370497,
       4503599627370497, 4503599627370497},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.x);
    EXPECT_EQ(round_to_integer(c.x, Rounding::HalfEven), c.half_even);
    EXPECT_EQ(round_to_integer(c.x, Rounding::Floor), c.floor);
    EXPECT_EQ(round_to_integer(c.x, Rounding::Ceil), c.ceil);
    EXPECT_EQ(round_to_integer(c.x, Rounding::TowardZero), c.toward_zero);
    EXPECT_EQ(round_to_integer(c.x, Rounding::AwayFromZero), c.away_from_zero);
    EXPECT_EQ(round_to_integer(c.x, Rounding::HalfUp), c.half_up);
    EXPECT_EQ(round_to_integer(c.x, Rounding::HalfDown), c.half_down);
  }
}

TEST(Graph, ProducersAndReaders) {
  const Graph graph = small_graph();
  EXPECT_EQ(producers(graph), (std::vector<int32_t>{-1, -1, 0, 1}));
  EXPECT_EQ(reader_counts(graph), (std::vector<int32_t>{1, 1, 1, 1}));
}

TEST(Graph, Text) {
  EXPECT_EQ(to_text(small_graph()),
            "graph 'small'\n"
            "  inputs %0 'x' [1,2,4,4]\n"
            "  conv: %2 [1,3,2,2] = Convolution(%0 'x' [1,2,4,4], %1 'w' [3,2,3,3] constant) kernel=3x3 groups=1\n"
            "  relu: %3 'y' [1,3,2,2] = Relu(%2 [1,3,2,2])\n"
            "  outputs %3 'y' [1,3,2,2]\n");
}

TEST(Verify, AcceptsASoundGraph) { EXPECT_NO_THROW(verify(small_graph())); }

TEST(Verify, NamesWhatIsWrong) {
  struct Case {
    const char* what;
    std::function<void(Graph&)> breaks;
    const char* message;
  };
  const Case cases[] = {
      {"input index", [](Graph& g) { g.nodes[0].inputs[0] = 9; }, "conv (Convolution): input index out of range"},
      {"output index", [](Graph& g) { g.nodes[0].outputs[0] = -2; }, "output index out of range"},
      {"order", [](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }, "relu (Relu): reads a value before it is made"},
      {"made twice", [](Graph& g) { g.nodes[1].outputs[0] = 2; }, "relu (Relu): makes a value that exists"},
      {"one name", [](Graph& g) { g.nodes[1].name = "conv"; }, "two nodes of one name"},
      {"shape",
       [](Graph& g) {
         g[2].shape = {1, 3, 2, 3};
       },
       "conv (Convolution): output shape is [1,3,2,3], should be"},
      {"constant", [](Graph& g) { g[1].constant->data.pop_back(); }, "'w': its constant has another size"},
      {"constant's shape", [](Graph& g) { g[1].constant->shape = {54}; }, "'w': its constant has another shape"},
      {"outputs", [](Graph& g) { g.nodes[1].outputs.clear(); }, "relu (Relu): must have 1 outputs"},
      {"graph output", [](Graph& g) { g.outputs[0] = 7; }, "graph outputs"},
      {"graph input", [](Graph& g) { g.inputs.push_back(1); }, "graph inputs"},
      {"codes", [](Graph& g) { g[0].codes = true; }, "'x': codes without a quantization"},
      {"scales",
       [](Graph& g) {
         g[1].quantization = Quantization{{2, 1, -2}, {1, 2}, 0};
       },
       "wrong number of scales"},
      {"groups", [](Graph& g) { std::get<op::Convolution>(g.nodes[0].op).groups = 2; }, "groups do not divide"},
      {"padding", [](Graph& g) { std::get<op::Convolution>(g.nodes[0].op).window.pad_end[0] = -1; }, "out of range"},
  };
  for (const Case& c : cases) {
    Graph graph = small_graph();
    c.breaks(graph);
    EXPECT_THAT(error_of([&] { verify(graph); }), HasSubstr(c.message)) << c.what;
  }
}

TEST(OutputShapes, RefuseWindowsInThePadding) {
  Graph graph;
  const ValueId x = add_value(graph, "x", {1, 1, 2, 1});
  const auto error = [&](const Window& window) {
    return error_of([&] { output_shapes(graph, {"pool", op::MaxPool{window}, {x}, {}}); });
  };
  const auto refused = HasSubstr("pool (MaxPool): a window lies in the padding altogether");
  EXPECT_THAT(error({.pad_begin = {1, 0}}), refused);  // a kernel of 1: the first window sees nothing of the image
  EXPECT_THAT(error({.pad_end = {1, 0}}), refused);
  EXPECT_THAT(error({.kernel = {2, 2}, .dilation = {1, 2}, .pad_begin = {0, 1}, .pad_end = {0, 1}}), refused);
  EXPECT_EQ(error({.kernel = {2, 2}, .dilation = {1, 2}, .pad_begin = {0, 2}, .pad_end = {0, 0}}), "no error");
}

TEST(OutputShapes, OfLoweredOperators) {
  Graph graph;
  const ValueId x = add_value(graph, "x", {2, 5, 5, 4});
  graph[x].codes = true;
  graph[x].quantization = Quantization{{2, 1, 0}, {1}, -1};
  op::Linear linear = {.kind = op::LinearKind::Quantized, .window = {}, .groups = 2, .weights = {}, .epilogues = {}};
  linear.window.kernel[0] = linear.window.kernel[1] = linear.window.stride[0] = linear.window.stride[1] = 2;
  linear.weights = {
      .rows = 6, .taps = 4, .channels = 2, .grid = Grid{1, 2, -1}, .codes = {}, .reals = {}, .scales = {}};
  linear.weights.codes.resize(48);
  op::RealAffine real;
  real.multiplier = real.offset = {1};
  linear.epilogues = {real, real};
  Node node = {"linear", linear, {x}, {}};
  EXPECT_EQ(output_shapes(graph, node), (std::vector<Shape>{{2, 2, 2, 6}, {2, 2, 2, 6}}));

  std::get<op::Linear>(node.op).weights.codes.pop_back();
  EXPECT_THAT(error_of([&] { output_shapes(graph, node); }), HasSubstr("linear (Linear): wrong number of weights"));
  std::get<op::Linear>(node.op) = linear;
  std::get<op::RealAffine>(std::get<op::Linear>(node.op).epilogues[1]).offset = {1, 2};
  EXPECT_THAT(error_of([&] { output_shapes(graph, node); }), HasSubstr("arrays do not fit 6 channels"));
  graph[x].codes = false;
  EXPECT_THAT(error_of([&] { output_shapes(graph, node); }), HasSubstr("should hold codes"));
}

}  // namespace
}  // namespace tidbit::compiler
