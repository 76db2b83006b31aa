// tidbit make: networks with random weights, as ONNX, to measure and to test with.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>

#include "tools/command.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/make/make_network.h"
#include "tools/progress.h"

namespace tidbit::tools {
namespace {

struct Options {
  std::string network, output, resolution, format = "qonnx";
  make::NetworkOptions network_options;
};

const char* const kFloat = "float";

/// "1" to "8", or "float", which is 0.
void add_bits_option(CLI::App& command, const char* name, int& bits, const char* help) {
  command
      .add_option_function<std::string>(
          name, [&bits](const std::string& text) { bits = text == kFloat ? 0 : text[0] - '0'; }, help)
      ->check(CLI::IsMember({"1", "2", "3", "4", "5", "6", "7", "8", kFloat}))
      ->required()
      ->type_name("1-8|float");
}

/// "224" or "340x360".
void read_resolution(Options& options) {
  if (options.resolution.empty()) return;
  const size_t by = options.resolution.find('x');
  const std::string height = options.resolution.substr(0, by);
  const std::string width = by == std::string::npos ? height : options.resolution.substr(by + 1);
  const auto read = [&](const std::string& text) {
    const bool digits = !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || text[0] == '0') {
      throw CLI::ValidationError("--resolution", "must be SIZE or HEIGHTxWIDTH, not " + options.resolution);
    }
    return std::stoll(text);
  };
  options.network_options.image_height = read(height);
  options.network_options.image_width = read(width);
}

int make_command(const Options& options) {
  const make::Family& family = *make::family_named(options.network);
  require_writable(options.output);
  std::string bytes;
  {
    const Progress progress("making " + options.network);
    bytes = make::make_network(family, options.network_options).SerializeAsString();
  }
  if (bytes.empty()) fail("{}: the network is larger than the 2 GB that ONNX's format allows", options.network);
  write_file(options.output, {std::as_bytes(std::span(bytes))});
  return kDone;
}

std::string networks() {
  std::string text = "Networks:\n";
  for (const make::Family& family : make::families()) {
    text += fmt::format("  {:<12} {}; {}\n", family.name, family.summary, fmt::join(family.image, "x"));
  }
  return text;
}

}  // namespace

void add_make(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("make", "Write a network with random weights as an ONNX file");
  std::vector<std::string> names;
  for (const make::Family& family : make::families()) names.emplace_back(family.name);
  command->add_option("network", options->network, "Which one")
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("NETWORK");
  make::Precision& precision = options->network_options.builder.precision;
  add_bits_option(*command, "--weights-bits", precision.weight_bits,
                  "Of weights, but for the first and last layer's 8");
  add_bits_option(*command, "--activation-bits", precision.activation_bits, "Of activations");
  command->add_option("-o,--output", options->output, "File to write")->required()->type_name("MODEL.onnx");
  command->add_option("--format", options->format, "How quantizers are written; qdq takes 8 bits alone")
      ->check(CLI::IsMember({"qonnx", "qdq"}))
      ->capture_default_str();
  command->add_option("--resolution", options->resolution, "Of images, instead of what is usual")
      ->type_name("SIZE|HEIGHTxWIDTH");
  command->add_option("--width", options->network_options.builder.width, "Factor on the channels of inner layers")
      ->check(CLI::Range(0.01, 4.0))
      ->type_name("FACTOR")
      ->capture_default_str();
  command->add_option("--seed", options->network_options.builder.seed, "Of the weights")
      ->type_name("N")
      ->capture_default_str();
  command->footer(networks() +
                  "Examples:\n"
                  "  tidbit make resnet18 --weights-bits 2 --activation-bits 2 -o resnet18.onnx\n"
                  "  tidbit make vgg16 --weights-bits 8 --activation-bits 8 --format qdq --resolution 64 -o vgg.onnx");
  command->final_callback([options, &action] {
    read_resolution(*options);
    if (options->format == "qdq") options->network_options.builder.format = make::Format::Qdq;
    action = [options] { return make_command(*options); };
  });
}

}  // namespace tidbit::tools
