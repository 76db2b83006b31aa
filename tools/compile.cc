// tidbit compile: ONNX in, .tbit and a report out.
#include "compiler/compile.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/aligned_bytes.h"
#include "tools/command.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/image.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

using compiler::Compiled;
using compiler::LayerReport;

struct Options {
  std::string model, output, name, labels, layout = "nchw";
  std::vector<std::string> shapes;
  std::map<std::string, compiler::Shape> input_shapes;
  std::vector<float> mean, deviation;
  bool bgr = false, table = false, quiet = false, json = false;
};

compiler::CompileOptions compile_options(const Options& options) {
  compiler::CompileOptions result;
  result.name = options.name;
  result.import.input_shapes = options.input_shapes;
  if (!options.labels.empty()) result.labels = read_labels(options.labels);
  if (!options.mean.empty()) {
    result.preprocessing = {options.layout == "nhwc", options.bgr, options.mean, options.deviation};
  }
  return result;
}

std::string bits(int count) { return count == 0 ? "real" : std::to_string(count); }

void print_summary(const Options& options, const Compiled& compiled) {
  fmt::print("{} -> {}: {} bytes, of them weights {}, epilogues {}, reals {}\n", options.model, options.output,
             with_separators(compiled.file.size()), with_separators(compiled.weight_bytes),
             with_separators(compiled.epilogue_bytes), with_separators(compiled.real_bytes));
  size_t layers = 0, lowered = 0;
  for (const LayerReport& layer : compiled.report) {
    layers += layer.macs > 0;
    lowered += layer.macs > 0 && layer.lowered;
  }
  fmt::print("{} of {} layers with weights run in integers\n", lowered, layers);
}

void print_table(const Compiled& compiled, bool all) {
  Table table({"layer", "operator", ">W bits", ">A bits", ">MACs", "runs in", "epilogue, or why it is real"});
  for (const LayerReport& layer : compiled.report) {
    if (!all && layer.lowered) continue;
    table.add({layer.node, layer.op, bits(layer.weight_bits), bits(layer.activation_bits),
               with_separators(static_cast<size_t>(layer.macs)), layer.lowered ? "integers" : "float32",
               layer.outcome});
  }
  fmt::print("{}", table.text());
}

void print_json(const Options& options, const Compiled& compiled) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerReport& layer : compiled.report) {
    layers.push_back({{"node", layer.node},
                      {"op", layer.op},
                      {"weight_bits", layer.weight_bits},
                      {"activation_bits", layer.activation_bits},
                      {"macs", layer.macs},
                      {"lowered", layer.lowered},
                      {"outcome", layer.outcome}});
  }
  const nlohmann::json report = {
      {"model", options.model},
      {"output", options.output},
      {"file_bytes", compiled.file.size()},
      {"weight_bytes", compiled.weight_bytes},
      {"epilogue_bytes", compiled.epilogue_bytes},
      {"real_bytes", compiled.real_bytes},
      {"layers", layers},
  };
  fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_report(const Options& options, const Compiled& compiled) {
  if (options.quiet) return;
  if (options.json) return print_json(options, compiled);
  print_summary(options, compiled);
  const bool some_real = std::ranges::any_of(compiled.report, [](const LayerReport& layer) { return !layer.lowered; });
  if (options.table || some_real) print_table(compiled, options.table);
}

/// Loads the file as an application will, so that none is written that would be refused.
void check_loads(const Options& options, const Compiled& compiled) {
  const AlignedBytes bytes(compiled.file);
  const Model model = require(Model::load(bytes.span()));
  if (options.mean.empty()) return;
  const std::string why = why_no_images(model, model.tensors()[model.inputs()[0]]);
  if (!why.empty()) fail("{}: {}", options.model, why);
}

int compile_command(const Options& options) {
  const compiler::CompileOptions settings = compile_options(options);
  require_writable(options.output);
  const Compiled compiled = [&] {
    const Progress progress("compiling " + options.model);
    return compiler::compile(options.model, settings);
  }();
  check_loads(options, compiled);
  write_file(options.output, {compiled.file});
  print_report(options, compiled);
  return kDone;
}

/// What one option cannot see of another.
void check(const Options& options) {
  if (options.mean.size() != options.deviation.size()) {
    throw CLI::ValidationError("--mean", "has another number of channels than --std");
  }
  if (std::ranges::find(options.deviation, 0.0f) != options.deviation.end()) {
    throw CLI::ValidationError("--std", "is 0 for a channel");
  }
}

}  // namespace

void add_compile(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compile", "Lower an ONNX model with fake quantizers to a .tbit file");
  command->add_option("model", options->model, "ONNX file")->required()->type_name("MODEL.onnx");
  command->add_option("-o,--output", options->output, "File to write")->required()->type_name("MODEL.tbit");
  add_shape_option(*command, options->shapes);
  CLI::Option* mean =
      command->add_option("--mean", options->mean, "Of each channel, for images: (pixel/255 - mean) / std")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->type_name("M,M,M");
  CLI::Option* deviation = command->add_option("--std", options->deviation, "Standard deviation of each channel")
                               ->delimiter(',')
                               ->allow_extra_args(false)
                               ->type_name("S,S,S");
  mean->needs(deviation);
  deviation->needs(mean);
  command->add_option("--layout", options->layout, "Order of the input's axes, for images")
      ->check(CLI::IsMember({"nchw", "nhwc"}))
      ->needs(mean)
      ->capture_default_str();
  command->add_flag("--bgr", options->bgr, "The input's channels are blue, green, red")->needs(mean);
  command->add_option("--labels", options->labels, "Names of the classes, one a line; kept in the file")
      ->type_name("FILE");
  command->add_option("--name", options->name, "Name of the model")->type_name("NAME");
  CLI::Option* table = command->add_flag("--report", options->table, "List every layer");
  CLI::Option* quiet = command->add_flag("--quiet", options->quiet, "Print nothing");
  command->add_flag("--json", options->json, "Print the report as JSON")->excludes(quiet)->excludes(table);
  quiet->excludes(table);
  command->footer(
      "Examples:\n"
      "  tidbit compile digits.onnx -o digits.tbit --report\n"
      "  tidbit compile cnn.onnx -o cnn.tbit --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --labels names.txt\n"
      "  tidbit compile dynamic.onnx -o fixed.tbit --shape input=1,3,32,32");
  command->final_callback([options, &action] {
    check(*options);
    options->input_shapes = parse_shapes(options->shapes);
    action = [options] { return compile_command(*options); };
  });
}

}  // namespace tidbit::tools
