// A bit of a weight flipped in the file: verify must find it and name the layer.
#include <gtest/gtest.h>

#include <string>

#include "schema/container.h"
#include "schema/tidbit_generated.h"
#include "tests/e2e/network.h"

namespace tidbit::test {
namespace {

struct PackedLayer {
  std::string node;
  size_t weights;  // where they begin in the file
  size_t bytes;
};

std::vector<PackedLayer> packed_layers(std::span<const std::byte> bytes) {
  const file::Model* model = file::GetSizePrefixedModel(bytes.data());
  const size_t tail = bytes.size() - model->tail_size();
  std::vector<PackedLayer> result;
  for (const file::Node* node : *model->nodes()) {
    const auto* convolution = node->op_as_Convolution();
    if (!convolution || convolution->weights()->encoding() != file::WeightEncoding::BitPlanes) continue;
    const file::Blob* data = convolution->weights()->data();
    result.push_back(
        {node->name()->str(), static_cast<size_t>(tail + data->offset()), static_cast<size_t>(data->size())});
  }
  return result;
}

/// Flips the first weight bit of the layer that changes some output: most are hidden by the quantizer behind.
bool plant_error(Network& network, const PackedLayer& layer, std::span<const float> inputs) {
  const std::vector<float> expected = run_all(network.load(), inputs);
  for (size_t byte = 0; byte < layer.bytes; ++byte) {
    std::byte& weights = network.file.data()[layer.weights + byte];
    weights ^= std::byte{1};
    if (run_all(network.load(), inputs) != expected) return true;
    weights ^= std::byte{1};
  }
  return false;
}

void expect_found(const std::string& onnx, const tools::Array<float>& inputs) {
  constexpr size_t kSamples = 20;
  const Network intact(onnx);
  for (const PackedLayer& layer : packed_layers(intact.file.span())) {
    SCOPED_TRACE(layer.node);
    Network network = intact;
    const Model before = network.load();
    const size_t elements = kSamples * before.tensors()[before.inputs()[0]].elements();
    ASSERT_TRUE(plant_error(network, layer, std::span(inputs.data).first(elements)));

    const Model model = network.load();
    tools::Comparison comparison(network.graph, model);
    for (const tools::Sample& sample : first_samples(model, inputs, kSamples)) comparison.run(sample);
    ASSERT_NE(comparison.first_divergence(), nullptr);
    EXPECT_EQ(comparison.first_divergence()->node, layer.node);
    for (const tools::LayerComparison& other : comparison.layers()) {
      EXPECT_EQ(other.differing > 0, other.node == layer.node) << other.node;
    }
  }
}

TEST(PlantedError, IsFoundInTheDemosNetwork) {
  expect_found(demo_networks() + "/digits_w2a2.onnx", tools::read_npy<float>(demo_networks() + "/test_images.npy"));
}

TEST(PlantedError, IsFoundInARealModel) {
  TIDBIT_NEEDS_MODEL("mnist_tfc_w2a2");
  const std::string folder = model_path("mnist_tfc_w2a2/");
  expect_found(folder + "model.onnx", tools::read_npy<float>(folder + "inputs.npy"));
}

}  // namespace
}  // namespace tidbit::test
