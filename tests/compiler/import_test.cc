// What import makes of a file as a whole: names, order, inputs, outputs, constants.
#include "compiler/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/compiler/import_runner.h"

namespace tidbit::compiler {
namespace {

using test::import_error, test::import_model, test::OnnxBuilder, test::run_model;
using ::testing::ElementsAre, ::testing::HasSubstr;

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

TEST(Import, KeepsNamesOfNodesAndValues) {
  OnnxBuilder model;
  model.input("x", {1, 2}).reals("w", {3, 2}, {1, 2, 3, 4, 5, 6}).reals("b", {3}, {1, 2, 3}).output("y");
  model.node("Gemm", {"x", "w", "b"}, "sum").name("gemm").set("transB", 1).set("alpha", 2.0F);
  model.node("Relu", {"sum"}, "positive").name("");
  model.node("Relu", {"positive"}, "y").name("gemm");
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.name, "built");
  EXPECT_THAT(node_names(graph), ElementsAre("gemm/MatMul", "gemm/Mul", "gemm", "positive", "gemm_1"));
  EXPECT_EQ(graph[graph.nodes[0].outputs[0]].name, "");
  EXPECT_EQ(graph[graph.nodes[1].outputs[0]].name, "");
  EXPECT_EQ(graph[graph.nodes[2].outputs[0]].name, "sum");
  EXPECT_EQ(graph[graph.inputs[0]].name, "x");
  EXPECT_EQ(graph[graph.outputs[0]].name, "y");
}

TEST(Import, SortsNodesAndLeavesOutWhatNoOutputNeeds) {
  OnnxBuilder model;
  model.input("x", {1}).output("y");
  model.node("Relu", {"b"}, "y").name("last");
  model.node("NoSuchOperator", {"b"}, "unused");
  model.node("Tanh", {"a"}, "b").name("second");
  model.node("Sigmoid", {"x"}, "a").name("first");
  EXPECT_THAT(node_names(import_model(model)), ElementsAre("first", "second", "last"));
}

TEST(Import, SortsTenThousandNodesWithoutRecursion) {
  OnnxBuilder model;
  model.input("x9999", {1}).output("x0");
  const auto value = [](int i) { return std::string("x").append(std::to_string(i)); };
  for (int i = 0; i < 9999; ++i) model.node("Relu", {value(i + 1)}, value(i)).name(std::to_string(i));
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.nodes.front().name, "9998");
  EXPECT_EQ(graph.nodes.back().name, "0");
}

TEST(Import, OutputsAreValuesOfTheirOwn) {
  OnnxBuilder model;
  model.input("x", {2}).output("x").output("relu").output("same").output("copy");
  model.node("Relu", {"x"}, "relu");
  model.node("Identity", {"relu"}, "same");
  model.node("Identity", {"x"}, "copy");
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.outputs.size(), 4U);
  const std::vector<Tensor> results = evaluate(graph, {{{2}, {-1, 2}}});
  const std::vector<std::string> names = {"x", "relu", "same", "copy"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(graph[graph.outputs[i]].name, names[i]);
    EXPECT_NE(graph.outputs[i], graph.inputs[0]);
    EXPECT_EQ(results[i].data, (std::vector<double>{i == 0 || i == 3 ? -1.0 : 0.0, 2}));
  }
}

TEST(Import, AnOutputBehindIdentityHasItsName) {
  OnnxBuilder model;
  model.input("x", {2}).output("y");
  model.node("Relu", {"x"}, "relu");
  model.node("Identity", {"relu"}, "y");
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph[graph.outputs[0]].name, "y");
}

TEST(Import, InitializersAreNoInputs) {
  OnnxBuilder model;
  model.input("w", {2}).input("x", {2}).reals("w", {2}, {3, 4}).output("y");
  model.node("Add", {"x", "w"}, "y");
  const Graph graph = import_model(model);
  EXPECT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(evaluate(graph, {{{2}, {1, 1}}})[0].data, (std::vector<double>{4, 5}));
}

OnnxBuilder dynamic_model(const std::vector<std::string>& names) {
  OnnxBuilder model;
  model.input("image", {}).output("y");
  auto& shape = *model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  for (const std::string& name : names) {
    auto& dimension = *shape.add_dim();
    if (isdigit(name[0])) dimension.set_dim_value(std::stoi(name));
    if (isalpha(name[0])) dimension.set_dim_param(name);
  }
  model.node("Relu", {"image"}, "y");
  return model;
}

