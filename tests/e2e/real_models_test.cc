// Real fake-quantized networks, against the outputs that a double-precision evaluation gave elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/e2e/network.h"

namespace tidbit::test {
namespace {

struct RealModel {
  const char* name;
  size_t integer_layers;    // all whose weights and activations the graph quantizes
  size_t layers;            // the rest reads the model's unquantized input
  size_t verified;          // samples that the slow evaluator takes
  float tolerance = 1e-5f;  // of the outputs' range; 0 where the outputs are quantized
};

/// Of the test, in listings.
void PrintTo(const RealModel& instance, std::ostream* stream) { *stream << instance.name; }

class RealModels : public testing::TestWithParam<RealModel> {
 protected:
  void SetUp() override {
    TIDBIT_NEEDS_MODEL(GetParam().name);
    network_ = std::make_unique<Network>(file("model.onnx"));
    inputs_ = tools::read_npy<float>(file("inputs.npy"));
  }
  std::string file(const std::string& name) const { return model_path(std::string(GetParam().name) + "/" + name); }

  std::unique_ptr<Network> network_;
  tools::Array<float> inputs_;
};

TEST_P(RealModels, EveryQuantizedLayerRunsInIntegers) {
  EXPECT_EQ(integer_layers(network_->compiled), GetParam().integer_layers) << layers(network_->compiled);
  const auto has_weights = [](const compiler::LayerReport& layer) { return layer.macs > 0; };
  EXPECT_EQ(std::ranges::count_if(network_->compiled.report, has_weights), GetParam().layers)
      << layers(network_->compiled);
}

TEST_P(RealModels, EverySampleGivesTheTrainedGraphsOutput) {
  const std::vector<float> found = run_all(network_->load(), inputs_.data);
  const std::vector<float> expected = tools::read_npy<float>(file("outputs.npy")).data;
  ASSERT_EQ(found.size(), expected.size());
  const auto [lowest, highest] = std::ranges::minmax(expected);
  float largest = 0;
  for (size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(found[i] - expected[i]));
  EXPECT_LE(largest, GetParam().tolerance * (highest - lowest));
}

TEST_P(RealModels, FamiliesAndThreadsGiveTheSameBytes) {
  const std::span<const float> all = inputs_.data;
  const std::span<const float> inputs = all.first(all.size() / static_cast<size_t>(inputs_.shape[0]) * 2);
  const std::vector<float> expected = run_all(network_->load(), inputs);
  for (const char* family : {"bitserial", "lut", "dot"}) {
    EXPECT_EQ(run_all(network_->load(family), inputs), expected) << family;
  }
  for (const size_t threads : {2, 3}) {
    EXPECT_EQ(run_all(network_->load(), inputs, {.threads = threads}), expected) << threads;
  }
  EXPECT_EQ(run_all(network_->load(), inputs, {.batch = 2}), expected);
}

TEST_P(RealModels, EveryLayerEqualsTheEvaluator) {
  expect_verified(*network_, first_samples(network_->load(), inputs_, GetParam().verified));
}

INSTANTIATE_TEST_SUITE_P(
    All, RealModels,
    testing::Values(RealModel{"mnist_tfc_w1a1", 4, 4, 20}, RealModel{"mnist_tfc_w1a2", 4, 4, 20},
                    RealModel{"mnist_tfc_w2a2", 4, 4, 20}, RealModel{"jettag_mlp_w6a6", 3, 4, 64},
                    RealModel{"unsw_mlp_w2a2", 3, 4, 20}, RealModel{"kws_mlp_w3a3", 4, 4, 20},
                    RealModel{"cifar10_resnet8_w4a4", 10, 10, 2}, RealModel{"cifar10_resnet20_w8a8", 22, 22, 1, 0},
                    RealModel{"imagenet_mobilenetv2_w4a8_qcdq", 53, 53, 1, 0},
                    RealModel{"vww_mobilenet_w8a8", 26, 26, 1, 0}, RealModel{"vww_mobilenet_w8a8_qcdq", 26, 26, 1, 0},
                    RealModel{"espcn_nnresize_w4a4", 4, 4, 1}, RealModel{"espcn_subpixel_w4a4", 3, 4, 1}),
    [](const auto& instance) { return instance.param.name; });

TEST(QkerasGraphs, AllAgreeOnRandomAndExtremeInputs) {
  TIDBIT_NEEDS_MODEL("qonnx_qkeras_tests");
  size_t graphs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(model_path("qonnx_qkeras_tests"))) {
    SCOPED_TRACE(entry.path().filename());
    Network network(entry.path());
    expect_verified(network, stimuli(network.load(), 8));
    ++graphs;
  }
  EXPECT_GE(graphs, 58u);
}

}  // namespace
}  // namespace tidbit::test
