// A network from its ONNX file to what the runtime makes of it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/import.h"
#include "tests/support/models.h"
#include "tidbit/tidbit.hpp"
#include "tools/aligned_bytes.h"
#include "tools/compare.h"
#include "tools/error.h"
#include "tools/npy.h"
#include "tools/stimuli.h"

namespace tidbit::test {

inline std::string demo_networks() { return TIDBIT_SOURCE_DIR "/tools/demo"; }

/// Everything that the tests ask of a network. Compiling throws where it fails, and so fails the test.
struct Network {
  compiler::Graph graph;
  compiler::Compiled compiled;
  tools::AlignedBytes file;

  explicit Network(const std::string& onnx)
      : graph(compiler::import_onnx(onnx)), compiled(compiler::compile(onnx)), file(compiled.file) {}

  Model load(const std::string& family = {}, bool xnnpack = true) {
    return tools::require(Model::load(file.span(), {.kernel_family = family, .xnnpack = xnnpack}));
  }
};

/// The first output for all the samples in `inputs`, one after the other.
inline std::vector<float> run_all(const Model& model, std::span<const float> inputs,
                                  const SessionOptions& options = {}) {
  Session session = tools::require(Session::create(model, options));
  std::vector<float> outputs;
  for (size_t begin = 0; begin < inputs.size(); begin += session.input(0).size()) {
    std::ranges::copy(inputs.subspan(begin, session.input(0).size()), session.input(0).begin());
    session.run();
    const std::span<const float> output = session.output(0);
    outputs.insert(outputs.end(), output.begin(), output.end());
  }
  return outputs;
}

/// The layers that the report says run in integers, of those with weights.
inline size_t integer_layers(const compiler::Compiled& compiled) {
  size_t count = 0;
  for (const compiler::LayerReport& layer : compiled.report) count += layer.lowered && layer.macs > 0;
  return count;
}

inline std::string layers(const compiler::Compiled& compiled) {
  std::string text;
  for (const compiler::LayerReport& layer : compiled.report) {
    text += layer.node + " (" + layer.op + ") W" + std::to_string(layer.weight_bits) + "A" +
            std::to_string(layer.activation_bits) + ": " + layer.outcome + "\n";
  }
  return text;
}

inline void expect_agreement(const tools::Comparison& comparison) {
  EXPECT_FALSE(comparison.layers().empty());
  for (const tools::LayerComparison& layer : comparison.layers()) {
    EXPECT_EQ(layer.differing, 0u) << "of " << layer.elements << " in value '" << layer.value << "' of node '"
                                   << layer.node << "' (" << layer.op << "), by up to " << layer.largest;
  }
}

/// Holds the runtime against the evaluator, layer by layer.
inline void expect_verified(Network& network, const std::vector<tools::Sample>& samples) {
  tools::Comparison comparison(network.graph, network.load());
  for (const tools::Sample& sample : samples) comparison.run(sample);
  expect_agreement(comparison);
}

/// Random and extreme samples.
inline std::vector<tools::Sample> stimuli(const Model& model, size_t random) {
  std::vector<tools::Sample> samples = tools::random_samples(model, random, 1);
  for (tools::Sample& extreme : tools::extreme_samples(model)) samples.push_back(std::move(extreme));
  return samples;
}

/// The first samples of an array that holds many.
inline std::vector<tools::Sample> first_samples(const Model& model, const tools::Array<float>& array, size_t count) {
  std::vector<tools::Sample> samples;
  const size_t elements = model.tensors()[model.inputs()[0]].elements();
  for (size_t i = 0; i < count; ++i) {
    const auto values = std::span(array.data).subspan(i * elements, elements);
    samples.push_back({{values.begin(), values.end()}});
  }
  return samples;
}

}  // namespace tidbit::test
