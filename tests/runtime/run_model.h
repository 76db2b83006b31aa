// Runs the models of tests, in every way that must give the same bytes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "schema/grid.h"
#include "tests/support/tbit_builder.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::test {

/// Samples of one tensor, one after the other.
using Values = std::vector<float>;

constexpr size_t kSamples = 3;

inline Model load(const TbitFile& file, const LoadOptions& options = {}) {
  Result<Model> model = Model::load(file.bytes(), options);
  if (!model) throw std::runtime_error(model.status().message());
  return *std::move(model);
}

inline Session create(const Model& model, const SessionOptions& options = {}) {
  Result<Session> session = Session::create(model, options);
  if (!session) throw std::runtime_error(session.status().message());
  return *std::move(session);
}

/// All outputs of one run.
inline std::vector<Values> run(Session& session, const Model& model, const std::vector<Values>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(session.input(i).size(), inputs[i].size());
    std::ranges::copy(inputs[i], session.input(i).begin());
  }
  session.run();
  std::vector<Values> outputs;
  for (size_t i = 0; i < model.outputs().size(); ++i) {
    outputs.emplace_back(session.output(i).begin(), session.output(i).end());
  }
  return outputs;
}

inline std::vector<Values> run(const Model& model, const std::vector<Values>& inputs, const SessionOptions& options) {
  Session session = create(model, options);
  return run(session, model, inputs);
}

/// The outputs of kSamples samples in one batch. They must be the same bytes with 1, 2 and 3 threads, with memory used
/// twice or not, and sample by sample.
inline std::vector<Values> run_every_way(const Model& model, const std::vector<Values>& inputs) {
  const std::vector<Values> outputs = run(model, inputs, {.batch = kSamples});
  EXPECT_EQ(run(model, inputs, {.batch = kSamples, .threads = 2}), outputs);
  EXPECT_EQ(run(model, inputs, {.batch = kSamples, .threads = 3}), outputs);
  EXPECT_EQ(run(model, inputs, {.batch = kSamples, .keep_tensors = true}), outputs);
  Session session = create(model);
  const auto sample = [](const std::vector<Values>& all, size_t i) {
    std::vector<Values> result;
    for (const Values& values : all) {
      const size_t size = values.size() / kSamples;
      result.emplace_back(values.begin() + static_cast<ptrdiff_t>(i * size),
                          values.begin() + static_cast<ptrdiff_t>((i + 1) * size));
    }
    return result;
  };
  for (size_t i = 0; i < kSamples; ++i) EXPECT_EQ(run(session, model, sample(inputs, i)), sample(outputs, i));
  return outputs;
}

/// On our own kernels, which are exact.
inline std::vector<Values> run_every_way(TbitBuilder& builder, const std::vector<Values>& inputs) {
  const TbitFile file = builder.finish();
  return run_every_way(load(file, {.xnnpack = false}), inputs);
}

class Random {
 public:
  std::vector<uint8_t> codes(size_t count, const Grid& grid) {
    std::vector<uint8_t> result(count);
    for (uint8_t& code : result) code = static_cast<uint8_t>(integer(0, grid.levels() - 1));
    return result;
  }

  /// Codes of all samples as the values of a code_input.
  Values code_values(const Shape& shape, const Grid& grid) {
    const std::vector<uint8_t> all = codes(kSamples * elements(shape), grid);
    return {all.begin(), all.end()};
  }

  Values reals(size_t count, float lowest = -2, float highest = 2) {
    Values result(count);
    for (float& value : result) value = std::uniform_real_distribution<float>(lowest, highest)(generator_);
    return result;
  }

  Values real_values(const Shape& shape) { return reals(kSamples * elements(shape)); }

  int32_t integer(int32_t lowest, int32_t highest) {
    return std::uniform_int_distribution<int32_t>(lowest, highest)(generator_);
  }

  static size_t elements(const Shape& shape) {
    size_t count = 1;
    for (const uint32_t extent : shape) count *= extent;
    return count;
  }

 private:
  std::mt19937 generator_{42};
};

}  // namespace tidbit::test
