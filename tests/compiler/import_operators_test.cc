// What ONNX writes in many ways, on small models, against results worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tests/compiler/import_runner.h"

namespace tidbit::compiler {
namespace {

using test::import_model, test::OnnxBuilder, test::OnnxNodeBuilder, test::run_model;
using Numbers = std::vector<double>;
using Ints = std::vector<int64_t>;
using Attributes = std::function<void(OnnxNodeBuilder)>;

Tensor counting(Shape shape) {
  Tensor tensor = {std::move(shape), {}};
  tensor.data.resize(static_cast<size_t>(elements(tensor.shape)));
  std::iota(tensor.data.begin(), tensor.data.end(), 0);
  return tensor;
}

/// One operator on x; `parameters` become its further inputs.
Tensor run(const char* op, const Tensor& x, const Attributes& set,
           const std::vector<onnx::TensorProto>& parameters = {}, int64_t opset = 13) {
  OnnxBuilder model(opset);
  model.input("x", x.shape).output("y");
  std::vector<std::string> inputs = {"x"};
  for (const onnx::TensorProto& parameter : parameters) {
    inputs.push_back(parameter.name());
    if (!parameter.name().empty()) *model.graph().add_initializer() = parameter;
  }
  set(model.node(op, inputs, "y"));
  return run_model(model, {x});
}

const Attributes kNone = [](const OnnxNodeBuilder&) {};
const onnx::TensorProto kAbsent;

onnx::TensorProto reals(const char* name, const Shape& shape, const std::vector<float>& values) {
  return OnnxBuilder::tensor(name, shape, values);
}
onnx::TensorProto ints(const char* name, const Ints& values) {
  return OnnxBuilder::tensor(name, {static_cast<int64_t>(values.size())}, values);
}

TEST(Gemm, EqualsTheSlowWay) {
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const Shape& bias : {Shape{}, Shape{4}, Shape{1, 4}, Shape{2, 1}, Shape{2, 4}}) {
        const Tensor x = counting(trans_a ? Shape{3, 2} : Shape{2, 3});
        const std::vector<float> w = {1, -2, 3, 0.5F, 5, 6, -7, 8, 9, 10, 11, -12};
        const auto size = static_cast<size_t>(elements(bias));
        const Tensor y =
            run("Gemm", x,
                [&](OnnxNodeBuilder node) {
                  node.set("transA", trans_a).set("transB", trans_b).set("alpha", 0.5F).set("beta", 2.0F);
                },
                {reals("w", trans_b ? Shape{4, 3} : Shape{3, 4}, w),
                 reals("b", bias, std::vector<float>(w.begin(), w.begin() + static_cast<ptrdiff_t>(size)))});
        ASSERT_EQ(y.shape, (Shape{2, 4}));
        for (size_t i = 0; i < 2; ++i) {
          for (size_t j = 0; j < 4; ++j) {
            double sum = 0;
            for (size_t k = 0; k < 3; ++k) {
              sum += x.data[trans_a ? k * 2 + i : i * 3 + k] * w[trans_b ? j * 3 + k : k * 4 + j];
            }
            const size_t b = size == 8 ? i * 4 + j : size == 4 ? j : size == 2 ? i : 0;
            EXPECT_EQ(y.data[i * 4 + j], 0.5 * sum + 2 * static_cast<double>(w[b]));
          }
        }
      }
    }
  }
}

