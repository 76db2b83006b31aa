#include "tools/options.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "tools/error.h"
#include "tools/files.h"

namespace tidbit::tools {
namespace {

CLI::ValidationError wrong_shape(const std::string& argument) {
  return CLI::ValidationError("--shape", "'" + argument + "' is not NAME=EXTENT,EXTENT,...");
}

}  // namespace

void add_shape_option(CLI::App& command, std::vector<std::string>& shapes) {
  command.add_option("--shape", shapes, "Shape of an input with dynamic dimensions; may be repeated")
      ->type_name("NAME=1,3,32,32")
      ->allow_extra_args(false);
}

std::map<std::string, compiler::Shape> parse_shapes(const std::vector<std::string>& arguments) {
  std::map<std::string, compiler::Shape> shapes;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.rfind('=');
    if (equals == std::string::npos || equals == 0) throw wrong_shape(argument);
    compiler::Shape shape;
    const char* const end = argument.data() + argument.size();
    for (const char* at = argument.data() + equals; at != end;) {
      int64_t extent = 0;
      const auto [next, error] = std::from_chars(at + 1, end, extent);
      if (error != std::errc() || extent < 1 || (next != end && *next != ',')) throw wrong_shape(argument);
      shape.push_back(extent);
      at = next;
    }
    shapes[argument.substr(0, equals)] = shape;
  }
  return shapes;
}

void add_load_options(CLI::App& command, LoadArguments& arguments) {
  command.add_option("--family", arguments.options.kernel_family, "Use one family of kernels wherever it can")
      ->check(CLI::IsMember({"bitserial", "lut", "dot"}))
      ->type_name("NAME");
  command.add_flag("!--no-xnnpack", arguments.options.xnnpack,
                   "Run all real layers on Tidbit's own kernels, in float64");
  command.add_option("--tuning", arguments.tuning, "Kernels measured on this device by 'tidbit tune'")
      ->type_name("FILE");
}

Model load_model(const std::string& path, const LoadArguments& arguments) {
  LoadOptions options = arguments.options;
  if (!arguments.tuning.empty()) options.tuning = read_text(arguments.tuning);
  Result<Model> model = Model::load(path, options);
  if (model.status().code() == StatusCode::InvalidArgument && !arguments.tuning.empty()) {
    fail("--tuning {}: {}", arguments.tuning, model.status().message());
  }
  return require(std::move(model));
}

}  // namespace tidbit::tools