TEST(Import, DynamicDimensionsNeedAShape) {
  const OnnxBuilder model = dynamic_model({"N", "3", "", "0"});
  EXPECT_EQ(import_error(model),
            "input 'image': dimension 0 ('N'), 2 (''), 3 ('') has no size; pass --shape image=1,3,?,?");
  EXPECT_EQ(import_model(model, {{{"image", {2, 3, 4, 5}}}}).values[0].shape, (Shape{2, 3, 4, 5}));
  for (const Shape& wrong : {Shape{1, 4, 4, 4}, Shape{1, 3, 4}, Shape{1, 3, 4, 0}, Shape{1, 3, -4, 4}}) {
    EXPECT_THAT(import_error(model, {{{"image", wrong}}}), HasSubstr("input 'image' is [1,3,?,?]; the shape"));
  }
  EXPECT_THAT(import_error(model, {{{"picture", {1}}}}), HasSubstr("pass --shape image=1,3,?,?"));
  EXPECT_THAT(import_error(dynamic_model({"2"}), {{{"picture", {1}}}}), HasSubstr("'picture', which is no input"));
  EXPECT_THAT(import_error(dynamic_model({"2"}), {{{"image", {3}}}}), HasSubstr("does not fit"));
}

TEST(Import, ShapesOfInputsWithoutOne) {
  OnnxBuilder model = dynamic_model({});
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_THAT(import_error(model), HasSubstr("input 'image' has no shape; pass --shape image="));
  EXPECT_EQ(import_model(model, {{{"image", {7}}}}).values[0].shape, Shape{7});
}

/// The numbers 0, 1, 2 (or, in types with a sign, -1, 1, 2) as raw bytes and in the field of the type.
template <class Stored, class Add>
void expect_type(int data_type, std::vector<Stored> values, const std::vector<double>& expected, Add add) {
  for (const bool raw : {false, true}) {
    OnnxBuilder model;
    model.input("x", {3}).output("y");
    onnx::TensorProto& tensor = *model.graph().add_initializer();
    tensor = OnnxBuilder::empty_tensor("c", {3}, data_type);
    if (raw) {
      tensor.mutable_raw_data()->assign(reinterpret_cast<const char*>(values.data()), 3 * sizeof(Stored));
    } else {
      for (const Stored value : values) add(tensor, value);
    }
    model.node("Add", {"x", "c"}, "y");
    EXPECT_EQ(run_model(model, {{{3}, {0, 0, 0}}}).data, expected) << data_type << (raw ? " raw" : "");
  }
}

TEST(Import, ReadsEveryTypeOfTensor) {
  using onnx::TensorProto;
  const auto int32 = [](TensorProto& tensor, auto value) { tensor.add_int32_data(static_cast<int32_t>(value)); };
  const auto uint64 = [](TensorProto& tensor, auto value) { tensor.add_uint64_data(value); };
  expect_type<float>(TensorProto::FLOAT, {0.5F, 1, 2}, {0.5, 1, 2}, [](auto& t, float v) { t.add_float_data(v); });
  expect_type<double>(TensorProto::DOUBLE, {0.1, 1, 2}, {0.1, 1, 2}, [](auto& t, double v) { t.add_double_data(v); });
  expect_type<int64_t>(TensorProto::INT64, {-1, 1, 2}, {-1, 1, 2}, [](auto& t, int64_t v) { t.add_int64_data(v); });
  expect_type<int8_t>(TensorProto::INT8, {-1, 1, 2}, {-1, 1, 2}, int32);
  expect_type<int16_t>(TensorProto::INT16, {-1, 1, 2}, {-1, 1, 2}, int32);
  expect_type<int32_t>(TensorProto::INT32, {-1, 1, 2}, {-1, 1, 2}, int32);
  expect_type<uint8_t>(TensorProto::UINT8, {255, 1, 2}, {255, 1, 2}, int32);
  expect_type<uint8_t>(TensorProto::BOOL, {0, 1, 1}, {0, 1, 1}, int32);
  expect_type<uint16_t>(TensorProto::UINT16, {65535, 1, 2}, {65535, 1, 2}, int32);
  expect_type<uint32_t>(TensorProto::UINT32, {4294967295, 1, 2}, {4294967295, 1, 2}, uint64);
  expect_type<uint64_t>(TensorProto::UINT64, {uint64_t{1} << 63, 1, 2}, {9223372036854775808.0, 1, 2}, uint64);
  // 1.5, -2, and the smallest number above zero.
  expect_type<uint16_t>(TensorProto::FLOAT16, {0x3E00, 0xC000, 1}, {1.5, -2, std::ldexp(1, -24)}, int32);
}

TEST(Import, ReadsInfinitiesOfFloat16) {
  OnnxBuilder model;
  model.input("x", {2}).output("y");
  onnx::TensorProto& tensor = *model.graph().add_initializer();
  tensor = OnnxBuilder::empty_tensor("c", {2}, onnx::TensorProto::FLOAT16);
  tensor.add_int32_data(0x7C00);
  tensor.add_int32_data(0xFC00);
  model.node("Add", {"x", "c"}, "y");
  EXPECT_EQ(run_model(model, {{{2}, {0, 0}}}).data, (std::vector<double>{INFINITY, -INFINITY}));
}

