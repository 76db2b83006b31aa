// tidbit bench: how long a model takes on this machine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/isa.h"
#include "tidbit/tidbit.hpp"
#include "tools/command.h"
#include "tools/error.h"
#include "tools/measurement.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMeasuredSeconds = 1;  // where --repeat is not given
constexpr size_t kLeastRepeats = 10, kMostRepeats = 10000;

struct Options {
  std::string model;
  LoadArguments load;
  size_t threads = 1, repeat = 0, batch = 1;
  bool per_op = false, json = false;
};

struct Measurement {
  double first;  // seconds from opening the file to the first result
  size_t arena_bytes;
  size_t repeats;
  Latency run;
  std::vector<double> nodes;  // median seconds of each; empty without --per-op
};

/// How many runs to measure.
size_t repeats_of(const Options& options, double runs_a_second) {
  if (options.repeat > 0) return options.repeat;
  return std::clamp(static_cast<size_t>(runs_a_second * kMeasuredSeconds), kLeastRepeats, kMostRepeats);
}

Session open(const Model& model, const Options& options) {
  return require(
      Session::create(model, {.batch = options.batch, .threads = options.threads, .profile = options.per_op}));
}

/// `start` is when the file was opened.
Measurement measure(const Model& model, Clock::time_point start, const Options& options) {
  Session session = open(model, options);
  session.run();
  const double first = std::chrono::duration<double>(Clock::now() - start).count();
  fill_inputs(model, session);
  const size_t repeats = repeats_of(options, warm_up(session));
  std::vector<double> seconds;
  std::vector<std::vector<double>> node_seconds(options.per_op ? model.nodes().size() : 0);
  Progress progress("measuring " + options.model, repeats);
  for (size_t i = 0; i < repeats; ++i) {
    seconds.push_back(timed_run(session));
    for (size_t node = 0; node < node_seconds.size(); ++node) {
      node_seconds[node].push_back(session.node_seconds()[node]);
    }
    progress.advance();
  }
  Measurement result{first, session.arena_bytes(), repeats, Latency(seconds), {}};
  for (std::vector<double>& node : node_seconds) result.nodes.push_back(Latency(std::move(node)).median);
  return result;
}

/// Billions of operations a second; a MAC is two.
double gops(int64_t macs, double seconds) { return seconds > 0 ? 2e-9 * static_cast<double>(macs) / seconds : 0; }

int64_t batch_macs(const NodeInfo& node, const Options& options) {
  return node.macs * static_cast<int64_t>(options.batch);
}

double mebibytes(size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_text(const Model& model, const Options& options, const Measurement& measured) {
  fmt::print("{}: median {:.3f} ms, min {:.3f}, max {:.3f} of {} runs; batch {}, {} thread{}, {}\n", model.name(),
             1e3 * measured.run.median, 1e3 * measured.run.lowest, 1e3 * measured.run.highest, measured.repeats,
             options.batch, options.threads, options.threads == 1 ? "" : "s", kernels::name(kernels::host_isa()));
  fmt::print("first result {:.1f} ms after opening the file; weights {:.2f} MiB, arena {:.2f} MiB\n",
             1e3 * measured.first, mebibytes(model.packed_bytes()), mebibytes(measured.arena_bytes));
  if (!options.per_op) return;
  double total = 0;
  for (double seconds : measured.nodes) total += seconds;
  Table table({"node", "operator", ">us", ">share", ">GOPS", "kernel"});
  for (size_t i = 0; i < measured.nodes.size(); ++i) {
    const NodeInfo& node = model.nodes()[i];
    const double seconds = measured.nodes[i];
    table.add({node.name, node.op, fmt::format("{:.1f}", 1e6 * seconds),
               fmt::format("{:.1f} %", total > 0 ? 100 * seconds / total : 0),
               node.macs > 0 ? fmt::format("{:.2f}", gops(batch_macs(node, options), seconds)) : "", node.kernel});
  }
  fmt::print("{}", table.text());
}

void print_json(const Model& model, const Options& options, const Measurement& measured) {
  nlohmann::json nodes = nlohmann::json::array();
  for (size_t i = 0; i < measured.nodes.size(); ++i) {
    const NodeInfo& node = model.nodes()[i];
    nodes.push_back({{"name", node.name},
                     {"op", node.op},
                     {"seconds", measured.nodes[i]},
                     {"macs", batch_macs(node, options)},
                     {"gops", gops(batch_macs(node, options), measured.nodes[i])},
                     {"kernel", node.kernel}});
  }
  const nlohmann::json all = {{"name", model.name()},
                              {"file_bytes", model.file_bytes()},
                              {"packed_bytes", model.packed_bytes()},
                              {"arena_bytes", measured.arena_bytes},
                              {"first_seconds", measured.first},
                              {"tier", kernels::name(kernels::host_isa())},
                              {"threads", options.threads},
                              {"batch", options.batch},
                              {"repeats", measured.repeats},
                              {"median_seconds", measured.run.median},
                              {"min_seconds", measured.run.lowest},
                              {"max_seconds", measured.run.highest},
                              {"nodes", nodes}};
  fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int bench_command(const Options& options) {
  const Clock::time_point start = Clock::now();
  const Model model = load_model(options.model, options.load);
  const Measurement measured = measure(model, start, options);
  options.json ? print_json(model, options, measured) : print_text(model, options, measured);
  return kDone;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "Measure the latency of a .tbit file on random input");
  command->add_option("model", options->model, "Compiled model")->required()->type_name("MODEL.tbit");
  command->add_option("--threads", options->threads, "Threads to use")->check(CLI::Range(1, 1024))->type_name("N");
  command->add_option("--batch", options->batch, "Samples to run at once")->check(CLI::PositiveNumber)->type_name("N");
  command->add_option("--repeat", options->repeat, "Runs to measure, after a warm-up; else about a second's")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_flag("--per-op", options->per_op, "Measure each node too");
  command->add_flag("--json", options->json, "Print JSON");
  add_load_options(*command, options->load);
  command->footer(
      "Examples:\n"
      "  tidbit bench digits.tbit --per-op\n"
      "  tidbit bench digits.tbit --threads 2 --repeat 100 --json");
  command->final_callback([options, &action] { action = [options] { return bench_command(*options); }; });
}

}  // namespace tidbit::tools
