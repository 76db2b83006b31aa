// QuantizeLinear, DequantizeLinear, what lies between them, and operators on quantized integers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiler/import/model_file.h"
#include "compiler/passes/passes.h"
#include "tests/compiler/import_runner.h"

namespace tidbit::compiler {
namespace {

using test::import_error, test::import_model, test::OnnxBuilder, test::run_model;
using ::testing::HasSubstr;
using Numbers = std::vector<double>;
using Ints = std::vector<int64_t>;

constexpr int kInt8 = onnx::TensorProto::INT8, kUint8 = onnx::TensorProto::UINT8, kInt32 = onnx::TensorProto::INT32;

void add_integers(OnnxBuilder& model, const char* name, const Ints& shape, int type, const std::vector<int>& values) {
  onnx::TensorProto& tensor = *model.graph().add_initializer();
  tensor = OnnxBuilder::empty_tensor(name, shape, type);
  const bool nibbles = type == kInt4 || type == kUint4;
  for (size_t i = 0; i < values.size(); i += nibbles ? 2 : 1) {
    const int second = nibbles && i + 1 < values.size() ? (values[i + 1] & 15) << 4 : 0;
    tensor.add_int32_data(nibbles ? (values[i] & 15) | second : values[i]);
  }
}

size_t count_quantizers(const Graph& graph) {
  return static_cast<size_t>(std::ranges::count_if(
      graph.nodes, [](const Node& node) { return std::holds_alternative<op::FakeQuant>(node.op); }));
}

/// x -> QuantizeLinear to `type` -> [Clip] -> DequantizeLinear -> y
struct Pair {
  float scale = 0.5F;
  int type = kInt8, zero = 0;
  std::vector<int> clip = {};

  OnnxBuilder model(int64_t count) const {
    OnnxBuilder built;
    built.input("x", {count}).output("y").reals("s", {}, {scale});
    add_integers(built, "z", {}, type, {zero});
    built.node("QuantizeLinear", {"x", "s", "z"}, "q");
    if (!clip.empty()) {
      add_integers(built, "low", {}, type, {clip[0]});
      add_integers(built, "high", {}, type, {clip[1]});
      built.node("Clip", {"q", "low", "high"}, "c");
    }
    built.node("DequantizeLinear", {clip.empty() ? "q" : "c", "s", "z"}, "y");
    return built;
  }

