// ONNX's own tests of single operators, from the file to what the runtime computes.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "compiler/import/model_file.h"
#include "tests/e2e/network.h"
#include "tests/support/onnx_builder.h"

namespace tidbit::test {
namespace {

onnx::TensorProto read_tensor_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::TensorProto tensor;
  EXPECT_TRUE(tensor.ParseFromIstream(&file)) << path;
  return tensor;
}

/// All inputs but the first become initializers: here, parameters are constant.
std::string with_constant_parameters(const std::string& folder) {
  onnx::ModelProto model = compiler::read_model_file(folder + "/model.onnx");
  for (int i = 1; i < model.graph().input_size(); ++i) {
    onnx::TensorProto& parameter = *model.mutable_graph()->add_initializer();
    parameter = read_tensor_file(folder + "/test_data_set_0/input_" + std::to_string(i) + ".pb");
    parameter.set_name(model.graph().input(i).name());
  }
  return model.SerializeAsString();
}

TEST(OnnxNodeTests, AllRun) {
  TIDBIT_NEEDS_MODEL("onnx_node_tests");
  size_t tests = 0;
  for (const auto& entry : std::filesystem::directory_iterator(model_path("onnx_node_tests"))) {
    if (!entry.is_directory()) continue;
    SCOPED_TRACE(entry.path().filename());
    const std::string folder = entry.path();
    const TemporaryFile onnx(with_constant_parameters(folder));
    Network network(onnx.path());
    const std::string data = folder + "/test_data_set_0/";
    const compiler::Tensor input = compiler::read_tensor(read_tensor_file(data + "input_0.pb"));
    const compiler::Tensor expected = compiler::read_tensor(read_tensor_file(data + "output_0.pb"));
    const std::vector<float> found = run_all(network.load(), std::vector<float>(input.data.begin(), input.data.end()));
    ASSERT_EQ(found.size(), expected.data.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected.data[i], 1e-6 * std::max(1.0, std::abs(expected.data[i]))) << i;
    }
    ++tests;
  }
  EXPECT_GE(tests, 32u);
}

}  // namespace
}  // namespace tidbit::test
