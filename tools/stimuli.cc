#include "tools/stimuli.h"

#include <array>
#include <cmath>
#include <functional>
#include <random>

namespace tidbit::tools {
namespace {

constexpr std::array kAmplitudes = {1.0f, 4.0f, 0.25f, 16.0f, 255.0f};
constexpr std::array kLimits = {1.0f, 255.0f, 1e6f};
constexpr float kTieGrid = 16;

/// A sample whose elements are value(index).
Sample make_sample(const Model& model, const std::function<float(size_t)>& value) {
  Sample sample;
  for (size_t tensor : model.inputs()) {
    std::vector<float> values(model.tensors()[tensor].elements());
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(i);
    sample.push_back(std::move(values));
  }
  return sample;
}

}  // namespace

std::vector<Sample> random_samples(const Model& model, size_t count, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<Sample> samples;
  for (size_t i = 0; i < count; ++i) {
    const float amplitude = kAmplitudes[i / 2 % kAmplitudes.size()];
    std::uniform_real_distribution<float> distribution(-amplitude, amplitude);
    samples.push_back(make_sample(model, [&](size_t) {
      const float value = distribution(generator);
      return i % 2 == 0 ? value : std::nearbyint(value * kTieGrid) / kTieGrid;
    }));
  }
  return samples;
}

std::vector<Sample> extreme_samples(const Model& model) {
  std::vector<Sample> samples;
  samples.push_back(make_sample(model, [](size_t) { return 0.0f; }));
  for (float limit : kLimits) {
    samples.push_back(make_sample(model, [&](size_t) { return limit; }));
    samples.push_back(make_sample(model, [&](size_t) { return -limit; }));
    samples.push_back(make_sample(model, [&](size_t i) { return i % 2 == 0 ? limit : -limit; }));
  }
  return samples;
}

}  // namespace tidbit::tools
