// `tidbit operators`: what the compiler imports, as a page of Markdown (compiler/operators.md is one).
#include "compiler/operators.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/command.h"

namespace tidbit::tools {
namespace {

int operators_command() {
  fmt::print(
      "# Operators\n\n`tidbit operators` prints this page. [The README](../README.md) says what each family may do.\n");
  for (const compiler::OperatorFamily& family : compiler::imported_operators()) {
    std::vector<std::string> domains;
    for (const auto& domain : family.domains)
      domains.push_back(domain.empty() ? "no domain" : fmt::format("`{}`", domain));
    fmt::print("\n**{}**: {}\n", fmt::join(domains, ", "), fmt::join(family.operators, ", "));
  }
  fmt::print("\nRefused by name:\n\n");
  for (const auto& [name, reason] : compiler::refused_operators()) fmt::print("- {}: {}\n", name, reason);
  return kDone;
}

}  // namespace

void add_operators(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("operators", "List the operators that the compiler takes");
  command->footer("Example:\n  tidbit operators > operators.md");
  command->final_callback([&action] { action = operators_command; });
}

}  // namespace tidbit::tools
