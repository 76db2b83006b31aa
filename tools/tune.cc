// tidbit tune: measures the kernels that each layer could run on, on this device, and keeps the fastest.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <numeric>

#include "kernels/isa.h"
#include "tidbit/tidbit.hpp"
#include "tools/command.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/measurement.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

/// Kernels that the cost rule holds for so many times slower than its choice are not measured.
constexpr double kHopeless = 3;
/// A kernel must be so many times faster than the rule's choice to replace it: less is noise.
constexpr double kLeastGain = 1.03;
/// Each kernel is measured so often, with all others between, since machines change their speed.
constexpr size_t kPasses = 3;
constexpr double kMeasuredSeconds = 0.2;  // of the whole model, each time
constexpr size_t kLeastRepeats = 5, kMostRepeats = 1000;

struct Options {
  std::string model, output;
  size_t threads = 1, batch = 1;
};

/// Nodes that are the same to a kernel.
struct Layer {
  std::string key;
  std::vector<size_t> nodes;
  std::vector<std::string> kernels;  // the rule's choice first
  std::vector<double> seconds;       // of all its nodes, with each kernel

  size_t best() const {
    const auto fastest = static_cast<size_t>(std::ranges::min_element(seconds) - seconds.begin());
    return seconds[fastest] * kLeastGain < seconds[0] ? fastest : 0;
  }
};

std::vector<Layer> layers_of(const Model& model) {
  std::vector<Layer> layers;
  for (size_t i = 0; i < model.nodes().size(); ++i) {
    const NodeInfo& node = model.nodes()[i];
    if (node.candidates.empty()) continue;
    const auto same = std::ranges::find(layers, node.layer, &Layer::key);
    if (same != layers.end()) {
      same->nodes.push_back(i);
      continue;
    }
    Layer layer{.key = node.layer, .nodes = {i}, .kernels = {}, .seconds = {}};
    for (const auto& [kernel, cost] : node.candidates) {
      if (cost <= kHopeless * node.candidates[0].second) layer.kernels.push_back(kernel);
    }
    layer.seconds.assign(layer.kernels.size(), std::numeric_limits<double>::infinity());
    layers.push_back(std::move(layer));
  }
  return layers;
}

/// The text that makes each layer run kernel number which(layer).
template <class Which>
std::string tuning_text(const std::vector<Layer>& layers, const Which& which) {
  std::string text = "tidbit-tuning 1\n";
  for (const Layer& layer : layers) text += fmt::format("{} {}\n", layer.key, layer.kernels[which(layer)]);
  return text;
}

/// Median seconds of each node.
std::vector<double> node_seconds(const Options& options, const std::string& tuning) {
  const Model model = require(Model::load(options.model, {.tuning = tuning}));
  Session session =
      require(Session::create(model, {.batch = options.batch, .threads = options.threads, .profile = true}));
  fill_inputs(model, session);
  const auto fitting = static_cast<size_t>(kMeasuredSeconds * warm_up(session));
  std::vector<std::vector<double>> seconds(model.nodes().size());
  for (size_t run = 0; run < std::clamp(fitting, kLeastRepeats, kMostRepeats); ++run) {
    session.run();
    for (size_t node = 0; node < seconds.size(); ++node) seconds[node].push_back(session.node_seconds()[node]);
  }
  std::vector<double> medians;
  for (std::vector<double>& node : seconds) medians.push_back(Latency(std::move(node)).median);
  return medians;
}

/// Runs the model with the layers' kernels number `round`, those that have so many.
void measure_round(const Options& options, std::vector<Layer>& layers, size_t round) {
  const auto which = [&](const Layer& layer) { return std::min(round, layer.kernels.size() - 1); };
  const std::vector<double> seconds = node_seconds(options, tuning_text(layers, which));
  for (Layer& layer : layers) {
    if (round >= layer.kernels.size()) continue;
    double total = 0;
    for (const size_t node : layer.nodes) total += seconds[node];
    layer.seconds[round] = std::min(layer.seconds[round], total);
  }
}

void measure(const Options& options, std::vector<Layer>& layers) {
  size_t rounds = 0;
  for (const Layer& layer : layers) rounds = std::max(rounds, layer.kernels.size());
  Progress progress("tuning " + options.model, kPasses * rounds);
  for (size_t i = 0; i < kPasses * rounds; ++i) {
    measure_round(options, layers, i % rounds);
    progress.advance();
  }
}

void print_choices(const Model& model, const Options& options, const std::vector<Layer>& layers) {
  Table table({"layer", ">nodes", "kernel by rule", ">us", "kernel kept", ">us", ">times faster"});
  double before = 0, after = 0;
  for (const Layer& layer : layers) {
    const size_t best = layer.best();
    table.add({model.nodes()[layer.nodes[0]].name, std::to_string(layer.nodes.size()), layer.kernels[0],
               fmt::format("{:.1f}", 1e6 * layer.seconds[0]), best == 0 ? "the same" : layer.kernels[best],
               fmt::format("{:.1f}", 1e6 * layer.seconds[best]),
               fmt::format("{:.2f}", layer.seconds[0] / layer.seconds[best])});
    before += layer.seconds[0];
    after += layer.seconds[best];
  }
  fmt::print("{}{} of {} kinds of layers run faster than by rule; together {:.2f} times\n", table.text(),
             std::ranges::count_if(layers, [](const Layer& layer) { return layer.best() != 0; }), layers.size(),
             before / after);
  fmt::print("{}: read by 'tidbit run {} --tuning {}' and LoadOptions::tuning\n", options.output, options.model,
             options.output);
}

int tune_command(const Options& options) {
  require_writable(options.output);
  const Model model = require(Model::load(options.model));
  std::vector<Layer> layers = layers_of(model);
  if (layers.empty()) fail("{}: has no layer with a choice of kernels: run it as it is", options.model);
  measure(options, layers);
  std::string text = tuning_text(layers, [](const Layer& layer) { return layer.best(); });
  text += fmt::format("# {}: {}, {} thread{}, batch {}\n", model.name(), kernels::name(kernels::host_isa()),
                      options.threads, options.threads == 1 ? "" : "s", options.batch);
  write_file(options.output, {std::as_bytes(std::span(text))});
  print_choices(model, options, layers);
  return kDone;
}

}  // namespace

void add_tune(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tune", "Measure kernels on this device, and keep the fastest for each layer");
  command->add_option("model", options->model, "Compiled model")->required()->type_name("MODEL.tbit");
  command->add_option("-o,--output", options->output, "Where to write the choice")
      ->required()
      ->type_name("MODEL.tuning");
  command->add_option("--threads", options->threads, "Threads to use")->check(CLI::Range(1, 1024))->type_name("N");
  command->add_option("--batch", options->batch, "Samples to run at once")->check(CLI::PositiveNumber)->type_name("N");
  command->footer(
      "The choice changes speed only, never results. A file serves other models too, where they have the same layers.\n"
      "Examples:\n"
      "  tidbit tune digits.tbit -o digits.tuning\n"
      "  tidbit run digits.tbit --tuning digits.tuning --input digit_1.png");
  command->final_callback([options, &action] { action = [options] { return tune_command(*options); }; });
}

}  // namespace tidbit::tools