TEST(Conv, OneDimensionalInBothLayouts) {
  const Tensor x = {{1, 2, 4}, {1, 2, 3, 4, 10, 20, 30, 40}};
  const auto set = [](OnnxNodeBuilder node) { node.set("pads", Ints{1, 0}).set("strides", Ints{2}); };
  const Tensor y = run("Conv", x, set, {reals("w", {1, 2, 2}, {1, 2, 3, 4}), reals("b", {1}, {0.5F})});
  EXPECT_EQ(y.shape, (Shape{1, 1, 2}));
  EXPECT_EQ(y.data, (Numbers{0 + 2 * 1 + 0 + 4 * 10 + 0.5, 2 + 2 * 3 + 3 * 20 + 4 * 30 + 0.5}));
  const Tensor last = run("Conv", {{1, 4, 2}, {1, 10, 2, 20, 3, 30, 4, 40}},
                          [&](OnnxNodeBuilder node) { set(node.domain("qonnx.custom_op.channels_last")); },
                          {reals("w", {1, 2, 2}, {1, 3, 2, 4}), reals("b", {1}, {0.5F})});
  EXPECT_EQ(last.shape, (Shape{1, 2, 1}));
  EXPECT_EQ(last.data, y.data);
}

TEST(Conv, AutoPad) {
  const Tensor x = counting({1, 1, 1, 5});
  const auto of = [&](const char* mode) {
    return run("Conv", x,
               [&](OnnxNodeBuilder node) {
                 node.set("auto_pad", mode).set("strides", Ints{1, 2});
               },
               {reals("w", {1, 1, 1, 4}, {1, 10, 100, 1000})})
        .data;
  };
  // Outputs ceil(5/2) = 3, padding 3: the odd one behind (upper) or in front.
  EXPECT_EQ(of("SAME_UPPER"), (Numbers{2100, 4321, 43}));
  EXPECT_EQ(of("SAME_LOWER"), (Numbers{1000, 3210, 432}));
  EXPECT_EQ(of("VALID"), (Numbers{3210}));
  EXPECT_EQ(of("NOTSET"), (Numbers{3210}));
}

TEST(Pool, CeilModeDropsAWindowThatStartsInThePadding) {
  const auto of = [](const char* op, Shape shape, int64_t ceil, Ints pads, int64_t count_padding) {
    return run(op, counting(std::move(shape)),
               [&](OnnxNodeBuilder node) {
                 node.set("kernel_shape", Ints{2}).set("strides", Ints{2}).set("ceil_mode", ceil).set("pads", pads);
                 if (count_padding) node.set("count_include_pad", 1);
               })
        .data;
  };
  EXPECT_EQ(of("MaxPool", {1, 1, 5}, 0, {0, 0}, 0), (Numbers{1, 3}));
  EXPECT_EQ(of("MaxPool", {1, 1, 5}, 1, {0, 0}, 0), (Numbers{1, 3, 4}));
  EXPECT_EQ(of("MaxPool", {1, 1, 5}, 1, {0, 1}, 0), (Numbers{1, 3, 4}));
  EXPECT_EQ(of("MaxPool", {1, 1, 4}, 1, {0, 1}, 0), (Numbers{1, 3}));  // a third would start at the padding
  EXPECT_EQ(of("AveragePool", {1, 1, 5}, 1, {0, 0}, 0), (Numbers{0.5, 2.5, 4}));
  // Padding counts, what ceil_mode adds behind it does not.
  EXPECT_EQ(of("AveragePool", {1, 1, 5}, 1, {0, 0}, 1), (Numbers{0.5, 2.5, 4}));
  EXPECT_EQ(of("AveragePool", {1, 1, 5}, 1, {0, 1}, 1), (Numbers{0.5, 2.5, 2}));
  EXPECT_EQ(of("AveragePool", {1, 1, 4}, 1, {1, 0}, 1), (Numbers{0, 1.5, 3}));
}

TEST(Pool, ChannelsLastAndGlobal) {
  const Tensor x = counting({1, 2, 2, 3});
  const auto set = [](OnnxNodeBuilder node) {
    node.domain("qonnx.custom_op.channels_last").set("kernel_shape", Ints{2, 2});
  };
  EXPECT_EQ(run("MaxPool", x, set).data, (Numbers{9, 10, 11}));
  EXPECT_EQ(run("GlobalAveragePool", x, kNone).data, (Numbers{2.5, 8.5}));
  EXPECT_EQ(run("GlobalAveragePool", counting({1, 2, 3}), kNone).shape, (Shape{1, 2, 1}));
}

