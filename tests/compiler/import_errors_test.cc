// Models are untrusted: whatever is wrong with one is an error of one line that says where, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "compiler/passes/passes.h"
#include "tests/compiler/import_runner.h"

namespace tidbit::compiler {
namespace {

using test::import_error, test::OnnxBuilder, test::TemporaryFile;
using ::testing::HasSubstr, ::testing::StartsWith;
using Ints = std::vector<int64_t>;

std::string path_error(const std::string& path) {
  try {
    import_onnx(path);
  } catch (const CompileError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ImportErrors, OfFiles) {
  EXPECT_EQ(path_error("/no/such/model.onnx"), "/no/such/model.onnx: no such file");
  EXPECT_THAT(path_error(::testing::TempDir()), HasSubstr("a directory; an ONNX file is needed"));
  EXPECT_EQ(import_error(std::string()), "the file is empty");
  EXPECT_EQ(import_error(std::string(1000, '\xff')), "no ONNX model, or a damaged or truncated one");
  EXPECT_EQ(import_error(std::string("{\"model\": \"this is JSON\"}")), "no ONNX model, or a damaged or truncated one");
  EXPECT_THAT(import_error(OnnxBuilder().model.SerializeAsString()), StartsWith("no ONNX model"));
  if (geteuid() == 0) return;  // whom no permission stops
  const TemporaryFile file("secret");
  std::filesystem::permissions(file.path(), std::filesystem::perms::none);
  EXPECT_THAT(path_error(file.path()), HasSubstr("cannot be read; check its permissions"));
}

/// x [1,2,4,4] -> conv1 (Conv) -> sum -> relu1 (Relu) -> y
OnnxBuilder sound_model() {
  OnnxBuilder model;
  model.input("x", {1, 2, 4, 4}).output("y").reals("w", {3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}).reals("b", {3}, {1, 2, 3});
  model.node("Conv", {"x", "w", "b"}, "sum").name("conv1");
  model.node("Relu", {"sum"}, "y").name("relu1");
  return model;
}

struct Broken {
  const char* message;
  std::function<void(OnnxBuilder&)> breaks;
};

void expect_errors(const std::vector<Broken>& cases) {
  for (const Broken& broken : cases) {
    OnnxBuilder model = sound_model();
    ASSERT_EQ(import_error(model), "no error");
    broken.breaks(model);
    EXPECT_THAT(import_error(model), HasSubstr(broken.message));
  }
}

onnx::NodeProto& conv(OnnxBuilder& model) { return *model.graph().mutable_node(0); }
onnx::NodeProto& relu(OnnxBuilder& model) { return *model.graph().mutable_node(1); }
onnx::TensorProto& weights(OnnxBuilder& model) { return *model.graph().mutable_initializer(0); }
test::OnnxNodeBuilder set(onnx::NodeProto& node) { return test::OnnxNodeBuilder(node); }

TEST(ImportErrors, OfGraphs) {
  expect_errors({
      {"relu1 (Relu): reads 'none', which is no input", [](auto& m) { relu(m).set_input(0, "none"); }},
      {"relu1 (Relu): its output 'sum' is made twice", [](auto& m) { relu(m).set_output(0, "sum"); }},
      {"conv1 (Conv): its output leads back to its input: the graph has a cycle",
       [](auto& m) { conv(m).set_input(0, "y"); }},
      {"relu1 (Relu): its output leads back", [](auto& m) { relu(m).set_input(0, "y"); }},
      {"relu1 (Relu): its output 'u' is also an input or an initializer",
       [](auto& m) { m.reals("u", {1}, {1}), relu(m).set_output(0, "u"), m.graph().mutable_output(0)->set_name("u"); }},
      {"output 'z' is made by no node", [](auto& m) { m.output("z"); }},
      {"output 'w' is constant: it does not depend on an input", [](auto& m) { m.output("w"); }},
      {"the graph has no outputs", [](auto& m) { m.graph().clear_output(); }},
      {"initializer 'w' is there twice", [](auto& m) { m.reals("w", {1}, {1}); }},
      {"input 'x' is there twice", [](auto& m) { m.input("x", {1}); }},
      {"input 'x' is no tensor", [](auto& m) { m.graph().mutable_input(0)->clear_type(); }},
      {"input 'x' holds int64; inputs must be floating point",
       [](auto& m) { m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(7); }},
      {"input 'x' holds data type 99;",
       [](auto& m) { m.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99); }},
      {"input 'x' is too large",
       [](auto& m) {
         m.graph().clear_input(), m.input("x", {1, 2, 1 << 20, 1 << 20});
       }},
      {"input 'x' is too large", [](auto& m) { m.graph().clear_input(), m.input("x", Ints(4, INT64_MAX)); }},
      {"opset 6 is not supported", [](auto& m) { m.model.mutable_opset_import(0)->set_version(6); }},
      {"sparse initializers", [](auto& m) { m.graph().add_sparse_initializer(); }},
  });
}

TEST(ImportErrors, OfNodes) {
  expect_errors({
      {"relu1 (Softplus): operator not supported; supported: see README",
       [](auto& m) { relu(m).set_op_type("Softplus"); }},
      {"relu1 (Relu): operator not supported (domain 'com.example')",
       [](auto& m) { relu(m).set_domain("com.example"); }},
      {"re?lu\xff (Relu?[31m): operator not supported",
       [](auto& m) { relu(m).set_name("re\nlu\xff"), relu(m).set_op_type("Relu\x1b[31m"); }},
      {"relu1 (no operator): operator not supported", [](auto& m) { relu(m).clear_op_type(); }},
      {"y (Relu): has 0 inputs, needs 1", [](auto& m) { relu(m).clear_input(), relu(m).clear_name(); }},
      {"relu1 (Relu): has 2 inputs, takes 1", [](auto& m) { relu(m).add_input("x"); }},
      {"relu1 (Relu): input 0 is missing", [](auto& m) { relu(m).set_input(0, ""); }},
      {"conv1 (Conv): attribute 'strides' should be of type INTS", [](auto& m) { set(conv(m)).set("strides", 2); }},
      {"conv1 (Conv): attribute 'group' should be of type INT", [](auto& m) { set(conv(m)).set("group", 1.0F); }},
      {"conv1 (Conv): attribute 'strides' should have 2 numbers",
       [](auto& m) { set(conv(m)).set("strides", Ints{1}); }},
      {"conv1 (Conv): attribute 'strides' is out of range",
       [](auto& m) {
         set(conv(m)).set("strides", Ints{1, 0});
       }},
      {"conv1 (Conv): attribute 'dilations' is out of range",
       [](auto& m) {
         set(conv(m)).set("dilations", Ints{1, INT64_MAX});
       }},
      {"conv1 (Conv): attribute 'pads' should have 4 numbers",
       [](auto& m) {
         set(conv(m)).set("pads", Ints{1, 1});
       }},
      {"conv1 (Conv): attribute 'pads' is out of range",
       [](auto& m) {
         set(conv(m)).set("pads", Ints{0, 0, -1, 0});
       }},
      {"conv1 (Conv): its output [1,3,16388,16388] is too large",
       [](auto& m) { set(conv(m)).set("pads", Ints(4, 1 << 13)); }},
      {"conv1 (Conv): auto_pad 'SOME' is unknown", [](auto& m) { set(conv(m)).set("auto_pad", "SOME"); }},
      {"conv1 (Conv): attribute 'kernel_shape' is not that of the weights",
       [](auto& m) {
         set(conv(m)).set("kernel_shape", Ints{3, 3});
       }},
      {"conv1 (Conv): 0 groups do not divide", [](auto& m) { set(conv(m)).set("group", 0); }},
      {"conv1 (Conv): 2 groups do not divide", [](auto& m) { set(conv(m)).set("group", 2); }},
      {"conv1 (Conv): weights [3,2,1,1] do not fit 4 input channels",
       [](auto& m) {
         m.graph().clear_input(), m.input("x", {1, 4, 4, 4});
       }},
      {"conv1 (Conv): only 1-D and 2-D windows are supported",
       [](auto& m) {
         m.graph().clear_input(), m.input("x", {1, 2, 4, 4, 4});
       }},
      {"conv1 (Conv): weights [3,2,1,1] do not fit the input",
       [](auto& m) {
         m.graph().clear_input(), m.input("x", {1, 2, 4});
       }},
      {"conv1 (Conv): bias [2] is not one a channel",
       [](auto& m) {
         *m.graph().mutable_initializer(1) = OnnxBuilder::tensor("b", {2}, std::vector<float>{1, 2});
       }},
      {"conv1 (Conv): only 1-D and 2-D", [](auto& m) { m.graph().clear_input(), m.input("x", {}); }},
  });
}

TEST(ImportErrors, OfTensors) {
  const auto in_w = [](const char* what) { return std::string("conv1 (Conv): initializer 'w': ") + what; };
  const std::string counts = in_w("its shape needs 6 elements, the file holds 5"), negative = in_w("negative extent");
  const std::string huge = in_w("too many elements"),
                    big = in_w("its shape needs 134217728 elements, the file holds 6");
  const std::string within = in_w("its data ends within an element"),
                    type = in_w("holds string, which is not supported");
  const std::string outside = in_w("its data lies in another file"),
                    raw = in_w("its shape needs 6 elements, the file holds 0");
  expect_errors({
      {counts.c_str(), [](auto& m) { weights(m).mutable_float_data()->RemoveLast(); }},
      {negative.c_str(), [](auto& m) { weights(m).set_dims(0, -3); }},
      {huge.c_str(), [](auto& m) { weights(m).set_dims(0, INT64_MAX); }},
      {big.c_str(), [](auto& m) { weights(m).set_dims(0, int64_t{1} << 26); }},
      {within.c_str(), [](auto& m) { weights(m).set_raw_data(std::string(23, 'x')); }},
      {raw.c_str(), [](auto& m) { weights(m).set_raw_data(""); }},
      {type.c_str(), [](auto& m) { weights(m).set_data_type(onnx::TensorProto::STRING); }},
      {"holds data type 77, which", [](auto& m) { weights(m).set_data_type(77); }},
      {outside.c_str(), [](auto& m) { weights(m).set_data_location(onnx::TensorProto::EXTERNAL); }},
      {"initializer 'w': holds NaN", [](auto& m) { weights(m).set_float_data(3, NAN); }},
      {"is split into segments", [](auto& m) { weights(m).mutable_segment(); }},
  });
}

struct WrongUse {
  const char* message;
  const char* op;
  std::vector<int64_t> x;
  std::vector<Ints> parameters;  // integer constants; {} alone: an input that is not constant
  std::function<void(test::OnnxNodeBuilder)> set = [](auto) {};
  int64_t opset = 13;
};

TEST(ImportErrors, OfOperators) {
  const std::vector<WrongUse> cases = {
      {"cannot reshape [2,3] to [4]", "Reshape", {2, 3}, {{4}}},
      {"cannot reshape [2,3] by [4,-1]", "Reshape", {2, 3}, {{4, -1}}},
      {"cannot reshape [2,3] by [0,0,-1,0]", "Reshape", {2, 3}, {{0, 0, -1, 0}}, [](auto n) { n.set("allowzero", 1); }},
      {"copies an axis that the input does not have", "Reshape", {2}, {{1, 0}}},
      {"negative extent", "Reshape", {2, 3}, {{-2, -3}}},
      {"the shape must be constant", "Reshape", {2}, {{}}},
      {"axis 2 is out of range for rank 2", "Concat", {1, 2}, {}, [](auto n) { n.set("axis", 2); }},
      {"attribute 'axis' is missing", "Concat", {1, 2}, {}},
      {"no permutation of the axes",
       "Transpose",
       {1, 2},
       {},
       [](auto n) {
         n.set("perm", Ints{0, 0});
       }},
      {"no permutation of the axes", "Transpose", {1, 2}, {}, [](auto n) { n.set("perm", Ints{0}); }},
      {"axis 0 of [2,1] is not 1", "Squeeze", {2, 1}, {{0}}},
      {"an axis is named twice", "Unsqueeze", {2}, {{0, 0}}},
      {"axes are missing", "Unsqueeze", {2}, {}},
      {"mode 'reflect' is not supported", "Pad", {2}, {{1, 1}}, [](auto n) { n.set("mode", "reflect"); }},
      {"negative pads are not supported", "Pad", {4}, {{-1, 0}}},
      {"pads should be 2 numbers", "Pad", {4}, {{1}}},
      {"is too large", "Pad", {4}, {{1 << 30, 0}}},
      {"pads are too large", "Pad", {4}, {{INT64_MAX, INT64_MAX}}},
      {"a block of 2 does not fit 3 channels", "DepthToSpace", {1, 3, 1, 1}, {}, [](auto n) { n.set("blocksize", 2); }},
      {"a block of 0 does not fit", "DepthToSpace", {1, 4, 1, 1}, {}},
      {"does not fit 4 channels", "DepthToSpace", {1, 4, 1, 1}, {}, [](auto n) { n.set("blocksize", INT64_MAX); }},
      {"attribute 'kernel_shape' is missing", "MaxPool", {1, 1, 4, 4}, {}},
      {"does not fit an image",
       "MaxPool",
       {1, 1, 4, 4},
       {},
       [](auto n) {
         n.set("kernel_shape", Ints{5, 5});
       }},
      {"a window lies in the padding",
       "MaxPool",
       {1, 1, 4, 4},
       {},
       [](auto n) {
         n.set("kernel_shape", Ints{1, 1}).set("pads", Ints{1, 0, 0, 0});
       }},
      {"is in training mode",
       "BatchNormalization",
       {1, 1},
       {{1}, {1}, {1}, {1}},
       [](auto n) { n.set("training_mode", 1); }},
      {"a variance is not positive", "BatchNormalization", {1, 1}, {{1}, {1}, {1}, {-1}}},
      {"parameter [2] should be [1]", "BatchNormalization", {1, 1}, {{1, 1}, {1}, {1}, {1}}},
      {"needs an input of rank 2", "BatchNormalization", {1}, {{1}, {1}, {1}, {1}}},
      {"do not fit each other", "Add", {3}, {{1, 2}}},
      {"do not fit each other", "MatMul", {2, 3}, {{1, 2}}},
      {"scalars cannot be multiplied", "MatMul", {}, {{1}}},
      {"needs matrices", "Gemm", {2, 3}, {{1, 2, 3}}},
      {"axis 3 is out of range", "Softmax", {2, 3}, {}, [](auto n) { n.set("axis", 3); }},
      {"slope [2] does not fit [3]", "PRelu", {3}, {{1, 2}}},
      {"the lower limit must be one number", "Clip", {3}, {{1, 2}}},
      {"the lower limit must be constant", "Clip", {3}, {{}}},
      {"mode 'cubic' is not supported",
       "Resize",
       {1, 1, 2, 2},
       {{}, {1, 1, 2, 2}},
       [](auto n) { n.set("mode", "cubic"); }},
      {"antialias is not supported",
       "Resize",
       {1, 1, 2, 2},
       {{}, {1, 1, 2, 2}},
       [](auto n) { n.set("mode", "linear").set("antialias", 1); }},
      {"needs either 4 scales or 4 sizes", "Resize", {1, 1, 2, 2}, {{0}, {1, 1}}},
      {"only the axes of the image may change", "Resize", {1, 1, 2, 2}, {{0}, {2, 1, 1, 1}}},
      {"a scale of 0 does not fit", "Resize", {1, 1, 2, 2}, {{0}, {1, 1, 0, 1}}},
      {"a scale of 1000000000 does not fit", "Resize", {1, 1, 2, 2}, {{0}, {1, 1, 1000000000, 1}}},
      {"coordinate_transformation_mode 'tf_crop_and_resize' is not supported",
       "Resize",
       {1, 1, 2, 2},
       {{0}, {1, 1, 2, 2}},
       [](auto n) { n.set("coordinate_transformation_mode", "tf_crop_and_resize"); }},
      {"only casts to floating point", "Cast", {1}, {}, [](auto n) { n.set("to", 7); }},
      {"a cast to string is not supported", "Cast", {1}, {}, [](auto n) { n.set("to", 8); }},
      {"the indices must be constant", "Gather", {4}, {{}}},
      {"axis 4 is out of range for rank 4", "Gather", {4}, {{4}}},
      {"starts, ends, axes and steps do not fit", "Slice", {4}, {{0}, {1, 2}}},
      {"a step of 0", "Slice", {4}, {{0}, {1}, {0}, {0}}},
      {"selects nothing of axis 0", "Slice", {4}, {{3}, {1}}},
      {"the sizes do not fit an extent of 4", "Split", {4}, {{5}}},
      {"the sizes do not fit an extent of 4", "Split", {4}, {{INT64_MAX, INT64_MAX}}},
      {"2 sizes do not fit an extent of 4 and 1 outputs", "Split", {4}, {{1, 3}}},
      {"5 elements of an extent of 4", "TopK", {4}, {{5}}},
      {"k must be constant", "TopK", {4}, {{}}},
      {"axis 1 is out of range", "ArgMax", {4}, {}, [](auto n) { n.set("axis", 1); }},
      {"selects no boxes", "NonMaxSuppression", {1, 4, 4}, {{}}},
      {"are not [B,N,4] and [B,C,N]", "NonMaxSuppression", {1, 2, 4}, {{1, 1}, {3}}},
      {"axis 2 is out of range", "ReduceMean", {2, 2}, {}, [](auto n) { n.set("axes", Ints{2}); }},
      {"p of 3 is not supported", "LpNormalization", {2, 2}, {}, [](auto n) { n.set("p", 3); }},
      {"scale and bias should be one a channel", "InstanceNormalization", {1, 2, 3}, {{1}, {1}}},
      {"needs an image", "InstanceNormalization", {1, 2}, {{1}, {1}}},
      {"approximate 'none at all' is unknown", "Gelu", {2}, {}, [](auto n) { n.set("approximate", "none at all"); }},
      {"is supported of one tensor and constants", "Max", {2}, {{}}},
      {"only 1-D and 2-D images are supported", "ConvTranspose", {1, 2}, {{1}}},
      {"the scale must be constant", "QuantizeLinear", {2}, {{}}},
      {"quantizes to data type 17", "QuantizeLinear", {2}, {{1}}, [](auto n) { n.set("output_dtype", 17); }},
      {"the scale must be positive", "DequantizeLinear", {2}, {{-1}}},
      {"2 scales or zero points do not fit axis 1 of [1,3]", "QuantizeLinear", {1, 3}, {{1, 2}}},
      {"quantizers to floating point are not supported", "FloatQuant", {2}, {}},
      {"recurrent layers and their quantizers are not supported", "LSTM", {2}, {}},
      {"its scale depends on the data", "DynamicQuantizeLinear", {2}, {}},
      {"the shape must be constant", "ConstantOfShape", {1}, {}},
  };
  for (const WrongUse& wrong : cases) {
    OnnxBuilder model(wrong.opset);
    model.input("x", wrong.x).output("y");
    std::vector<std::string> inputs = {"x"};
    for (const Ints& parameter : wrong.parameters) {
      inputs.push_back(parameter.empty() ? "x" : std::string("p").append(std::to_string(inputs.size())));
      if (!parameter.empty()) model.integers(inputs.back(), {static_cast<int64_t>(parameter.size())}, parameter);
    }
    wrong.set(model.node(wrong.op, inputs, "y"));
    EXPECT_THAT(import_error(model), StartsWith(std::string("the_").append(wrong.op))) << wrong.message;
    EXPECT_THAT(import_error(model), HasSubstr(wrong.message));
  }
}

TEST(ImportErrors, ConstantsCannotGrowWithoutEnd) {
  OnnxBuilder model;
  model.input("x", {1}).output("y").integers("shape", {2}, {1 << 13, 1 << 14});
  model.node("ConstantOfShape", {"shape"}, "c");
  model.node("Add", {"x", "c"}, "y");
  EXPECT_EQ(import_error(model), "the_ConstantOfShape (ConstantOfShape): the model's constants grow too large");

  OnnxBuilder doubling;
  doubling.input("x", {1}).output("y").reals("c0", {1}, {1});
  const auto value = [](int i) { return std::string("c").append(std::to_string(i)); };
  for (int i = 0; i < 60; ++i) doubling.node("Concat", {value(i), value(i)}, value(i + 1)).set("axis", 0);
  doubling.node("Add", {"x", "c60"}, "y");
  EXPECT_THAT(import_error(doubling), HasSubstr("(Concat): the model's constants grow too large"));
}

/// A model with a bit of everything, for the fuzzing below.
std::string various_model() {
  OnnxBuilder model(11);
  model.input("x", {1, 2, 6, 6}).output("y");
  model.reals("w", {4, 2, 3, 3}, std::vector<float>(72, 0.5F)).reals("scale", {}, {0.25F}).reals("zero", {}, {0});
  model.reals("bits", {}, {2}).reals("c", {4}, {1, 2, 3, 4}).integers("first", {1}, {0}).integers("last", {1}, {-1});
  model.reals("sizes", {4}, {1, 1, 2, 2}).reals("none", {0}, {});
  model.node("Quant", {"w", "scale", "zero", "bits"}, "wq").domain("onnx.brevitas").set("signed", 1).set("narrow", 1);
  model.node("Conv", {"x", "wq", "c"}, "a").set("pads", Ints{1, 1, 1, 1}).set("strides", Ints{2, 2});
  model.node("BatchNormalization", {"a", "c", "c", "c", "c"}, "b").set("epsilon", 0.1F);
  model.node("MaxPool", {"b"}, "d").set("kernel_shape", Ints{2, 2}).set("ceil_mode", 1);
  model.node("Resize", {"d", "none", "sizes"}, "e").set("mode", "nearest");
  model.node("DepthToSpace", {"e"}, "f").set("blocksize", 2);
  model.node("Shape", {"f"}, "s");
  model.node("Gather", {"s", "first"}, "n");
  model.node("Concat", {"n", "last"}, "to").set("axis", 0);
  model.node("Reshape", {"f", "to"}, "g");
  model.node("Softmax", {"g"}, "y").set("axis", 1);
  return model.bytes();
}

/// Import must end, with a graph or a CompileError.
void import_damaged(const std::string& bytes) {
  try {
    test::import_bytes(bytes);
  } catch (const CompileError&) {
  }
}

/// What tests/fuzz/import_fuzz has found.
TEST(ImportFuzz, WhatWasFoundIsHandled) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TIDBIT_SOURCE_DIR "/tests/compiler/found_by_fuzzing")) {
    SCOPED_TRACE(entry.path().filename());
    try {
      Graph graph = import_onnx(entry.path());
      run_passes(graph);
    } catch (const CompileError&) {
    }
    ++files;
  }
  EXPECT_GE(files, 1U);
}

TEST(ImportFuzz, AnyTruncationIsHandled) {
  const std::string bytes = various_model();
  ASSERT_EQ(import_error(bytes), "no error");
  for (size_t size = 0; size < bytes.size(); ++size) import_damaged(bytes.substr(0, size));
}

TEST(ImportFuzz, AnyFlippedBitIsHandled) {
  std::string bytes = various_model();
  for (char& byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      byte = static_cast<char>(byte ^ 1 << bit);
      import_damaged(bytes);
      byte = static_cast<char>(byte ^ 1 << bit);
    }
  }
}

TEST(ImportFuzz, AnyByteSetToItsExtremesIsHandled) {
  std::string bytes = various_model();
  for (char& byte : bytes) {
    const char whole = byte;
    for (const char extreme : {'\x00', '\x7f', '\x80', '\xff'}) {
      byte = extreme;
      import_damaged(bytes);
    }
    byte = whole;
  }
}

}  // namespace
}  // namespace tidbit::compiler
