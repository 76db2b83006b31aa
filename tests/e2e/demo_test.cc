// The demo's networks, which are always there: every width of weights and activations end to end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/network.h"
#include "tools/classify.h"

namespace tidbit::test {
namespace {

struct Variant {
  const char* name;
  size_t integer_layers;
};

/// Of the test, in listings.
void PrintTo(const Variant& instance, std::ostream* stream) { *stream << instance.name; }

class DemoNetworks : public testing::TestWithParam<Variant> {
 protected:
  Network network_{demo_networks() + "/digits_" + GetParam().name + ".onnx"};
  tools::Array<float> images_ = tools::read_npy<float>(demo_networks() + "/test_images.npy");
};

TEST_P(DemoNetworks, QuantizedLayersRunInIntegers) {
  EXPECT_EQ(integer_layers(network_.compiled), GetParam().integer_layers) << layers(network_.compiled);
}

TEST_P(DemoNetworks, EveryLayerEqualsTheEvaluator) {
  const Model model = network_.load();
  std::vector<tools::Sample> samples = stimuli(model, 8);
  for (tools::Sample& sample : first_samples(model, images_, 20)) samples.push_back(std::move(sample));
  expect_verified(network_, samples);
}

TEST_P(DemoNetworks, ClassifyTheTestSet) {
  const std::vector<int64_t> labels = tools::read_npy<int64_t>(demo_networks() + "/test_labels.npy").data;
  const std::vector<float> scores = run_all(network_.load(), images_.data);
  const size_t classes = scores.size() / labels.size();
  size_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    right += static_cast<int64_t>(tools::best(std::span(scores).subspan(i * classes, classes), 1)[0]) == labels[i];
  }
  EXPECT_GE(static_cast<double>(right), 0.97 * static_cast<double>(labels.size()));
}

TEST_P(DemoNetworks, FamiliesThreadsAndBatchGiveTheSameBytes) {
  const std::vector<float> expected = run_all(network_.load(), images_.data);
  for (const char* family : {"bitserial", "lut", "dot"}) {
    EXPECT_EQ(run_all(network_.load(family), images_.data), expected) << family;
  }
  for (const size_t threads : {2, 3}) {
    EXPECT_EQ(run_all(network_.load(), images_.data, {.batch = 50, .threads = threads}), expected) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DemoNetworks,
                         testing::Values(Variant{"float", 0}, Variant{"w8a8", 5}, Variant{"w4a4", 5},
                                         Variant{"w2a2", 5}, Variant{"w1a2", 5}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace tidbit::test
