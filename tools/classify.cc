#include "tools/classify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tidbit::tools {

std::vector<double> probabilities(std::span<const float> scores) {
  std::vector<double> values(scores.begin(), scores.end());
  const bool in_range = std::ranges::all_of(values, [](double value) { return value >= 0 && value <= 1; });
  if (in_range && std::abs(std::reduce(values.begin(), values.end()) - 1) < 1e-4) return values;
  const double largest = *std::ranges::max_element(values);
  for (double& value : values) value = std::exp(value - largest);
  const double sum = std::reduce(values.begin(), values.end());
  for (double& value : values) value /= sum;
  return values;
}

std::vector<size_t> best(std::span<const float> scores, size_t count) {
  const auto key = [&](size_t index) {
    return std::isnan(scores[index]) ? -std::numeric_limits<float>::infinity() : scores[index];
  };
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), key);
  order.resize(std::min(count, order.size()));
  return order;
}

}  // namespace tidbit::tools
