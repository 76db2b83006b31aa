// Quant, BipolarQuant and Trunc of QONNX.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/compiler/import_runner.h"

namespace tidbit::compiler {
namespace {

using test::import_error, test::import_model, test::OnnxBuilder, test::OnnxNodeBuilder, test::run_model;
using ::testing::HasSubstr;
using Numbers = std::vector<double>;

struct QuantOptions {
  float scale = 1, zero_point = 0, bits = 4;
  int is_signed = 1, narrow = 0;
  const char* rounding = "ROUND";
  const char* domain = "qonnx.custom_op.general";
  const char* op = "Quant";
};

OnnxBuilder quant_model(const QuantOptions& o, int64_t count) {
  OnnxBuilder model;
  model.input("x", {count}).output("y");
  model.reals("scale", {}, {o.scale}).reals("zero", {1}, {o.zero_point}).reals("bits", {}, {o.bits});
  model.node(o.op, {"x", "scale", "zero", "bits"}, "y")
      .domain(o.domain)
      .set("signed", o.is_signed)
      .set("narrow", o.narrow)
      .set("rounding_mode", o.rounding);
  return model;
}

Numbers quant(const QuantOptions& o, const Numbers& x) {
  const auto count = static_cast<int64_t>(x.size());
  return run_model(quant_model(o, count), {{{count}, x}}).data;
}

TEST(Quant, LimitsFollowBitsSignAndNarrow) {
  const Numbers x = {-1e12, 1e12};
  EXPECT_EQ(quant({.bits = 4}, x), (Numbers{-8, 7}));
  EXPECT_EQ(quant({.bits = 4, .narrow = 1}, x), (Numbers{-7, 7}));
  EXPECT_EQ(quant({.bits = 2, .narrow = 1}, x), (Numbers{-1, 1}));
  EXPECT_EQ(quant({.bits = 4, .is_signed = 0}, x), (Numbers{0, 15}));
  EXPECT_EQ(quant({.bits = 4, .is_signed = 0, .narrow = 1}, x), (Numbers{0, 14}));
  EXPECT_EQ(quant({.bits = 1, .is_signed = 0}, x), (Numbers{0, 1}));
  EXPECT_EQ(quant({.scale = 0.5, .zero_point = 3, .bits = 3, .is_signed = 0}, x), (Numbers{-1.5, 2}));
  // Limits that float32 cannot hold.
  EXPECT_EQ(quant({.bits = 32}, x), (Numbers{-2147483648, 2147483647}));
  EXPECT_EQ(quant({.bits = 32, .is_signed = 0}, x), (Numbers{0, 4294967295}));
}

TEST(Quant, OneSignedBitIsBipolar) {
  EXPECT_EQ(quant({.scale = 0.5, .bits = 1}, {-3, -0.01, 0, 2}), (Numbers{-0.5, -0.5, 0.5, 0.5}));
  EXPECT_EQ(quant({.scale = 0.5, .bits = 1, .narrow = 1}, {-3, 2}), (Numbers{-0.5, 0.5}));
}

TEST(Quant, RoundingModesInAnyCase) {
  const Numbers x = {2.5, -2.5, 1.6, -1.6};
  EXPECT_EQ(quant({.rounding = "ROUND"}, x), (Numbers{2, -2, 2, -2}));
  EXPECT_EQ(quant({.rounding = "half_even"}, x), (Numbers{2, -2, 2, -2}));
  EXPECT_EQ(quant({.rounding = "Ceil"}, x), (Numbers{3, -2, 2, -1}));
  EXPECT_EQ(quant({.rounding = "floor"}, x), (Numbers{2, -3, 1, -2}));
  EXPECT_EQ(quant({.rounding = "ROUND_TO_ZERO"}, x), (Numbers{2, -2, 1, -1}));
  EXPECT_EQ(quant({.rounding = "DOWN"}, x), (Numbers{2, -2, 1, -1}));
  EXPECT_EQ(quant({.rounding = "UP"}, x), (Numbers{3, -3, 2, -2}));
  EXPECT_EQ(quant({.rounding = "HALF_UP"}, x), (Numbers{3, -3, 2, -2}));
  EXPECT_EQ(quant({.rounding = "HALF_DOWN"}, x), (Numbers{2, -2, 2, -2}));
  EXPECT_THAT(import_error(quant_model({.rounding = "SIDEWAYS"}, 1)), HasSubstr("rounding_mode 'SIDEWAYS' is unknown"));
}

TEST(Quant, ComesUnderSeveralDomainsAndNames) {
  for (const char* domain : {"onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general", "qonnx", ""}) {
    EXPECT_EQ(quant({.bits = 3, .domain = domain}, {9}), Numbers{3}) << domain;
  }
  EXPECT_EQ(quant({.bits = 3, .op = "IntQuant"}, {9}), Numbers{3});
  EXPECT_EQ(import_error(quant_model({.domain = "elsewhere"}, 1)),
            "the_Quant (Quant): operator not supported (domain 'elsewhere'); supported: see README");
}

TEST(Quant, DefaultsAndTypesOfParameters) {
  OnnxBuilder model;
  model.input("x", {2}).output("y").reals("scale", {1, 1}, {0.5F}).integers("zero", {}, {0}).integers("bits", {1}, {3});
  model.node("Quant", {"x", "scale", "zero", "bits"}, "y");  // signed, not narrow, halves to even
  EXPECT_EQ(run_model(model, {{{2}, {-9, 0.75}}}).data, (Numbers{-2, 1}));
}

TEST(Quant, ScalesAChannel) {
  OnnxBuilder model;
  model.input("x", {2, 2}).output("y").reals("scale", {2, 1}, {1, 2}).reals("zero", {}, {0}).reals("bits", {}, {2});
  model.node("Quant", {"x", "scale", "zero", "bits"}, "y");
  EXPECT_EQ(run_model(model, {{{2, 2}, {9, -9, 9, -9}}}).data, (Numbers{1, -2, 2, -4}));
}

TEST(Quant, RefusesWhatHasNoMeaning) {
  const auto error = [](const QuantOptions& o) { return import_error(quant_model(o, 2)); };
  EXPECT_EQ(error({.bits = 2.5}), "the_Quant (Quant): a bit width of 2.5 is not supported; it must be one of 1 to 32");
  for (const float bits : {0.0F, -1.0F, 33.0F, INFINITY})
    EXPECT_THAT(error({.bits = bits}), HasSubstr("a bit width of"));
  for (const float scale : {0.0F, -1.0F}) EXPECT_THAT(error({.scale = scale}), HasSubstr("the scale must be positive"));
  EXPECT_THAT(error({.scale = INFINITY}), HasSubstr("the scale is not finite"));
  EXPECT_THAT(error({.zero_point = INFINITY}), HasSubstr("the zero point is not finite"));
  EXPECT_THAT(error({.zero_point = 1, .bits = 1}), HasSubstr("1 signed bit with a zero point"));
}

TEST(BipolarQuant, TakesZeroForPositive) {
  OnnxBuilder model;
  model.input("x", {3}).output("y").reals("scale", {}, {0.25F});
  model.node("BipolarQuant", {"x", "scale"}, "y").domain("onnx.brevitas");
  EXPECT_EQ(run_model(model, {{{3}, {-1, 0, 5}}}).data, (Numbers{-0.25, 0.25, 0.25}));
}

Numbers trunc(const std::vector<float>& parameters, const Numbers& x, const std::function<void(OnnxNodeBuilder)>& set) {
  OnnxBuilder model;
  const auto count = static_cast<int64_t>(x.size());
  model.input("x", {count}).output("y");
  std::vector<std::string> inputs = {"x"};
  for (const float parameter : parameters) {
    inputs.push_back(std::string("p").append(std::to_string(inputs.size())));
    model.reals(inputs.back(), {}, {parameter});
  }
  set(model.node("Trunc", inputs, "y").domain("onnx.brevitas"));
  return run_model(model, {{{count}, x}}).data;
}

TEST(Trunc, Version1DropsBitsAndKeepsTheScale) {
  const Numbers x = {3.5, -0.5, 100};  // 7, -1, 200 by a scale of 0.5
  EXPECT_EQ(trunc({0.5, 0, 8, 6}, x, [](OnnxNodeBuilder) {}), (Numbers{0.5, -0.5, 25}));
  EXPECT_EQ(trunc({0.5, 0, 8, 6}, x, [](OnnxNodeBuilder node) { node.set("rounding_mode", "ROUND"); }),
            (Numbers{1, 0, 25}));
  EXPECT_EQ(trunc({0.5, 0, 8, 6}, x, [](OnnxNodeBuilder node) { node.set("rounding_mode", "ceil"); }),
            (Numbers{1, 0, 25}));
  // With a zero point of 4: 11/4, 3/4, 204/4, floored, less 4, by 0.5.
  EXPECT_EQ(trunc({0.5, 4, 8, 6}, x, [](OnnxNodeBuilder) {}), (Numbers{-1, -2, 23.5}));
}

TEST(Trunc, Version2HasItsOwnScaleAndLimits) {
  const Numbers x = {3.5, -0.5, 100, -100};
  const auto none = [](OnnxNodeBuilder) {};
  // Divisor 4; 7/4, -1/4, 50, -50, floored; 4 signed bits; by 2.
  EXPECT_EQ(trunc({0.5, 0, 8, 2, 0, 4}, x, none), (Numbers{2, -2, 14, -16}));
  EXPECT_EQ(trunc({0.5, 0, 8, 2, 4}, x, none), trunc({0.5, 0, 8, 2, 0, 4}, x, none));
  EXPECT_EQ(trunc({0.5, 0, 8, 2, 0, 4}, x, [](OnnxNodeBuilder node) { node.set("signed", 0).set("narrow", 1); }),
            (Numbers{2, 0, 28, 0}));
  // A zero point of 8 is one of 2 behind the divisor: 15/4, 7/4, 208/4, -192/4, less 2.
  EXPECT_EQ(trunc({0.5, 8, 8, 2, 2, 4}, x, none), (Numbers{2, -2, 10, -20}));
  EXPECT_THROW(trunc({0.5, 8, 8, 2, 1, 4}, x, none), CompileError);
}

}  // namespace
}  // namespace tidbit::compiler
