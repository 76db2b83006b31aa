#include <cmath>

#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

struct Axis {
  std::vector<uint32_t> first, second;
  std::vector<double> weight;

  std::unique_ptr<plain::InterpolationT> in(TbitBuilder& builder) const {
    auto table = std::make_unique<plain::InterpolationT>();
    table->first = builder.blob(first);
    table->second = builder.blob(second);
    table->weight = builder.blob(weight);
    return table;
  }
};

const Axis kRows{{0, 0, 1, 2}, {0, 1, 2, 2}, {0, 0.25, 0.3, 0}};
const Axis kColumns{{3, 0, 2}, {3, 1, 3}, {0, 0.9, 0.5}};
constexpr size_t kHeight = 3, kWidth = 4, kChannels = 37;

double between(double p, double q, double weight) { return p * (1 - weight) + q * weight; }

/// `real(i)` is element i of the input's sample.
template <class Real>
double expected(size_t i, const Real& real) {
  const size_t c = i % kChannels, x = i / kChannels % 3, y = i / kChannels / 3 % 4, image = i / kChannels / 12;
  const auto at = [&](size_t row, size_t column) {
    return real(((image * kHeight + row) * kWidth + column) * kChannels + c);
  };
  const auto along = [&](size_t row) {
    return between(at(row, kColumns.first[x]), at(row, kColumns.second[x]), kColumns.weight[x]);
  };
  return between(along(kRows.first[y]), along(kRows.second[y]), kRows.weight[y]);
}

constexpr size_t kInput = 2 * kHeight * kWidth * kChannels, kOutput = 2 * 12 * kChannels;

TEST(Interpolate, BetweenReals) {
  TbitBuilder builder;
  const uint32_t from = builder.input({2, kHeight, kWidth, kChannels});
  const uint32_t to = builder.output(builder.real({2, 4, 3, kChannels}));
  plain::InterpolateT op;
  op.rows = kRows.in(builder);
  op.columns = kColumns.in(builder);
  builder.node("interpolate", std::move(op), {from}, {to});
  Random random;
  const Values x = random.reals(kSamples * kInput);
  const std::vector<Values> outputs = run_every_way(builder, {x});
  for (size_t i = 0; i < kSamples * kOutput; ++i) {
    const auto real = [&](size_t k) { return static_cast<double>(x[i / kOutput * kInput + k]); };
    ASSERT_EQ(outputs[0][i], static_cast<float>(expected(i % kOutput, real))) << i;
  }
}

TEST(Interpolate, BetweenCodesToAnEpilogue) {
  constexpr Grid kGrid{4, 1, -8};
  constexpr double kScale = 0.3;
  TbitBuilder builder;
  const uint32_t from = builder.code_input({2, kHeight, kWidth, kChannels}, kGrid);
  builder.model.tensors[from]->scale = kScale;
  const uint32_t to = builder.codes({2, 4, 3, kChannels}, kGrid);
  plain::InterpolateT op;
  op.rows = kRows.in(builder);
  op.columns = kColumns.in(builder);
  op.epilogue = builder.affine<double>({1 / kScale}, {8}, 15);
  builder.node("interpolate", std::move(op), {from}, {to});
  builder.code_output(to);
  Random random;
  const Values codes = random.code_values({2, kHeight, kWidth, kChannels}, kGrid);
  const std::vector<Values> outputs = run_every_way(builder, {codes});
  for (size_t i = 0; i < kSamples * kOutput; ++i) {
    const auto real = [&](size_t k) { return kScale * (static_cast<double>(codes[i / kOutput * kInput + k]) - 8); };
    const double code = std::nearbyint(expected(i % kOutput, real) * (1 / kScale) + 8);
    ASSERT_EQ(outputs[0][i], static_cast<float>(std::min(std::max(code, 0.0), 15.0))) << i;
  }
}

}  // namespace
}  // namespace tidbit::test
