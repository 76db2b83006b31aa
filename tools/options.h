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

/// How a model is loaded: --family bitserial|lut|dot, --no-xnnpack
void add_load_options(CLI::App& command, LoadOptions& options);

}  // namespace tidbit::tools
