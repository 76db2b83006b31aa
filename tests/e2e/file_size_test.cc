// A .tbit file is its weights at their bits, epilogue tables, float tensors and little else.
#include <gtest/gtest.h>

#include "tests/e2e/network.h"

namespace tidbit::test {
namespace {

/// The bytes that the weights of the layers in the report have to take.
double least_weight_bytes(const compiler::Compiled& compiled, const Model& model) {
  double bytes = 0;
  for (const compiler::LayerReport& layer : compiled.report) {
    for (const NodeInfo& node : model.nodes()) {
      if (node.name != layer.node || layer.macs == 0) continue;
      const TensorInfo& output = model.tensors()[node.outputs[0]];
      const auto pixels = static_cast<int64_t>(output.elements()) / output.shape.back();
      bytes += layer.weight_bits / 8.0 * static_cast<double>(layer.macs / pixels);
    }
  }
  return bytes;
}

/// What names, shapes and attributes of a node and its tensors may take besides, in a network of less than 20 KB.
constexpr double kStructure = 80;

void expect_small(const std::string& onnx, double structure = 0) {
  SCOPED_TRACE(onnx);
  Network network(onnx);
  const compiler::Compiled& compiled = network.compiled;
  const Model model = network.load();
  const double weights = least_weight_bytes(compiled, model);
  EXPECT_GT(weights, 0);
  const double allowed = 1.1 * (weights + static_cast<double>(compiled.epilogue_bytes + compiled.real_bytes)) +
                         structure * static_cast<double>(model.nodes().size());
  EXPECT_LE(static_cast<double>(compiled.file.size()), allowed)
      << "weights " << weights << ", as written " << compiled.weight_bytes << ", epilogues " << compiled.epilogue_bytes
      << ", reals " << compiled.real_bytes;
}

TEST(FileSize, OfTheDemosNetwork) { expect_small(demo_networks() + "/digits_w2a2.onnx", kStructure); }

TEST(FileSize, OfRealModels) {
  TIDBIT_NEEDS_MODEL("kws_mlp_w3a3");
  const auto folder = [](const std::string& model) { return model_path(model + "/model.onnx"); };
  expect_small(folder("mnist_tfc_w2a2"));
  expect_small(folder("unsw_mlp_w2a2"));
  expect_small(folder("cifar10_resnet8_w4a4"));
  expect_small(folder("kws_mlp_w3a3"));
}

}  // namespace
}  // namespace tidbit::test
