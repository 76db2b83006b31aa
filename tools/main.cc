// The `tidbit` command: reads the command line, runs one subcommand, turns what it throws into one line and a code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "tidbit/tidbit.hpp"
#include "tools/command.h"

namespace tidbit::tools {
namespace {

/// One line on stderr, whatever a file's names hold.
int report(std::string message, ExitCode code) {
  std::ranges::replace_if(
      message, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  fmt::print(stderr, "tidbit: {}\n", message);
  return code;
}

/// The subcommand that was named, or the command itself.
std::string called(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? "tidbit" : "tidbit " + named.front()->get_name();
}

int parse(CLI::App& app, int argc, char** argv, Action& action) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return report(fmt::format("{}: see '{} --help'", error.what(), called(app)), kWrongUsage);
  }
  return action();
}

int run(int argc, char** argv) {
  CLI::App app("Compiles networks with 1- to 4-bit weights and activations, and runs them.", "tidbit");
  app.set_version_flag("--version", "tidbit " + std::string(version()));
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tidbit compile model.onnx -o model.tbit\n"
      "  tidbit run model.tbit --input photo.png --top 3\n"
      "'tidbit SUBCOMMAND --help' has more.");
  Action action;
  add_compile(app, action);
  add_run(app, action);
  add_inspect(app, action);
  add_verify(app, action);
  add_bench(app, action);
  add_tune(app, action);
  add_make(app, action);
  add_operators(app, action);
  return parse(app, argc, argv, action);
}

}  // namespace
}  // namespace tidbit::tools

int main(int argc, char** argv) {
  using tidbit::tools::report;
  try {
    return tidbit::tools::run(argc, argv);
  } catch (const std::bad_alloc&) {
    return report("out of memory: use a smaller model or batch", tidbit::tools::kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), tidbit::tools::kFailed);
  }
}
