// Options that several subcommands share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "tidbit/tidbit.hpp"

namespace CLI {
class App;
}

namespace tidbit::tools {

/// --shape NAME=1,3,32,32, any number of times.
void add_shape_option(CLI::App& command, std::vector<std::string>& shapes);

/// What --shape was given, by name. Throws CLI::ValidationError: call it while the command line is read.
std::map<std::string, compiler::Shape> parse_shapes(const std::vector<std::string>& arguments);

/// How a model is loaded.
struct LoadArguments {
  LoadOptions options;
  std::string tuning;  // a file
};

/// --family bitserial|lut|dot, --no-xnnpack, --tuning FILE
void add_load_options(CLI::App& command, LoadArguments& arguments);

/// Throws Error.
Model load_model(const std::string& path, const LoadArguments& arguments);

}  // namespace tidbit::tools
