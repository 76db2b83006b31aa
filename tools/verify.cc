// tidbit verify: the runtime against the reference evaluator, layer by layer.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "compiler/import.h"
#include "tidbit/tidbit.hpp"
#include "tools/command.h"
#include "tools/compare.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/inputs.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/stimuli.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

constexpr size_t kDefaultSamples = 8;

struct Options {
  std::string onnx, model;
  LoadArguments load;
  std::vector<std::string> inputs, shapes;
  std::map<std::string, compiler::Shape> input_shapes;
  size_t samples = 0;
  uint64_t seed = 1;
};

std::vector<Sample> samples_from_files(const Model& model, const Options& options) {
  const std::vector<Samples> inputs = read_samples(model, options.inputs);
  size_t count = inputs[0].names.size() / rows(model.tensors()[model.inputs()[0]]);
  if (options.samples > 0) count = std::min(count, options.samples);
  std::vector<Sample> samples(count);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t elements = model.tensors()[model.inputs()[i]].elements();
    for (size_t sample = 0; sample < count; ++sample) {
      const auto values = std::span(inputs[i].values).subspan(sample * elements, elements);
      samples[sample].emplace_back(values.begin(), values.end());
    }
  }
  return samples;
}

std::vector<Sample> make_samples(const Model& model, const Options& options) {
  if (!options.inputs.empty()) return samples_from_files(model, options);
  std::vector<Sample> samples =
      random_samples(model, options.samples > 0 ? options.samples : kDefaultSamples, options.seed);
  for (Sample& extreme : extreme_samples(model)) samples.push_back(std::move(extreme));
  return samples;
}

std::string difference(const LayerComparison& layer) {
  if (layer.largest == 0) return "";
  return layer.bits > 0 ? fmt::format("{:.3g} codes", layer.largest) : fmt::format("{:.2g} of range", layer.largest);
}

size_t print_layers(const Comparison& comparison) {
  Table table({"ONNX value", "node", "operator", "kind", ">elements", ">differing", ">largest", ">ties"});
  size_t ties = 0;
  for (const LayerComparison& layer : comparison.layers()) {
    table.add({layer.value, layer.node, layer.op, layer.bits > 0 ? fmt::format("{} bits", layer.bits) : "real",
               with_separators(layer.elements), with_separators(layer.differing), difference(layer),
               layer.tie_allowed ? with_separators(layer.ties) : ""});
    ties += layer.ties;
  }
  fmt::print("{}", table.text());
  return ties;
}

int verify_command(const Options& options) {
  const Model model = load_model(options.model, options.load);
  const compiler::Graph graph = compiler::import_onnx(options.onnx, {options.input_shapes});
  const std::vector<Sample> samples = make_samples(model, options);

  Comparison comparison(graph, model);
  {
    Progress progress("verifying " + options.model, samples.size());
    for (const Sample& sample : samples) {
      comparison.run(sample);
      progress.advance();
    }
  }
  const size_t ties = print_layers(comparison);
  if (const LayerComparison* first = comparison.first_divergence()) {
    fail(
        "{} diverges from {} first in value '{}', made by node '{}' ({}), where {} of {} elements differ, by up to {}: "
        "compile it again, and report a bug if it still does",
        options.model, options.onnx, first->value, first->node, first->op, first->differing, first->elements,
        difference(*first));
  }
  fmt::print("{} values of {} samples agree, outputs among them; {} codes fell to the other side of a tie\n",
             comparison.layers().size(), samples.size(), ties);
  return kDone;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("verify", "Compare a .tbit file, layer by layer, with its ONNX model in double precision");
  command->add_option("onnx", options->onnx, "The model it was compiled from")->required()->type_name("MODEL.onnx");
  command->add_option("model", options->model, "Compiled model")->required()->type_name("MODEL.tbit");
  command->add_option("-i,--input", options->inputs, "float32 .npy or images; else random and extreme values")
      ->type_name("[NAME=]FILE...");
  command->add_option("--samples", options->samples, "How many: of the input the first N (all), else random ones (8)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_option("--seed", options->seed, "Of the random values")->type_name("N")->capture_default_str();
  add_shape_option(*command, options->shapes);
  add_load_options(*command, options->load);
  command->footer(
      "Examples:\n"
      "  tidbit verify digits.onnx digits.tbit\n"
      "  tidbit verify digits.onnx digits.tbit --input test_images.npy --samples 20");
  command->final_callback([options, &action] {
    options->input_shapes = parse_shapes(options->shapes);
    action = [options] { return verify_command(*options); };
  });
}

}  // namespace tidbit::tools