TEST(Import, FoldsTheArithmeticOfShapes) {
  OnnxBuilder model;
  model.input("x", {2, 3, 4}).output("y");
  model.integers("axis", {}, {0}).integers("one", {1}, {1}).integers("end", {1}, {INT64_MAX}).integers("two", {}, {2});
  model.node("Shape", {"x"}, "shape");               // 2 3 4
  model.node("Gather", {"shape", "axis"}, "batch");  // 2
  model.node("Unsqueeze", {"batch"}, "first").set("axes", std::vector<int64_t>{0});
  model.node("Slice", {"shape", "one", "end"}, "rest");  // 3 4
  model.node("Gather", {"rest", "axis"}, "rows");        // 3
  model.node("Div", {"rows", "two"}, "half");            // 1, not 1.5
  model.node("Cast", {"half"}, "real").set("to", 1);
  model.node("Cast", {"real"}, "whole").set("to", 7);
  model.node("Unsqueeze", {"whole"}, "middle").set("axes", std::vector<int64_t>{0});
  model.node("Constant", {}, "last").set("value_ints", std::vector<int64_t>{-1});
  model.node("Concat", {"first", "middle", "last"}, "to").set("axis", 0);
  model.node("Reshape", {"x", "to"}, "y");
  const Graph graph = import_model(model);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{2, 1, 12}));
}

TEST(Import, FoldsConstantsButNotTheirQuantizers) {
  OnnxBuilder model;
  model.input("x", {1, 2}).output("y").reals("w", {2, 2}, {0.1F, 0.2F, 0.3F, 0.4F});
  model.reals("scale", {}, {0.1F}).reals("zero", {}, {0}).reals("bits", {}, {4});
  model.node("Transpose", {"w"}, "wt");
  model.node("Quant", {"wt", "scale", "zero", "bits"}, "wq");
  model.node("Transpose", {"wq"}, "wqt");
  model.node("MatMul", {"x", "wqt"}, "y");
  const Graph graph = import_model(model);
  EXPECT_THAT(node_names(graph), ElementsAre("the_Quant", "the_Transpose", "the_MatMul"));
  EXPECT_TRUE(graph[graph.nodes[0].inputs[0]].constant);
}

TEST(Import, ConstantsOfEveryForm) {
  const auto value_of = [](const auto& set) {
    OnnxBuilder model;
    model.input("x", {2}).output("y");
    auto node = model.node("Constant", {}, "c");
    set(node);
    model.node("Add", {"x", "c"}, "y");
    return run_model(model, {{{2}, {0, 0}}}).data;
  };
  EXPECT_EQ(value_of([](auto& node) { node.set("value_float", 0.5F); }), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(value_of([](auto& node) {
              node.set("value_floats", std::vector<float>{1, 2});
            }),
            (std::vector<double>{1, 2}));
  EXPECT_EQ(value_of([](auto& node) { node.set("value_int", 3); }), (std::vector<double>{3, 3}));
  EXPECT_EQ(value_of([](auto& node) {
              node.set("value", OnnxBuilder::tensor("", {2}, std::vector<float>{4, 5}));
            }),
            (std::vector<double>{4, 5}));
}

TEST(Import, SlicesAndGathersConstants) {
  // Of [[0,1,2],[3,4,5]]; what is left is added to a zero.
  const auto of = [](const std::string& op, const std::vector<std::vector<int64_t>>& parameters) {
    OnnxBuilder model;
    model.input("x", {1}).output("y").integers("data", {2, 3}, {0, 1, 2, 3, 4, 5});
    std::vector<std::string> inputs = {"data"};
    for (const auto& parameter : parameters) {
      inputs.push_back(std::string("p").append(std::to_string(inputs.size())));
      model.integers(inputs.back(), {static_cast<int64_t>(parameter.size())}, parameter);
    }
    model.node(op, inputs, "part");
    model.node("Add", {"x", "part"}, "y");
    return run_model(model, {{{1}, {0}}}).data;
  };
  EXPECT_EQ(of("Slice", {{1}, {INT64_MAX}}), (std::vector<double>{3, 4, 5}));
  EXPECT_EQ(of("Slice", {{0, -2}, {1, 3}}), (std::vector<double>{1, 2}));
  EXPECT_EQ(of("Slice", {{0}, {-1}, {-1}}), (std::vector<double>{0, 1, 3, 4}));
  EXPECT_EQ(of("Slice", {{0}, {3}, {1}, {2}}), (std::vector<double>{0, 2, 3, 5}));
  EXPECT_EQ(of("Gather", {{-1, 0}}), (std::vector<double>{3, 4, 5, 0, 1, 2}));
}

TEST(Import, ConstantOfShape) {
  OnnxBuilder model;
  model.input("x", {1}).output("y").integers("shape", {1}, {3});
  model.node("ConstantOfShape", {"shape"}, "c").set("value", OnnxBuilder::tensor("", {1}, std::vector<float>{7}));
  model.node("Add", {"x", "c"}, "y");
  EXPECT_EQ(run_model(model, {{{1}, {1}}}).data, (std::vector<double>{8, 8, 8}));
}

}  // namespace
}  // namespace tidbit::compiler