TEST(BatchNormalization, ChannelsFirstAndLast) {
  const std::vector<onnx::TensorProto> parameters = {reals("s", {2}, {2, 4}), reals("b", {2}, {1, 0}),
                                                     reals("m", {2}, {0, 1}), reals("v", {2}, {4, 1})};
  const auto set = [](OnnxNodeBuilder node) { node.set("epsilon", 0.0F); };
  EXPECT_EQ(run("BatchNormalization", counting({1, 2, 2}), set, parameters).data, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(run(
                "BatchNormalization", counting({1, 2, 2}),
                [&](OnnxNodeBuilder node) { set(node.domain("qonnx.custom_op.channels_last")); }, parameters)
                .data,
            (Numbers{1, 0, 3, 8}));
}

TEST(Activations, LimitsAndSlopes) {
  const Tensor x = {{1, 4}, {-2, -1, 1, 8}};
  const auto limits = [](OnnxNodeBuilder node) { node.set("min", -1.0F).set("max", 6.0F); };
  EXPECT_EQ(run("Clip", x, limits, {}, 10).data, (Numbers{-1, -1, 1, 6}));
  EXPECT_EQ(run("Clip", x, kNone, {reals("a", {}, {0}), reals("b", {}, {6})}).data, (Numbers{0, 0, 1, 6}));
  EXPECT_EQ(run("Clip", x, kNone, {kAbsent, reals("b", {}, {6})}).data, (Numbers{-2, -1, 1, 6}));
  EXPECT_EQ(run("LeakyRelu", x, [](OnnxNodeBuilder node) { node.set("alpha", 0.5F); }).data, (Numbers{-1, -0.5, 1, 8}));
  EXPECT_EQ(run("PRelu", x, kNone, {reals("s", {4}, {0, 2, 3, 4})}).data, (Numbers{0, -2, 1, 8}));
  EXPECT_EQ(run("Dropout", x, kNone, {reals("ratio", {}, {0.5F})}).data, x.data);
  EXPECT_EQ(run("Cast", x, [](OnnxNodeBuilder node) { node.set("to", 11); }).data, x.data);
}

TEST(Softmax, FlattensBeforeOpset13) {
  const Tensor zeros = {{2, 2, 2}, Numbers(8, 0)};
  EXPECT_EQ(run("Softmax", zeros, kNone, {}, 11).data, Numbers(8, 0.25));
  EXPECT_EQ(run("Softmax", zeros, kNone, {}, 13).data, Numbers(8, 0.5));
  EXPECT_EQ(run(
                "Softmax", zeros, [](OnnxNodeBuilder node) { node.set("axis", 0); }, {}, 11)
                .data,
            Numbers(8, 0.125));
  EXPECT_EQ(run(
                "Softmax", zeros, [](OnnxNodeBuilder node) { node.set("axis", -1); }, {}, 11)
                .data,
            Numbers(8, 0.5));
}

TEST(Layout, Reshapes) {
  const Tensor x = counting({2, 3, 4});
  const auto shape = [&](const char* op, const Attributes& set, const std::vector<onnx::TensorProto>& parameters = {},
                         const Tensor& of = counting({2, 3, 4})) { return run(op, of, set, parameters).shape; };
  EXPECT_EQ(shape("Reshape", kNone, {ints("s", {0, -1})}), (Shape{2, 12}));
  EXPECT_EQ(shape("Reshape", kNone, {ints("s", {4, 0, 2})}), (Shape{4, 3, 2}));
  EXPECT_EQ(shape("Reshape", kNone, {ints("s", {2, 3, 4})}), (Shape{2, 3, 4}));
  EXPECT_EQ(shape("Flatten", kNone), (Shape{2, 12}));
  EXPECT_EQ(shape("Flatten", [](OnnxNodeBuilder node) { node.set("axis", 0); }), (Shape{1, 24}));
  EXPECT_EQ(shape("Flatten", [](OnnxNodeBuilder node) { node.set("axis", 3); }), (Shape{24, 1}));
  EXPECT_EQ(shape("Flatten", [](OnnxNodeBuilder node) { node.set("axis", -1); }), (Shape{6, 4}));
  EXPECT_EQ(shape("Unsqueeze", kNone, {ints("a", {-1, 0})}), (Shape{1, 2, 3, 4, 1}));
  EXPECT_EQ(shape("Unsqueeze", [](OnnxNodeBuilder node) { node.set("axes", Ints{1, 3}); }), (Shape{2, 1, 3, 1, 4}));
  const Tensor ones = counting({1, 3, 1});
  EXPECT_EQ(shape("Squeeze", kNone, {}, ones), Shape{3});
  EXPECT_EQ(shape("Squeeze", kNone, {ints("a", {-1})}, ones), (Shape{1, 3}));
  EXPECT_EQ(shape(
                "Squeeze", [](OnnxNodeBuilder node) { node.set("axes", Ints{0}); }, {}, ones),
            (Shape{3, 1}));
  EXPECT_EQ(run("Transpose", counting({2, 3}), kNone).data, (Numbers{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(
      run("Concat", counting({1, 2}), [](OnnxNodeBuilder node) { node.set("axis", -1); }, {reals("c", {1, 1}, {9})})
          .data,
      (Numbers{0, 1, 9}));
}

TEST(Layout, Pads) {
  const Tensor x = counting({2, 2});
  const Numbers expected = {7, 0, 1, 7, 2, 3};
  const auto attributes = [](OnnxNodeBuilder node) { node.set("pads", Ints{0, 1, 0, 0}).set("value", 7.0F); };
  EXPECT_EQ(run("Pad", x, attributes, {}, 10).data, expected);
  EXPECT_EQ(run("Pad", x, kNone, {ints("p", {0, 1, 0, 0}), reals("v", {}, {7})}).data, expected);
  EXPECT_EQ(run("Pad", x, kNone, {ints("p", {1, 0}), reals("v", {}, {7}), ints("a", {-1})}, 18).data, expected);
}

TEST(Layout, DepthToSpace) {
  const Tensor x = counting({1, 8, 1, 1});
  const auto in = [&](const char* mode) {
    return run("DepthToSpace", x, [&](OnnxNodeBuilder node) { node.set("blocksize", 2).set("mode", mode); });
  };
  EXPECT_EQ(in("DCR").shape, (Shape{1, 2, 2, 2}));
  EXPECT_EQ(in("DCR").data, (Numbers{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(in("CRD").data, (Numbers{0, 1, 2, 3, 4, 5, 6, 7}));
}

/// The pixels that a row of `input` pixels becomes.
Numbers resized(int64_t input, float scale, const char* coordinates, const char* rounding) {
  return run("Resize", counting({1, 1, 1, input}),
             [&](OnnxNodeBuilder node) {
               node.set("coordinate_transformation_mode", coordinates).set("nearest_mode", rounding);
             },
             {kAbsent, reals("s", {4}, {1, 1, 1, scale})})
      .data;
}

TEST(Resize, EachCoordinateAndRoundingMode) {
  // Coordinates 0, .67, 1.33, 2, 2.67, 3.33.
  EXPECT_EQ(resized(4, 1.5, "asymmetric", "floor"), (Numbers{0, 0, 1, 2, 2, 3}));
  EXPECT_EQ(resized(4, 1.5, "asymmetric", "ceil"), (Numbers{0, 1, 2, 2, 3, 3}));
  EXPECT_EQ(resized(4, 1.5, "asymmetric", "round_prefer_floor"), (Numbers{0, 1, 1, 2, 3, 3}));
  // -.25, .25, .75, 1.25
  EXPECT_EQ(resized(2, 2, "half_pixel", "round_prefer_floor"), (Numbers{0, 0, 1, 1}));
  EXPECT_EQ(resized(2, 2, "half_pixel", "ceil"), (Numbers{0, 1, 1, 1}));
  // .5, 2.5
  EXPECT_EQ(resized(4, 0.5, "half_pixel", "round_prefer_floor"), (Numbers{0, 2}));
  EXPECT_EQ(resized(4, 0.5, "half_pixel", "round_prefer_ceil"), (Numbers{1, 3}));
  // 0, .5, 1, .. 3
  EXPECT_EQ(resized(4, 1.75, "align_corners", "round_prefer_floor"), (Numbers{0, 0, 1, 1, 2, 2, 3}));
  EXPECT_EQ(resized(4, 1.75, "align_corners", "round_prefer_ceil"), (Numbers{0, 1, 1, 2, 2, 3, 3}));
  // One pixel: 0, and not 1.5.
  EXPECT_EQ(resized(4, 0.25, "pytorch_half_pixel", "round_prefer_floor"), Numbers{0});
  EXPECT_EQ(resized(4, 0.25, "half_pixel", "round_prefer_floor"), Numbers{1});
  // 1, 3
  EXPECT_EQ(resized(4, 0.5, "tf_half_pixel_for_nn", "floor"), (Numbers{1, 3}));
  // 2 pixels for 2.8 of them: .79, 2.21 where the image is centred, else .21, 1.64.
  EXPECT_EQ(resized(4, 0.7F, "half_pixel_symmetric", "round_prefer_floor"), (Numbers{1, 2}));
  EXPECT_EQ(resized(4, 0.7F, "half_pixel", "round_prefer_floor"), (Numbers{0, 2}));
}

TEST(Resize, SizesAxesAndLayouts) {
  const Tensor x = counting({1, 1, 2, 2});
  const auto asymmetric = [](OnnxNodeBuilder node) {
    node.set("coordinate_transformation_mode", "asymmetric").set("nearest_mode", "floor");
  };
  EXPECT_EQ(run("Resize", x, asymmetric, {kAbsent, kAbsent, ints("n", {1, 1, 4, 1})}).data, (Numbers{0, 0, 2, 2}));
  EXPECT_EQ(run(
                "Resize", x, [&](OnnxNodeBuilder node) { asymmetric(node.set("axes", Ints{3})); },
                {kAbsent, reals("s", {1}, {2})}, 18)
                .data,
            (Numbers{0, 0, 1, 1, 2, 2, 3, 3}));
  // Channels last, and one spatial axis.
  EXPECT_EQ(run("Resize", counting({1, 2, 1, 2}), asymmetric, {kAbsent, reals("s", {4}, {1, 2, 1, 1})}).data,
            (Numbers{0, 1, 0, 1, 2, 3, 2, 3}));
  EXPECT_EQ(run("Resize", counting({1, 2, 2}), asymmetric, {kAbsent, reals("s", {3}, {1, 1, 2})}).data,
            (Numbers{0, 0, 1, 1, 2, 2, 3, 3}));
  // Opset 10, and Upsample in both forms.
  EXPECT_EQ(run("Resize", x, kNone, {reals("s", {4}, {1, 1, 1, 1.5})}, 10).data, (Numbers{0, 0, 1, 2, 2, 3}));
  EXPECT_EQ(run("Upsample", x, kNone, {reals("s", {4}, {1, 1, 1, 1.5})}, 9).data, (Numbers{0, 0, 1, 2, 2, 3}));
  EXPECT_EQ(run(
                "Upsample", x,
                [](OnnxNodeBuilder node) {
                  node.set("scales", std::vector<float>{1, 1, 1, 1.5});
                },
                {}, 8)
                .data,
            (Numbers{0, 0, 1, 2, 2, 3}));
}

TEST(Resize, Linear) {
  const auto linear = [](Tensor x, float scale, const char* coordinates) {
    return run("Resize", x,
               [&](OnnxNodeBuilder node) {
                 node.set("mode", "linear").set("coordinate_transformation_mode", coordinates);
               },
               {kAbsent, reals("s", {4}, {1, 1, 1, scale})})
        .data;
  };
  const Tensor x = {{1, 1, 1, 2}, {0, 4}};
  EXPECT_EQ(linear(x, 2, "half_pixel"), (Numbers{0, 1, 3, 4}));  // at -.25, .25, .75, 1.25
  EXPECT_EQ(linear(x, 2, "asymmetric"), (Numbers{0, 2, 4, 4}));
  EXPECT_EQ(linear(x, 2.5F, "align_corners"), (Numbers{0, 1, 2, 3, 4}));
  // As ONNX's test_resize_upsample_scales_linear: both axes, of 1 2, 3 4.
  const Tensor y = run("Resize", {{1, 1, 2, 2}, {1, 2, 3, 4}}, [](OnnxNodeBuilder node) { node.set("mode", "linear"); },
                       {kAbsent, reals("s", {4}, {1, 1, 2, 2})});
  EXPECT_EQ(y.data, (Numbers{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}));
}

TEST(Gather, SlicesSplitsAndPicks) {
  const Tensor x = counting({2, 4});
  EXPECT_EQ(run("Slice", x, kNone, {ints("b", {1}), ints("e", {3}), ints("a", {-1})}).data, (Numbers{1, 2, 5, 6}));
  EXPECT_EQ(run("Slice", x, kNone, {ints("b", {-1}), ints("e", {-100}), ints("a", {1}), ints("s", {-3})}).data,
            (Numbers{3, 0, 7, 4}));
  EXPECT_EQ(run("Slice", x, kNone, {ints("b", {1, -3}), ints("e", {INT64_MAX, 100})}).data, (Numbers{5, 6, 7}));
  const Tensor picked = run("Gather", x, [](OnnxNodeBuilder node) { node.set("axis", 1); },
                            {OnnxBuilder::tensor("i", {2, 1}, Ints{-1, 0})});
  EXPECT_EQ(picked.shape, (Shape{2, 2, 1}));
  EXPECT_EQ(picked.data, (Numbers{3, 0, 7, 4}));
  EXPECT_EQ(run("Gather", x, kNone, {OnnxBuilder::tensor("i", {}, Ints{1})}).shape, Shape{4});

  OnnxBuilder model(18);
  model.input("x", {5}).output("p").output("q").output("r");
  model.node("Split", {"x"}, "p").set("num_outputs", 3);
  model.graph().mutable_node(0)->add_output("q");
  model.graph().mutable_node(0)->add_output("r");
  const std::vector<Tensor> parts = evaluate(import_model(model), {counting({5})});
  EXPECT_EQ(parts[0].data, (Numbers{0, 1}));
  EXPECT_EQ(parts[1].data, (Numbers{2, 3}));
  EXPECT_EQ(parts[2].data, (Numbers{4}));
}

TEST(Reductions, MeansSumsAndNorms) {
  const Tensor x = counting({2, 3, 2});
  const auto axes = [](Ints of) { return [of](OnnxNodeBuilder node) { node.set("axes", of); }; };
  EXPECT_EQ(run("ReduceMean", x, axes({1})).data, (Numbers{2, 3, 8, 9}));
  EXPECT_EQ(run("ReduceMean", x, axes({1})).shape, (Shape{2, 1, 2}));
  EXPECT_EQ(run("ReduceMean", x, kNone).data, (Numbers{5.5}));
  EXPECT_EQ(run("ReduceSum", x, kNone, {ints("axes", {0, -1})}).data, (Numbers{14, 22, 30}));
  EXPECT_EQ(run("ReduceMax", x, axes({2, 0})).data, (Numbers{7, 9, 11}));
  EXPECT_EQ(run("ReduceL2", {{1, 2}, {3, -4}}, axes({1})).data, Numbers{5});
  const auto flat = [](OnnxNodeBuilder node) { node.set("axes", Ints{1}).set("keepdims", 0); };
  EXPECT_EQ(run("ReduceMean", x, flat).shape, (Shape{2, 2}));
}

TEST(Normalizations, ByHand) {
  const Tensor x = {{1, 2, 2}, {1, 3, -5, 5}};
  const auto exact = [](OnnxNodeBuilder node) { node.set("epsilon", 0.0F); };
  EXPECT_EQ(run("LayerNormalization", x, exact, {reals("s", {2}, {1, 2}), reals("b", {2}, {0, 1})}, 17).data,
            (Numbers{-1, 3, -1, 3}));
  EXPECT_EQ(run("InstanceNormalization", x, exact, {reals("s", {2}, {1, 2}), reals("b", {2}, {0, 1})}).data,
            (Numbers{-1, 1, -1, 3}));
  EXPECT_EQ(run("LpNormalization", {{2, 2}, {3, -4, 0, 0}}, kNone).data, (Numbers{0.6, -0.8, 0, 0}));
  EXPECT_EQ(run("LpNormalization", {{1, 2}, {3, -1}}, [](OnnxNodeBuilder node) { node.set("p", 1); }).data,
            (Numbers{0.75, -0.25}));
}

TEST(Ranking, EqualElementsComeByIndex) {
  const Tensor x = {{2, 4}, {1, 7, 7, 3, 5, 5, 5, 5}};
  const auto axis = [](OnnxNodeBuilder node) { node.set("axis", 1).set("keepdims", 0); };
  EXPECT_EQ(run("ArgMax", x, axis).data, (Numbers{1, 0}));
  EXPECT_EQ(run("ArgMin", x, axis).data, (Numbers{0, 0}));
  EXPECT_EQ(run("ArgMax", x, [&](OnnxNodeBuilder node) { axis(node.set("select_last_index", 1)); }).data,
            (Numbers{2, 3}));
  EXPECT_EQ(run("ArgMax", x, kNone).data, (Numbers{1, 0, 0, 1}));
  OnnxBuilder model;
  model.input("x", {2, 4}).output("values").output("indices").integers("k", {1}, {3});
  model.node("TopK", {"x", "k"}, "values");
  model.graph().mutable_node(0)->add_output("indices");
  const std::vector<Tensor> top = evaluate(import_model(model), {x});
  EXPECT_EQ(top[0].data, (Numbers{7, 7, 3, 5, 5, 5}));
  EXPECT_EQ(top[1].data, (Numbers{1, 2, 3, 0, 1, 2}));
}

TEST(Ranking, NonMaxSuppressionPadsItsRows) {
  // As ONNX's test_nonmaxsuppression_suppress_by_IOU_and_scores and _center_point_box_format.
  const std::vector<onnx::TensorProto> parameters = {reals("scores", {1, 1, 6}, {0.9F, 0.75F, 0.6F, 0.95F, 0.5F, 0.3F}),
                                                     ints("most", {3}), reals("overlap", {}, {0.5F}),
                                                     reals("least", {}, {0.4F})};
  const Tensor corners = {
      {1, 6, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101}};
  EXPECT_EQ(run("NonMaxSuppression", corners, kNone, parameters).data, (Numbers{0, 0, 3, 0, 0, 0, -1, -1, -1}));
  const Tensor centres = {
      {1, 6, 4}, {0.5, 0.5, 1, 1, 0.5, 0.6, 1, 1, 0.5, 0.4, 1, 1, 0.5, 10.5, 1, 1, 0.5, 10.6, 1, 1, 0.5, 100.5, 1, 1}};
  const auto centered = [](OnnxNodeBuilder node) { node.set("center_point_box", 1); };
  std::vector<onnx::TensorProto> without_least(parameters.begin(), parameters.end() - 1);
  EXPECT_EQ(run("NonMaxSuppression", centres, centered, without_least).data, (Numbers{0, 0, 3, 0, 0, 0, 0, 0, 5}));
}

TEST(Activations, FunctionsOfOneNumber) {
  const Tensor x = {{4}, {-4, -1, 0, 2}};
  EXPECT_EQ(run("HardSigmoid", x, [](OnnxNodeBuilder node) { node.set("alpha", 0.25F).set("beta", 0.5F); }).data,
            (Numbers{0, 0.25, 0.5, 1}));
  EXPECT_EQ(run("HardSwish", x, kNone, {}, 14).data, (Numbers{0, -1.0 * (-1.0 / 6 + 0.5), 0, 2 * (2.0 / 6 + 0.5)}));
  EXPECT_EQ(run("Abs", x, kNone).data, (Numbers{4, 1, 0, 2}));
  EXPECT_EQ(run("Neg", x, kNone).data, (Numbers{4, 1, 0, -2}));
  EXPECT_EQ(run("Pow", x, kNone, {reals("p", {}, {2})}).data, (Numbers{16, 1, 0, 4}));
  EXPECT_EQ(run("Sqrt", {{2}, {4, 9}}, kNone).data, (Numbers{2, 3}));
  EXPECT_EQ(run("Exp", {{2}, {0, 1}}, kNone).data, (Numbers{1, std::exp(1.0)}));
  EXPECT_EQ(run("Erf", {{1}, {0.5}}, kNone).data, Numbers{std::erf(0.5)});
  const Tensor one = {{1}, {1}};
  EXPECT_NEAR(run("Gelu", one, kNone, {}, 20).data[0], 0.841344746, 1e-9);
  EXPECT_NEAR(run(
                  "Gelu", one, [](OnnxNodeBuilder node) { node.set("approximate", "tanh"); }, {}, 20)
                  .data[0],
              0.841191990, 1e-8);
  EXPECT_EQ(run("Max", x, kNone, {reals("a", {}, {-2}), reals("b", {1}, {-3})}).data, (Numbers{-2, -1, 0, 2}));
  EXPECT_EQ(run("GlobalMaxPool", counting({1, 2, 2, 3}), kNone).data, (Numbers{5, 11}));
}

/// By the definition: each input pixel adds its weights to the outputs it reaches.
Numbers transposed_convolution(const Tensor& x, const Tensor& w, int64_t stride, int64_t dilation, int64_t pad,
                               int64_t outputs) {
  Numbers y(static_cast<size_t>(outputs), 0);
  for (int64_t i = 0; i < x.shape[2]; ++i) {
    for (int64_t k = 0; k < w.shape[2]; ++k) {
      const int64_t at = i * stride + k * dilation - pad;
      if (at >= 0 && at < outputs)
        y[static_cast<size_t>(at)] += x.data[static_cast<size_t>(i)] * w.data[static_cast<size_t>(k)];
    }
  }
  return y;
}

TEST(ConvTranspose, EqualsItsDefinition) {
  const Tensor x = counting({1, 1, 5});
  const Tensor w = {{1, 1, 3}, {1, -2, 4}};
  for (const int64_t stride : {1, 2, 3, 5}) {
    for (const int64_t dilation : {1, 2}) {
      for (const int64_t pad : {0, 1, 2}) {
        for (const int64_t extra : {0, 1}) {
          if (extra >= std::max(stride, dilation)) continue;
          const int64_t outputs = 4 * stride + 2 * dilation + 1 + extra - 2 * pad;
          const Tensor y = run("ConvTranspose", x,
                               [&](OnnxNodeBuilder node) {
                                 node.set("strides", Ints{stride}).set("dilations", Ints{dilation});
                                 node.set("pads", Ints{pad, pad}).set("output_padding", Ints{extra});
                               },
                               {reals("w", {1, 1, 3}, {1, -2, 4})});
          EXPECT_EQ(y.data, transposed_convolution(x, w, stride, dilation, pad, outputs))
              << stride << " " << dilation << " " << pad << " " << extra;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tidbit::compiler
