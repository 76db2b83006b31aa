// Each operator alone and between quantizers, from ONNX to the runtime, against the evaluator.
#include <gtest/gtest.h>

#include "tests/e2e/network.h"
#include "tests/support/operator_models.h"

namespace tidbit::test {
namespace {

class Operators : public testing::TestWithParam<OperatorModel> {};

void verify(const OnnxBuilder& model) {
  const TemporaryFile file(model.bytes());
  Network network(file.path());
  expect_verified(network, stimuli(network.load(), 4));
}

TEST_P(Operators, OnReals) { verify(GetParam().on_reals()); }

TEST_P(Operators, BetweenQuantizers) { verify(GetParam().between_quantizers()); }

INSTANTIATE_TEST_SUITE_P(All, Operators, testing::ValuesIn(operator_models()),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(QuantizedConvTranspose, RunsInIntegers) {
  for (const OperatorModel& model : operator_models()) {
    if (std::string(model.name).rfind("ConvTranspose", 0) != 0) continue;
    const TemporaryFile file(model.between_quantizers(0.5F).bytes());
    const Network network(file.path());
    EXPECT_EQ(integer_layers(network.compiled), 1u) << model.name << layers(network.compiled);
  }
}

}  // namespace
}  // namespace tidbit::test
