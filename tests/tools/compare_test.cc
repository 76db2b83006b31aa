#include "tools/compare.h"

#include <gtest/gtest.h>

#include <cstring>

#include "compiler/compile.h"
#include "compiler/import.h"
#include "schema/tidbit_generated.h"
#include "tests/support/onnx_builder.h"
#include "tools/aligned_bytes.h"
#include "tools/error.h"

namespace tidbit::tools {
namespace {

using test::OnnxBuilder;
using test::TemporaryFile;

constexpr int64_t kElements = 32;

/// Softmax, which the runtime computes in float32, and a quantizer behind it. Equal inputs give 1/32, which lies right
/// between code 0 and code 1.
TemporaryFile quantized_softmax(int64_t elements = kElements) {
  OnnxBuilder onnx;
  onnx.input("x", {1, elements}).output("y");
  onnx.reals("scale", {}, {1.0f / 16}).reals("zero_point", {}, {0}).reals("bits", {}, {4});
  onnx.node("Softmax", {"x"}, "s").set("axis", 1);
  onnx.node("Quant", {"s", "scale", "zero_point", "bits"}, "y")
      .domain("qonnx.custom_op.general")
      .set("signed", 0)
      .set("narrow", 0)
      .set("rounding_mode", "ROUND");
  return TemporaryFile(onnx.bytes());
}

/// Multiplies the quantizer's factor in the file.
void scale_quantizer(AlignedBytes& file, double factor) {
  const file::Model* model = file::GetSizePrefixedModel(file.data());
  for (const file::Node* node : *model->nodes()) {
    const auto* quantize = node->op_as_Quantize();
    if (!quantize) continue;
    const auto* affine = quantize->epilogue()->form_as_Affine();
    ASSERT_TRUE(affine && affine->arithmetic() == file::Arithmetic::Float32);
    std::byte* at = file.data() + file.span().size() - model->tail_size() + affine->multiplier()->offset();
    float multiplier;
    std::memcpy(&multiplier, at, sizeof multiplier);
    multiplier *= static_cast<float>(factor);
    std::memcpy(at, &multiplier, sizeof multiplier);
    return;
  }
  FAIL() << "no Quantize";
}

class Compare : public testing::Test {
 protected:
  /// Compares equal inputs but for the first, with the quantizer's factor multiplied in the .tbit file.
  const LayerComparison& quantizer_scaled_by(double factor, float first = 1) {
    scale_quantizer(file_, factor);
    model_ = require(Model::load(file_.span()));
    comparison_ = std::make_unique<Comparison>(graph_, *model_);
    std::vector<float> input(kElements, 1);
    input[0] = first;
    comparison_->run(std::vector<std::vector<float>>{input});
    return comparison_->layers()[1];
  }

  const TemporaryFile onnx_ = quantized_softmax();
  const compiler::Graph graph_ = compiler::import_onnx(onnx_.path());
  AlignedBytes file_{compiler::compile(onnx_.path()).file};
  std::optional<Model> model_;
  std::unique_ptr<Comparison> comparison_;
};

TEST_F(Compare, EqualValuesAgree) {
  const LayerComparison& quantizer = quantizer_scaled_by(1);
  EXPECT_EQ(comparison_->layers()[0].value, "s");
  EXPECT_EQ(comparison_->layers()[0].bits, 0);
  EXPECT_EQ(quantizer.value, "y");
  EXPECT_EQ(quantizer.bits, 4);
  EXPECT_TRUE(quantizer.tie_allowed);
  EXPECT_EQ(quantizer.ties, 0u);
  EXPECT_EQ(quantizer.elements, static_cast<size_t>(kElements));
  EXPECT_EQ(comparison_->first_divergence(), nullptr);
}

TEST_F(Compare, ATieMayFallToEitherSide) {
  EXPECT_EQ(quantizer_scaled_by(1 + 1e-7).ties, static_cast<size_t>(kElements));
  EXPECT_EQ(comparison_->first_divergence(), nullptr);
}

TEST_F(Compare, AWrongCodeIsNoTie) {
  // Scores of 4.5 and, 31 times, 0.37 steps: all of them take another code, none of them from a tie.
  const LayerComparison& quantizer = quantizer_scaled_by(1.5, 3.5F);
  EXPECT_EQ(quantizer.ties, 0u);
  EXPECT_EQ(quantizer.differing, static_cast<size_t>(kElements));
  EXPECT_EQ(comparison_->first_divergence(), &quantizer);
}

TEST_F(Compare, TwoCodesAreNoTie) {
  EXPECT_EQ(quantizer_scaled_by(4).ties, 0u);
  EXPECT_NE(comparison_->first_divergence(), nullptr);
}

TEST_F(Compare, OnlyTheLayerThatIsWrongDiffers) {
  quantizer_scaled_by(4);
  for (const LayerComparison& layer : comparison_->layers()) {
    EXPECT_EQ(layer.differing > 0, layer.op == "Quantize") << layer.value;
  }
}

TEST_F(Compare, OtherModelsAreRefused) {
  const TemporaryFile other = quantized_softmax(kElements / 2);
  const compiler::Graph graph = compiler::import_onnx(other.path());
  const Model model = require(Model::load(file_.span()));
  EXPECT_THROW(Comparison(graph, model), Error);
}

}  // namespace
}  // namespace tidbit::tools
