// The subcommands of `tidbit`. Each is one file that declares its options and does its work.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tidbit::tools {

enum ExitCode : int { kDone = 0, kFailed = 1, kWrongUsage = 2 };

/// What to do once the command line is read; returns the exit code. Throws Error or compiler::CompileError where the
/// work fails.
using Action = std::function<int()>;

// Adds a subcommand to `app`; when it is the one called, `action` is set.
void add_compile(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);
void add_make(CLI::App& app, Action& action);
void add_operators(CLI::App& app, Action& action);

}  // namespace tidbit::tools
