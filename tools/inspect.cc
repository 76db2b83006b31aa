// tidbit inspect: what a .tbit file holds, and how this machine would run it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/isa.h"
#include "tidbit/tidbit.hpp"
#include "tools/command.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/npy.h"
#include "tools/options.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

struct Options {
  std::string model;
  LoadArguments load;
  bool json = false;
};

struct Totals {
  int64_t macs = 0;
  size_t weight_bytes = 0;

  explicit Totals(const Model& model) {
    for (const NodeInfo& node : model.nodes()) {
      macs += node.macs;
      weight_bytes += node.weight_bytes;
    }
  }
};

std::string_view host_tier() { return kernels::name(kernels::host_isa()); }

std::string weight_bits(const NodeInfo& node) {
  if (node.weight_bits == 0) return "";
  return node.weight_bits == 32 ? "real" : std::to_string(node.weight_bits);
}

std::string activation_bits(const NodeInfo& node) {
  if (node.weight_bits == 0) return "";
  return node.activation_bits == 0 ? "real" : std::to_string(node.activation_bits);
}

/// The kernels that were not chosen, each with its cost relative to the chosen one's.
std::string alternatives(const NodeInfo& node) {
  double chosen = 0;
  for (const auto& [kernel, cost] : node.candidates) {
    if (kernel == node.kernel) chosen = cost;
  }
  std::vector<std::string> others;
  for (const auto& [kernel, cost] : node.candidates) {
    if (kernel != node.kernel) others.push_back(fmt::format("{} {:.2f}x", kernel, chosen > 0 ? cost / chosen : 0));
  }
  return fmt::format("{}", fmt::join(others, ", "));
}

void print_tensors(const Model& model, const char* kind, std::span<const size_t> tensors) {
  for (size_t tensor : tensors) {
    const TensorInfo& info = model.tensors()[tensor];
    fmt::print("{} '{}': float32 {}\n", kind, info.name, to_string(info.shape));
  }
}

void print_text(const Model& model) {
  fmt::print("{}: {} bytes, {} nodes\n", model.name(), with_separators(model.file_bytes()), model.nodes().size());
  print_tensors(model, "input", model.inputs());
  print_tensors(model, "output", model.outputs());
  if (const auto& images = model.preprocessing()) {
    fmt::print("images: {}, {}, mean {}, std {}\n", images->channels_last ? "NHWC" : "NCHW",
               images->mean.size() == 1 ? "gray" : (images->bgr ? "BGR" : "RGB"), fmt::join(images->mean, " "),
               fmt::join(images->deviation, " "));
  }
  if (!model.labels().empty()) fmt::print("labels: {}\n", model.labels().size());

  Table table({"node", "operator", ">W bits", ">A bits", ">MACs", ">weight bytes", ">packed bytes", "kernel",
               "alternatives (relative cost)"});
  const auto number = [](auto count) {
    return count == 0 ? std::string() : with_separators(static_cast<size_t>(count));
  };
  for (const NodeInfo& node : model.nodes()) {
    table.add({node.name, node.op, weight_bits(node), activation_bits(node), number(node.macs),
               number(node.weight_bytes), number(node.packed_bytes), node.kernel, alternatives(node)});
  }
  const Totals totals(model);
  table.add({"total", "", "", "", number(totals.macs), number(totals.weight_bytes), number(model.packed_bytes())});
  fmt::print("{}this machine's tier: {}\n", table.text(), host_tier());
}

nlohmann::json to_json(const TensorInfo& info) {
  nlohmann::json tensor = {{"name", info.name}, {"shape", info.shape}, {"real", info.is_real}};
  if (!info.is_real) {
    tensor.update({{"bits", info.bits}, {"step", info.step}, {"base", info.base}, {"scale", info.scale}});
  }
  return tensor;
}

nlohmann::json to_json(const NodeInfo& node) {
  nlohmann::json candidates = nlohmann::json::array();
  for (const auto& [kernel, cost] : node.candidates) candidates.push_back({{"kernel", kernel}, {"cost", cost}});
  return {{"name", node.name},
          {"op", node.op},
          {"inputs", node.inputs},
          {"outputs", node.outputs},
          {"weight_bits", node.weight_bits},
          {"activation_bits", node.activation_bits},
          {"macs", node.macs},
          {"weight_bytes", node.weight_bytes},
          {"packed_bytes", node.packed_bytes},
          {"kernel", node.kernel},
          {"candidates", candidates}};
}

void print_json(const Model& model) {
  nlohmann::json tensors = nlohmann::json::array(), nodes = nlohmann::json::array();
  for (const TensorInfo& tensor : model.tensors()) tensors.push_back(to_json(tensor));
  for (const NodeInfo& node : model.nodes()) nodes.push_back(to_json(node));
  const Totals totals(model);
  const nlohmann::json all = {{"name", model.name()},
                              {"file_bytes", model.file_bytes()},
                              {"macs", totals.macs},
                              {"weight_bytes", totals.weight_bytes},
                              {"packed_bytes", model.packed_bytes()},
                              {"tier", host_tier()},
                              {"inputs", model.inputs()},
                              {"outputs", model.outputs()},
                              {"labels", model.labels()},
                              {"tensors", tensors},
                              {"nodes", nodes}};
  fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int inspect_command(const Options& options) {
  const Model model = load_model(options.model, options.load);
  options.json ? print_json(model) : print_text(model);
  return kDone;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "List the nodes of a .tbit file and the kernels chosen for them");
  command->add_option("model", options->model, "Compiled model")->required()->type_name("MODEL.tbit");
  add_load_options(*command, options->load);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  tidbit inspect digits.tbit\n"
      "  tidbit inspect digits.tbit --json");
  command->final_callback([options, &action] { action = [options] { return inspect_command(*options); }; });
}

}  // namespace tidbit::tools