  Numbers operator()(const Numbers& x) const {
    const auto count = static_cast<int64_t>(x.size());
    return run_model(model(count), {{{count}, x}}).data;
  }
};

TEST(QuantizeLinear, LimitsFollowTheZeroPointsTypeAndTheClip) {
  const Numbers x = {-1e9, 0.3, 1e9};
  EXPECT_EQ((Pair{.type = kInt8}(x)), (Numbers{-64, 0.5, 63.5}));
  EXPECT_EQ((Pair{.type = kUint8}(x)), (Numbers{0, 0.5, 127.5}));
  EXPECT_EQ((Pair{.type = kUint8, .zero = 100}(x)), (Numbers{-50, 0.5, 77.5}));
  EXPECT_EQ((Pair{.type = kInt4}(x)), (Numbers{-4, 0.5, 3.5}));
  EXPECT_EQ((Pair{.type = kUint4, .zero = 3}(x)), (Numbers{-1.5, 0.5, 6}));
  EXPECT_EQ((Pair{.clip = {-7, 7}}(x)), (Numbers{-3.5, 0.5, 3.5}));
  EXPECT_EQ((Pair{.type = kUint8, .zero = 3, .clip = {2, 5}}(x)), (Numbers{-0.5, 0.5, 1}));
}

TEST(QuantizeLinear, RoundsBeforeItAddsTheZeroPoint) {
  // Halves go to even integers, whatever an odd zero point makes of them.
  const Numbers x = {0.25, 0.75, 1.25, -0.25, -0.75};
  EXPECT_EQ((Pair{.type = kUint8, .zero = 101}(x)), (Numbers{0, 1, 1, 0, -1}));
  EXPECT_EQ((Pair{.type = kUint8, .zero = 100}(x)), (Numbers{0, 1, 1, 0, -1}));
}

TEST(QuantizeLinear, IsOneFakeQuantWithItsDequantizer) {
  for (const Pair& pair : {Pair{}, Pair{.type = kUint8, .zero = 7}, Pair{.clip = {-7, 7}}}) {
    const Graph graph = import_model(pair.model(4));
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_EQ(count_quantizers(graph), 1U);
  }
}

TEST(QuantizeLinear, WithoutAZeroPointIsUint8) {
  OnnxBuilder model;
  model.input("x", {2}).output("y").reals("s", {1}, {0.5F});
  model.node("QuantizeLinear", {"x", "s"}, "y");
  EXPECT_EQ(run_model(model, {{{2}, {-4, 3.3}}}).data, (Numbers{0, 7}));
}

TEST(QuantizeLinear, ItsIntegersMayBeAnOutputOrMoveFirst) {
  OnnxBuilder model;
  model.input("x", {1, 1, 2, 2}).output("y").output("q").reals("s", {}, {0.5F}).integers("to", {1}, {-1});
  add_integers(model, "z", {}, kUint8, {3});
  model.node("QuantizeLinear", {"x", "s", "z"}, "q");
  model.node("MaxPool", {"q"}, "p").set("kernel_shape", Ints{1, 2});
  model.node("Concat", {"p", "p"}, "c").set("axis", 1);
  model.node("Pad", {"c", "pads", "value"}, "d");
  model.integers("pads", {8}, {0, 0, 0, 0, 0, 1, 0, 0});
  add_integers(model, "value", {}, kUint8, {4});
  model.node("Reshape", {"d", "to"}, "r");
  model.node("DequantizeLinear", {"r", "s", "z"}, "y");
  const std::vector<Tensor> outputs = evaluate(import_model(model), {{{1, 1, 2, 2}, {-5, 1, 2, 200}}});
  EXPECT_EQ(outputs[0].data, (Numbers{1, 126, 1, 126, 0.5, 0.5}));
  EXPECT_EQ(outputs[1].data, (Numbers{0, 5, 7, 255}));
}

TEST(QuantizeLinear, OtherOperatorsSeeTheIntegers) {
  OnnxBuilder model;
  model.input("x", {2}).output("y").reals("s", {}, {0.3F}).reals("t", {}, {0.25F}).reals("three", {}, {3});
  add_integers(model, "z", {}, kInt8, {1});
  add_integers(model, "u", {}, kInt8, {2});
  model.node("QuantizeLinear", {"x", "s", "z"}, "q");
  model.node("DequantizeLinear", {"q", "t", "u"}, "d");  // with another scale and zero point
  model.node("Cast", {"q"}, "f").set("to", 1);
  model.node("Mul", {"f", "three"}, "m");
  model.node("Add", {"d", "m"}, "y");
  // q is 4 and -9
  EXPECT_EQ(run_model(model, {{{2}, {1, -3}}}).data, (Numbers{0.5 + 12, -2.75 - 27}));
}

TEST(QuantizeLinear, ScalesOfAChannelAndTypesThatAreRefused) {
  OnnxBuilder model;
  model.input("x", {1, 3, 1}).output("y").reals("s", {3}, {1, 2, 4});
  add_integers(model, "z", {3}, kUint8, {10, 0, 2});
  model.node("QuantizeLinear", {"x", "s", "z"}, "y");
  EXPECT_EQ(run_model(model, {{{1, 3, 1}, {-3, 5, 1000}}}).data, (Numbers{7, 2, 252}));
  model.graph().mutable_initializer(1)->set_int32_data(1, 3);
  EXPECT_THAT(import_error(model), HasSubstr("zero points that differ by channel and are odd"));
  model.graph().mutable_initializer(1)->set_data_type(onnx::TensorProto::FLOAT);
  model.graph().mutable_initializer(1)->clear_int32_data();
  for (int i = 0; i < 3; ++i) model.graph().mutable_initializer(1)->add_float_data(0);
  EXPECT_THAT(import_error(model), HasSubstr("quantizes to float; only integers are supported"));
}

TEST(DequantizeLinear, PutsConstantsOnTheFewestBits) {
  struct Case {
    int type;
    std::vector<int> values;
    int zero;
    Grid grid;
  };
  for (const auto& [type, values, zero, grid] :
       {Case{kInt8, {-7, 7, 0, 1}, 0, {4, 1, -8}}, Case{kInt8, {-8, 7, 0, 1}, 0, {4, 1, -8}},
        Case{kInt8, {-9, 7, 0, 1}, 0, {5, 1, -16}}, Case{kInt8, {-1, 1, 1, -1}, 0, {1, 2, -1}},
        Case{kInt8, {-1, 1, 0, -1}, 0, {2, 1, -2}}, Case{kInt4, {-8, 7, -1, 3}, 0, {4, 1, -8}},
        Case{kUint4, {0, 15, 3, 3}, 0, {4, 1, 0}}, Case{kUint8, {0, 255, 3, 3}, 128, {8, 1, -128}},
        Case{kUint8, {0, 255, 3, 3}, 130, {8, 1, -130}}, Case{kInt8, {-128, 127, 3, 3}, 0, {8, 1, -128}}}) {
    OnnxBuilder model;
    model.input("x", {1, 2}).output("y").reals("s", {2}, {0.5F, 0.1F});
    add_integers(model, "w", {2, 2}, type, values);
    add_integers(model, "z", {}, type, {zero});
    model.node("DequantizeLinear", {"w", "s", "z"}, "d").set("axis", 1);
    model.node("MatMul", {"x", "d"}, "y");
    Graph graph = import_model(model);
    fold_constants(graph);
    const Value& weights = graph[graph.nodes[0].inputs[1]];
    ASSERT_TRUE(weights.quantization);
    EXPECT_EQ(weights.quantization->grid, grid) << to_text(graph);
    EXPECT_EQ(weights.quantization->axis, 1);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(weights.constant->data[i], (values[i] - zero) * static_cast<double>(i % 2 ? 0.1F : 0.5F));
    }
  }
}

TEST(DequantizeLinear, OfAWideBiasIsAConstant) {
  OnnxBuilder model;
  model.input("x", {1, 1, 1, 1}).output("y").reals("s", {}, {0.25F}).reals("w", {2, 1, 1, 1}, {1, 2});
  add_integers(model, "b", {2}, kInt32, {100000, -3});
  model.node("DequantizeLinear", {"b", "s"}, "d");
  model.node("Conv", {"x", "w", "d"}, "y");
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(evaluate(graph, {{{1, 1, 1, 1}, {4}}})[0].data, (Numbers{25004, 7.25}));
}

TEST(DequantizeLinear, RefusesBlocksAndWrongShapes) {
  OnnxBuilder model;
  model.input("x", {1, 4}).output("y").reals("s", {2}, {1, 1});
  add_integers(model, "w", {4, 2}, kInt8, {1, 2, 3, 4, 5, 6, 7, 8});
  model.node("DequantizeLinear", {"w", "s"}, "d").set("axis", 0);
  model.node("MatMul", {"x", "d"}, "y");
  EXPECT_THAT(import_error(model), HasSubstr("2 scales or zero points do not fit axis 0 of [4,2]"));
  test::OnnxNodeBuilder(*model.graph().mutable_node(0)).set("block_size", 2);
  EXPECT_THAT(import_error(model), HasSubstr("scales a block are not supported"));
}

TEST(IntegerInputs, AreQuantizedReals) {
  OnnxBuilder model;
  model.input("x", {3}).output("y").reals("s", {}, {0.5F});
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(kUint8);
  add_integers(model, "z", {}, kUint8, {10});
  model.node("DequantizeLinear", {"x", "s", "z"}, "y");
  EXPECT_EQ(run_model(model, {{{3}, {0, 10, 255}}}).data, (Numbers{-5, 0, 122.5}));
}

/// x of reals, quantized by 0.5 with zero point 1.
OnnxBuilder qlinear_model(const Ints& shape) {
  OnnxBuilder model;
  model.input("x", shape).output("y").reals("s", {}, {0.5F}).reals("t", {}, {2});
  add_integers(model, "z", {}, kInt8, {1});
  add_integers(model, "zero", {}, kInt8, {0});
  model.node("QuantizeLinear", {"x", "s", "z"}, "q");
  return model;
}

TEST(QLinear, ConvWithABiasAndScalesOfAChannel) {
  OnnxBuilder model = qlinear_model({1, 1, 1, 3});
  add_integers(model, "w", {2, 1, 1, 1}, kInt8, {2, -3});
  add_integers(model, "wz", {2}, kInt8, {0, 0});
  model.reals("ws", {2}, {1, 0.5F});
  add_integers(model, "b", {2}, kInt32, {4, 100});
  model.node("QLinearConv", {"q", "s", "z", "w", "ws", "wz", "t", "z", "b"}, "r");
  model.node("DequantizeLinear", {"r", "t", "z"}, "y");
  // x*2 + 4*0.5 and x*-1.5 + 100*0.25, in steps of 2
  EXPECT_EQ(run_model(model, {{{1, 1, 1, 3}, {1, -2.5, 10}}}).data, (Numbers{4, -4, 22, 24, 28, 10}));
  const Graph graph = import_model(model);
  EXPECT_EQ(count_quantizers(graph), 3U) << to_text(graph);  // x, w and y
}

TEST(QLinear, MatMulAddMulConcatAndPools) {
  OnnxBuilder model = qlinear_model({1, 1, 2, 2});
  const char* const domain = "com.microsoft";
  add_integers(model, "m", {2, 1}, kInt8, {1, -1});
  model.node("QLinearAdd", {"q", "s", "z", "q", "s", "z", "s", "zero"}, "a").domain(domain);
  model.node("QLinearMul", {"a", "s", "zero", "q", "s", "z", "s", "zero"}, "b").domain(domain);
  model.node("QLinearMatMul", {"b", "s", "zero", "m", "t", "zero", "s", "z"}, "c");
  model.node("QLinearGlobalAveragePool", {"b", "s", "zero", "s", "zero"}, "g").domain(domain);
  model.node("QLinearConcat", {"s", "zero", "g", "s", "zero", "g", "s", "zero"}, "h").domain(domain).set("axis", 0);
  model.node("DequantizeLinear", {"c", "s", "z"}, "y");
  model.node("DequantizeLinear", {"h", "s", "zero"}, "v");
  model.output("v");
  const std::vector<Tensor> y = evaluate(import_model(model), {{{1, 1, 2, 2}, {1, 2, -1.5, 3}}});
  // x + x, times x: 2, 8, 4.5, 18; times (2,-2)
  EXPECT_EQ(y[0].data, (Numbers{-12, -27}));
  EXPECT_EQ(y[1].data, (Numbers{8, 8}));  // 8.125 in steps of 0.5
}

TEST(QLinear, ConvIntegerAndMatMulIntegerGiveSums) {
  OnnxBuilder model = qlinear_model({1, 2});
  add_integers(model, "w", {2, 2}, kUint8, {1, 4, 2, 5});
  add_integers(model, "wz", {2}, kUint8, {1, 3});
  model.node("MatMulInteger", {"q", "w", "z", "wz"}, "sum");
  model.node("Cast", {"sum"}, "f").set("to", 1);
  model.node("Mul", {"f", "t"}, "y");
  // q - 1 is 2, -6; w - wz is 0 1, 1 2
  EXPECT_EQ(run_model(model, {{{1, 2}, {1, -3}}}).data, (Numbers{-12, -20}));
}

TEST(MultiThreshold, CountsItsChannelsThresholds) {
  OnnxBuilder model;
  model.input("x", {1, 2, 1, 3}).output("y").reals("t", {2, 3}, {-1, 0, 1, 2, 0.5F, 10});
  model.node("MultiThreshold", {"x", "t"}, "y").domain("qonnx.custom_op.general").set("out_scale", 0.5F);
  test::OnnxNodeBuilder(*model.graph().mutable_node(0)).set("out_bias", -1.0F);
  const Tensor x = {{1, 2, 1, 3}, {-2, 0, 5, 0.4, 2, 100}};
  EXPECT_EQ(run_model(model, {x}).data, (Numbers{-1, 0, 0.5, -1, 0, 0.5}));
  const Graph graph = import_model(model);
  EXPECT_EQ(count_quantizers(graph), 1U);
}

}  // namespace
}  // namespace tidbit::compiler
