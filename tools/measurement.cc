#include "tools/measurement.h"

#include <algorithm>
#include <chrono>

#include "tools/stimuli.h"

namespace tidbit::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWarmUpSeconds = 0.2;
constexpr size_t kLeastWarmUps = 2;

}  // namespace

Latency::Latency(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const size_t half = seconds.size() / 2;
  median = seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
  lowest = seconds.front();
  highest = seconds.back();
}

void fill_inputs(const Model& model, Session& session) {
  const Sample sample = random_samples(model, 1, 1).front();
  for (size_t i = 0; i < sample.size(); ++i) {
    const std::span<float> input = session.input(i);
    for (size_t at = 0; at < input.size(); at += sample[i].size()) {
      std::ranges::copy(sample[i], input.subspan(at).begin());
    }
  }
}

double timed_run(Session& session) {
  const auto start = Clock::now();
  session.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double warm_up(Session& session) {
  double total = 0;
  size_t runs = 0;
  for (; total < kWarmUpSeconds || runs < kLeastWarmUps; ++runs) total += timed_run(session);
  return static_cast<double>(runs) / total;
}

}  // namespace tidbit::tools
