// Times compiled models against each other in one process, interleaved: the same network at several bit widths, say.
//   model_bench [--threads N] [--rounds N] MODEL.tbit...
// A round runs each model a few times; ratios are taken within rounds, where the machine's load is the same for all.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/isa.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::bench {
namespace {

constexpr double kRoundSeconds = 0.05;  // of each model, at least one run
constexpr size_t kRounds = 21;

struct Options {
  size_t threads = 1, rounds = kRounds;
  std::vector<std::string> models;
};

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "model_bench: %s\n", message.c_str());
  std::exit(1);
}

size_t read_count(const char* name, const char* text) {
  const long count = text == nullptr ? 0 : std::strtol(text, nullptr, 10);
  if (count < 1 || count > 100000) fail(std::string(name) + " must be a number of 1 to 100000");
  return static_cast<size_t>(count);
}

Options read_options(char** arguments) {
  Options options;
  for (; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    if (argument == "--threads" || argument == "--rounds") {
      size_t& count = argument == "--threads" ? options.threads : options.rounds;
      count = read_count(arguments[0], arguments[1]);
      ++arguments;
    } else {
      options.models.emplace_back(argument);
    }
  }
  if (options.models.empty()) fail("needs models: model_bench [--threads N] [--rounds N] MODEL.tbit...");
  return options;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

class Contestant {
 public:
  Contestant(const std::string& path, size_t threads)
      : path_(path),
        model_(require(Model::load(path))),
        session_(require(Session::create(model_, {.threads = threads}))) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> pixel(-2, 2);
    for (size_t i = 0; i < model_.inputs().size(); ++i) {
      std::ranges::generate(session_.input(i), [&] { return pixel(random); });
    }
    const double first = std::max(timed_run(), timed_run());  // warms up
    runs_ = static_cast<size_t>(std::clamp(kRoundSeconds / first, 1.0, 1000.0));
  }

  void run_round() {
    std::vector<double> seconds(runs_);
    for (double& run : seconds) run = timed_run();
    rounds_.push_back(median(seconds));
  }

  void print(const Contestant& first) const {
    std::vector<double> ratios;
    for (size_t i = 0; i < rounds_.size(); ++i) ratios.push_back(first.rounds_[i] / rounds_[i]);
    const auto [least, most] = std::ranges::minmax(rounds_);
    std::printf("| %s | %.3f | %.3f | %.3f | %.2f | %.2f | %.2f |\n", name().c_str(), 1e3 * median(rounds_),
                1e3 * least, 1e3 * most, median(ratios), static_cast<double>(model_.file_bytes()) / (1 << 20),
                static_cast<double>(session_.arena_bytes()) / (1 << 20));
  }

 private:
  template <class T>
  static T require(Result<T> result) {
    if (!result) fail(result.status().message());
    return *std::move(result);
  }

  /// Of the file, without folder and suffix.
  std::string name() const {
    const size_t begin = path_.rfind('/') + 1;  // npos + 1 is 0
    return path_.substr(begin, path_.rfind('.') - begin);
  }

  double timed_run() {
    const auto start = std::chrono::steady_clock::now();
    session_.run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::string path_;
  Model model_;
  Session session_;
  size_t runs_ = 1;
  std::vector<double> rounds_;
};

void run(const Options& options) {
  std::vector<Contestant> contestants;
  for (const std::string& path : options.models) contestants.emplace_back(path, options.threads);
  for (size_t round = 0; round < options.rounds; ++round) {
    for (Contestant& contestant : contestants) contestant.run_round();
  }
  std::printf("Medians in ms of %zu rounds, interleaved, at tier %s with %zu thread%s; times as fast as the first.\n\n",
              options.rounds, kernels::name(kernels::host_isa()).data(), options.threads,
              options.threads == 1 ? "" : "s");
  std::printf(
      "| model | median | least | most | times as fast | file MiB | arena MiB |\n|---|--:|--:|--:|--:|--:|--:|\n");
  for (const Contestant& contestant : contestants) contestant.print(contestants.front());
}

}  // namespace
}  // namespace tidbit::bench

int main(int, char** argv) { tidbit::bench::run(tidbit::bench::read_options(argv + 1)); }
