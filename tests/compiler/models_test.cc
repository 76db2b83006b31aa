// Import and evaluation of real models, against outputs that another double-precision evaluation gave.
#include "tests/support/models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "compiler/evaluate.h"
#include "compiler/import.h"
#include "compiler/import/model_file.h"
#include "tests/support/npy.h"
#include "tests/support/onnx_builder.h"

namespace tidbit::compiler {
namespace {

using test::model_path, test::Npy, test::read_npy;

Tensor sample(const Npy& array, const Shape& shape, size_t index) {
  const auto size = static_cast<ptrdiff_t>(elements(shape));
  const auto begin = array.values.begin() + static_cast<ptrdiff_t>(index) * size;
  return {shape, {begin, begin + size}};
}

struct RealModel {
  const char* name;
  size_t most_samples;

  friend std::ostream& operator<<(std::ostream& out, const RealModel& model) { return out << model.name; }
};

class RealModels : public testing::TestWithParam<RealModel> {};

TEST_P(RealModels, AgreeWithTheirOutputs) {
  const std::string name = GetParam().name;
  TIDBIT_NEEDS_MODEL(name);
  const Graph graph = import_onnx(model_path(name + "/model.onnx"));
  const Npy inputs = read_npy(model_path(name + "/inputs.npy")), outputs = read_npy(model_path(name + "/outputs.npy"));
  const auto [lowest, highest] = std::minmax_element(outputs.values.begin(), outputs.values.end());
  const double tolerance = 1e-5 * (*highest - *lowest);
  const size_t samples = std::min(static_cast<size_t>(inputs.shape[0]), GetParam().most_samples);
  double largest = 0;
  for (size_t i = 0; i < samples; ++i) {
    const Tensor result = evaluate(graph, {sample(inputs, graph[graph.inputs[0]].shape, i)})[0];
    const Tensor expected = sample(outputs, result.shape, i);
    for (size_t j = 0; j < result.data.size(); ++j) {
      largest = std::max(largest, std::abs(result.data[j] - expected.data[j]));
    }
    ASSERT_LE(largest, tolerance) << "sample " << i;
  }
  std::ostringstream text;
  text << largest << " of a range of " << *highest - *lowest;
  RecordProperty("largest_difference", text.str());
}

INSTANTIATE_TEST_SUITE_P(Compiler, RealModels,
                         testing::Values(RealModel{"mnist_tfc_w1a1", 500}, RealModel{"mnist_tfc_w1a2", 500},
                                         RealModel{"mnist_tfc_w2a2", 500}, RealModel{"jettag_mlp_w6a6", 64},
                                         RealModel{"unsw_mlp_w2a2", 64}, RealModel{"kws_mlp_w3a3", 200},
                                         RealModel{"cifar10_resnet8_w4a4", 100}, RealModel{"cifar10_resnet20_w8a8", 50},
                                         RealModel{"espcn_nnresize_w4a4", 2}, RealModel{"espcn_subpixel_w4a4", 2},
                                         RealModel{"vww_mobilenet_w8a8", 8}, RealModel{"vww_mobilenet_w8a8_qcdq", 4},
                                         RealModel{"imagenet_mobilenetv2_w4a8_qcdq", 1}),
                         [](const auto& model) { return std::string(model.param.name); });

TEST(QKerasModels, AllImportAndEvaluate) {
  TIDBIT_NEEDS_MODEL("qonnx_qkeras_tests");
  int models = 0;
  for (const auto& file : std::filesystem::directory_iterator(model_path("qonnx_qkeras_tests"))) {
    if (file.path().extension() != ".onnx") continue;
    SCOPED_TRACE(file.path().filename());
    const Graph graph = import_onnx(file.path());
    ASSERT_EQ(graph.inputs.size(), 1U);
    Tensor input = {graph[graph.inputs[0]].shape, {}};
    std::mt19937 random(1);
    for (int64_t i = elements(input.shape); i > 0; --i) input.data.push_back(std::normal_distribution<>(0, 1)(random));
    for (const Tensor& output : evaluate(graph, {input})) {
      EXPECT_TRUE(std::all_of(output.data.begin(), output.data.end(), [](double y) { return std::isfinite(y); }));
    }
    ++models;
  }
  EXPECT_GE(models, 58);
}

onnx::TensorProto read_tensor_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::TensorProto tensor;
  EXPECT_TRUE(tensor.ParseFromIstream(&file)) << path;
  return tensor;
}

class OnnxNodeTests : public testing::TestWithParam<const char*> {};

/// ONNX's own tests. All inputs but the first become initializers: here, parameters are constant.
TEST_P(OnnxNodeTests, AgreeWithTheirOutput) {
  const std::string folder = std::string("onnx_node_tests/") + GetParam();
  TIDBIT_NEEDS_MODEL(folder);
  const std::string data = model_path(folder + "/test_data_set_0/");
  onnx::ModelProto model = read_model_file(model_path(folder + "/model.onnx"));
  for (int i = 1; i < model.graph().input_size(); ++i) {
    onnx::TensorProto& parameter = *model.mutable_graph()->add_initializer();
    parameter = read_tensor_file(data + "input_" + std::to_string(i) + ".pb");
    parameter.set_name(model.graph().input(i).name());
  }
  const test::TemporaryFile file(model.SerializeAsString());
  const Graph graph = import_onnx(file.path());
  const Tensor expected = read_tensor(read_tensor_file(data + "output_0.pb"));
  const Tensor result = evaluate(graph, {read_tensor(read_tensor_file(data + "input_0.pb"))})[0];
  ASSERT_EQ(result.shape, expected.shape);
  for (size_t i = 0; i < result.data.size(); ++i) {
    EXPECT_NEAR(result.data[i], expected.data[i], 1e-6 * std::max(1.0, std::abs(expected.data[i]))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Compiler, OnnxNodeTests,
    testing::Values("test_averagepool_2d_default", "test_averagepool_2d_pads_count_include_pad",
                    "test_averagepool_2d_same_upper", "test_averagepool_2d_strides", "test_basic_conv_with_padding",
                    "test_batchnorm_example", "test_clip_default_max", "test_clip_example",
                    "test_conv_with_autopad_same", "test_conv_with_strides_and_asymmetric_padding",
                    "test_convinteger_with_padding", "test_depthtospace_crd_mode_example", "test_dequantizelinear",
                    "test_dequantizelinear_axis", "test_dequantizelinear_int4", "test_gemm_default_vector_bias",
                    "test_gemm_transposeB", "test_globalaveragepool", "test_leakyrelu", "test_matmulinteger",
                    "test_maxpool_2d_ceil", "test_maxpool_2d_default", "test_maxpool_2d_pads", "test_qlinearconv",
                    "test_qlinearmatmul_2D_uint8_float32", "test_quantizelinear", "test_quantizelinear_axis",
                    "test_quantizelinear_uint4", "test_resize_upsample_scales_nearest", "test_softmax_axis_1"),
    [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace tidbit::compiler
