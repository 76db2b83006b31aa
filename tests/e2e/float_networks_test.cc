// Networks without a quantizer, and of both kinds: XNNPACK and our own kernels against the evaluator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "tests/e2e/network.h"
#include "tests/support/onnx_builder.h"

namespace tidbit::test {
namespace {

/// Builds networks layer by layer. Values are named after the count of nodes.
class FloatNetwork : public OnnxBuilder {
 public:
  using Names = std::vector<std::string>;

  std::string apply(const std::string& op, const Names& inputs,
                    const std::function<void(OnnxNodeBuilder&)>& attributes = {}) {
    const std::string output = op + std::to_string(graph().node_size());
    OnnxNodeBuilder built = node(op, inputs, output);
    built.name("node_" + output);
    if (attributes) attributes(built);
    return output;
  }

  std::string constant(const std::vector<int64_t>& shape, float lowest, float highest) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = std::uniform_real_distribution(lowest, highest)(random_);
    const std::string name = "constant" + std::to_string(graph().initializer_size());
    reals(name, shape, values);
    return name;
  }

  struct Conv {
    int64_t in, out, kernel, stride = 1, groups = 1, dilation = 1;
  };
  std::string conv(const std::string& x, const Conv& c) {
    const int64_t depth = c.in / c.groups * c.kernel * c.kernel, pad = c.kernel / 2 * c.dilation;
    const float spread = 2 / std::sqrt(static_cast<float>(depth));
    const Names inputs{x, constant({c.out, c.in / c.groups, c.kernel, c.kernel}, -spread, spread),
                       constant({c.out}, -0.5f, 0.5f)};
    return apply("Conv", inputs, [&](OnnxNodeBuilder& node) {
      node.set("strides", std::vector<int64_t>{c.stride, c.stride})
          .set("pads", std::vector<int64_t>{pad, pad, pad, pad})
          .set("dilations", std::vector<int64_t>{c.dilation, c.dilation})
          .set("kernel_shape", std::vector<int64_t>{c.kernel, c.kernel})
          .set("group", c.groups);
    });
  }

  std::string normalize(const std::string& x, int64_t channels) {
    return apply("BatchNormalization", {x, constant({channels}, 0.5f, 1.5f), constant({channels}, -0.5f, 0.5f),
                                        constant({channels}, -0.5f, 0.5f), constant({channels}, 0.5f, 2)});
  }

  std::string pool(const std::string& op, const std::string& x, int64_t kernel, int64_t stride, int64_t pad) {
    return apply(op, {x}, [&](OnnxNodeBuilder& node) {
      node.set("kernel_shape", std::vector<int64_t>{kernel, kernel})
          .set("strides", std::vector<int64_t>{stride, stride})
          .set("pads", std::vector<int64_t>{pad, pad, pad, pad});
    });
  }

  std::string classify(const std::string& x, int64_t channels, int64_t classes) {
    const std::string flat = apply("Flatten", {apply("GlobalAveragePool", {x})});
    return apply("Gemm", {flat, constant({channels, classes}, -1, 1), constant({classes}, -1, 1)});
  }

  std::string quantize(const std::string& x, float scale, float bits, int is_signed) {
    const std::string name = "grid" + std::to_string(graph().initializer_size());
    reals(name + "s", {}, {scale}).reals(name + "z", {}, {0}).reals(name + "b", {}, {bits});
    return apply("Quant", {x, name + "s", name + "z", name + "b"}, [&](OnnxNodeBuilder& node) {
      node.domain("qonnx.custom_op.general").set("signed", is_signed).set("narrow", 0).set("rounding_mode", "ROUND");
    });
  }

