#include "tools/make/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "compiler/evaluate.h"
#include "compiler/import/model_file.h"
#include "tools/make/random.h"

namespace tidbit::tools::make {
namespace {

using compiler::Graph;
using compiler::Node;
using compiler::Tensor;

/// Images of waves and noise, of variance 1: neighbouring pixels are alike, as in pictures.
Tensor random_images(const compiler::Shape& shape, uint64_t seed) {
  constexpr int kWaves = 4;
  constexpr double kNoise = 0.5;
  Random random(seed, "images");
  Tensor images{shape, {}};
  const int64_t planes = shape[0] * shape[1], height = shape[2], width = shape[3];
  for (int64_t plane = 0; plane < planes; ++plane) {
    double row_step[kWaves], column_step[kWaves], phase[kWaves];
    for (int wave = 0; wave < kWaves; ++wave) {
      row_step[wave] = 0.5 * random.normal();
      column_step[wave] = 0.5 * random.normal();
      phase[wave] = 2 * std::numbers::pi * random.uniform();
    }
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        double sum = kNoise * random.normal();
        for (int wave = 0; wave < kWaves; ++wave) {
          const double angle = row_step[wave] * static_cast<double>(y) + column_step[wave] * static_cast<double>(x);
          sum += std::sqrt(2 * (1 - kNoise * kNoise) / kWaves) * std::sin(angle + phase[wave]);
        }
        images.data.push_back(sum);
      }
    }
  }
  return images;
}

class Calibrator {
 public:
  Calibrator(Graph& graph, const std::map<std::string, ScaleRule>& scale_rules)
      : graph_(graph), scale_rules_(scale_rules), readers_(graph.values.size()) {
    for (Node& node : graph.nodes) readers_[static_cast<size_t>(node.inputs[0])].push_back(&node);
  }

  /// Sets the parameters of what reads the outputs.
  void observe(const Node& node, std::span<const Tensor> outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      for (Node* reader : readers_[static_cast<size_t>(node.outputs[i])]) {
        if (std::holds_alternative<compiler::op::BatchNormalization>(reader->op)) normalise(*reader, outputs[i]);
        const auto rule = scale_rules_.find(reader->name);
        if (rule != scale_rules_.end()) set_scale(*reader, rule->second, outputs[i]);
      }
    }
  }

  Calibration result() && { return std::move(calibration_); }

 private:
  void normalise(const Node& node, const Tensor& x) {
    const auto channels = static_cast<size_t>(x.shape[1]);
    const size_t plane = x.data.size() / static_cast<size_t>(x.shape[0]) / channels;
    const size_t of_channel = x.data.size() / channels;
    const auto count = static_cast<double>(of_channel);
    std::vector<double> mean(channels), variance(channels);
    for (size_t i = 0; i < x.data.size(); ++i) mean[i / plane % channels] += x.data[i] / count;
    for (size_t i = 0; i < x.data.size(); ++i) {
      const size_t channel = i / plane % channels;
      variance[channel] += (x.data[i] - mean[channel]) * (x.data[i] - mean[channel]) / count;
    }
    // A channel that these images leave constant would be divided by nothing.
    const double usual = std::reduce(variance.begin(), variance.end()) / static_cast<double>(channels);
    for (double& v : variance) v = usual > 0 ? std::max(v, 0.01 * usual) : 1;
    set(node.inputs[3], node.name + ".mean", mean);
    set(node.inputs[4], node.name + ".variance", variance);
  }

  void set(compiler::ValueId constant, const std::string& parameter, const std::vector<double>& values) {
    std::vector<float>& kept = calibration_[parameter];
    kept.assign(values.begin(), values.end());
    graph_[constant].constant->data.assign(kept.begin(), kept.end());
  }

  void set_scale(Node& node, const ScaleRule& rule, const Tensor& x) {
    const auto [found, is_new] = calibration_.try_emplace(rule.parameter);
    if (is_new) {
      const double squares = std::transform_reduce(x.data.begin(), x.data.end(), 0.0, std::plus<>(),
                                                   [](double value) { return value * value; });
      const double root = std::sqrt(squares / static_cast<double>(x.data.size()));
      found->second = {root > 0 ? static_cast<float>(rule.factor * root) : 1};
    }
    std::get<compiler::op::FakeQuant>(node.op).quantizer.scale = Tensor::scalar(found->second[0]);
  }

  Graph& graph_;
  const std::map<std::string, ScaleRule>& scale_rules_;
  std::vector<std::vector<Node*>> readers_;  // by value, of its first input
  Calibration calibration_;
};

}  // namespace

Calibration calibrate(const onnx::ModelProto& network, const std::map<std::string, ScaleRule>& scale_rules,
                      uint64_t seed) {
  Graph graph = compiler::import_model(network);
  Calibrator calibrator(graph, scale_rules);
  evaluate(graph, {random_images(graph[graph.inputs[0]].shape, seed)},
           [&](const Node& node, std::span<Tensor> outputs) { calibrator.observe(node, outputs); });
  return std::move(calibrator).result();
}

}  // namespace tidbit::tools::make