 private:
  std::mt19937 random_{11};
};

struct Variant {
  const char* name;
  std::function<std::string(FloatNetwork&)> build;  // from "x", [2,3,20,24]; the name of the output
  std::set<std::string> operators;                  // of the file that XNNPACK runs
};

void PrintTo(const Variant& variant, std::ostream* stream) { *stream << variant.name; }

/// Residual blocks, batch norm behind the convolutions.
std::string residual_network(FloatNetwork& n) {
  std::string x = n.apply("Relu", {n.normalize(n.conv("x", {3, 16, 7, 2}), 16)});
  x = n.pool("MaxPool", x, 3, 2, 1);
  for (const int64_t channels : {16, 24}) {
    const int64_t in = 16, stride = channels == 16 ? 1 : 2;
    std::string y = n.apply("Relu", {n.normalize(n.conv(x, {in, channels, 3, stride}), channels)});
    y = n.normalize(n.conv(y, {channels, channels, 3}), channels);
    const std::string skip = stride == 1 ? x : n.conv(x, {in, channels, 1, stride});
    x = n.apply("Relu", {n.apply("Add", {y, skip})});
  }
  return n.apply("Softmax", {n.classify(x, 24, 10)});
}

/// Depthwise and grouped convolutions, squeeze and excitation, every activation, batch norm before the convolutions.
std::string mobile_network(FloatNetwork& n) {
  std::string x = n.apply("Clip", {n.conv("x", {3, 8, 3, 2}), n.constant({}, 0, 0), n.constant({}, 6, 6)});
  x = n.apply("LeakyRelu", {n.conv(x, {8, 8, 3, 1, 8})});
  const std::string squeezed = n.conv(n.apply("GlobalAveragePool", {x}), {8, 8, 1});
  x = n.apply("Mul", {x, n.apply("Sigmoid", {squeezed})});
  x = n.conv(n.apply("Relu", {n.normalize(x, 8)}), {8, 12, 3, 1, 2, 2});
  x = n.apply("PRelu", {n.pool("AveragePool", x, 2, 2, 0), n.constant({12, 1, 1}, -0.5f, 0.5f)});
  x = n.apply("Concat", {x, x}, [](OnnxNodeBuilder& node) { node.set("axis", 1); });
  return n.apply("Tanh", {n.classify(x, 24, 7)});
}

class FloatNetworks : public testing::TestWithParam<Variant> {
 protected:
  FloatNetworks() {
    onnx_.input("x", {2, 3, 20, 24});
    const std::string output = GetParam().build(onnx_);
    onnx_.output(output);
    network_ = std::make_unique<Network>(TemporaryFile(onnx_.bytes()).path());
  }
  FloatNetwork onnx_;
  std::unique_ptr<Network> network_;
};

TEST_P(FloatNetworks, AgreeWithTheEvaluatorLayerByLayer) {
  for (const bool xnnpack : {true, false}) {
    const Model model = network_->load({}, xnnpack);
    tools::Comparison comparison(network_->graph, model);
    for (const tools::Sample& sample : stimuli(model, 3)) comparison.run(sample);
    expect_agreement(comparison);
  }
}

TEST_P(FloatNetworks, AgreeWithTheEvaluatorEndToEnd) {
  const Model model = network_->load();
  const tools::Sample sample = tools::random_samples(model, 1, 1)[0];
  compiler::Tensor input{network_->graph[network_->graph.inputs[0]].shape, {sample[0].begin(), sample[0].end()}};
  const std::vector<double> expected = compiler::evaluate(network_->graph, {input})[0].data;
  const auto [lowest, highest] = std::ranges::minmax(expected);
  const std::vector<float> ours = run_all(network_->load({}, false), sample[0]), found = run_all(model, sample[0]);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-5 * (highest - lowest));
    EXPECT_NEAR(ours[i], expected[i], 1e-6 * (highest - lowest));
  }
}

TEST_P(FloatNetworks, DoNotDependOnThreads) {
  const Model model = network_->load();
  const std::vector<float> input = tools::random_samples(model, 1, 2)[0][0];
  const std::vector<float> expected = run_all(model, input);
  for (const size_t threads : {2, 3}) EXPECT_EQ(run_all(model, input, {.threads = threads}), expected) << threads;
}

TEST_P(FloatNetworks, RunTheirLayersInFloat32) {
  std::set<std::string> operators;
  const Model model = network_->load();
  for (const NodeInfo& node : model.nodes()) {
    if (node.kernel == "xnnpack") operators.insert(node.op);
    EXPECT_TRUE(!TIDBIT_WITH_XNNPACK || node.op != "RealConvolution" || !node.kernel.empty()) << node.name;
  }
  EXPECT_EQ(operators, TIDBIT_WITH_XNNPACK ? GetParam().operators : std::set<std::string>());
}

INSTANTIATE_TEST_SUITE_P(
    All, FloatNetworks,
    testing::Values(
        Variant{"residual", residual_network, {"RealConvolution", "Binary", "Map", "AveragePool", "Softmax"}},
        Variant{"mobile", mobile_network, {"RealConvolution", "Binary", "Map", "AveragePool"}}),
    [](const auto& instance) { return instance.param.name; });

/// A float stem before the first quantizer, integers, a float head.
TEST(MixedNetworks, KeepWhatAQuantizerSeesExact) {
  FloatNetwork n;
  n.input("x", {1, 3, 16, 16});
  const std::string stem = n.apply("Relu", {n.conv("x", {3, 8, 3})});
  const std::string codes = n.quantize(stem, 0.25f, 2, 0);
  const std::string weights = n.quantize(n.constant({8, 8, 3, 3}, -1, 1), 0.5f, 2, 1);
  const std::string inner = n.apply("Conv", {codes, weights}, [](OnnxNodeBuilder& node) {
    node.set("pads", std::vector<int64_t>{1, 1, 1, 1}).set("kernel_shape", std::vector<int64_t>{3, 3});
  });
  n.output(n.classify(n.apply("Relu", {n.conv(inner, {8, 12, 1})}), 12, 5));
  Network network(TemporaryFile(n.bytes()).path());
  const Model model = network.load();
  expect_verified(network, stimuli(model, 4));
  std::vector<std::string> real_layers;
  for (const NodeInfo& node : model.nodes()) {
    if (node.op == "RealConvolution") real_layers.push_back(node.kernel);
  }
  const std::string head = TIDBIT_WITH_XNNPACK ? "xnnpack" : "";
  EXPECT_THAT(real_layers, testing::ElementsAre("", head, head));
}

}  // namespace
}  // namespace tidbit::test
