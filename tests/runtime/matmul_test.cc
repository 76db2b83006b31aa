#include <cmath>

#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

struct MatMulCase {
  Shape a, b, out;
  size_t rows, depth, columns;
  std::vector<std::pair<size_t, size_t>> matrices;  // of a and of b, for each of the output
};

TEST(MatMul, MultipliesLikeNumpy) {
  const std::vector<MatMulCase> cases = {
      {{3, 4}, {4, 70}, {3, 70}, 3, 4, 70, {{0, 0}}},
      {{60, 50}, {50, 70}, {60, 70}, 60, 50, 70, {{0, 0}}},
      {{4}, {4, 5}, {5}, 1, 4, 5, {{0, 0}}},
      {{3, 4}, {4}, {3}, 3, 4, 1, {{0, 0}}},
      {{4}, {4}, {}, 1, 4, 1, {{0, 0}}},
      {{2, 3, 4}, {4, 5}, {2, 3, 5}, 3, 4, 5, {{0, 0}, {1, 0}}},
      {{2, 1, 3, 4}, {1, 2, 4, 5}, {2, 2, 3, 5}, 3, 4, 5, {{0, 0}, {0, 1}, {1, 0}, {1, 1}}},
      {{2, 3, 4}, {2, 4, 5}, {2, 3, 5}, 3, 4, 5, {{0, 0}, {1, 1}}},
  };
  Random random;
  for (const MatMulCase& c : cases) {
    TbitBuilder builder;
    const uint32_t a = builder.input(c.a), b = builder.input(c.b), out = builder.output(builder.real(c.out));
    builder.node("matmul", plain::MatMulT(), {a, b}, {out});
    const Values x = random.real_values(c.a), y = random.real_values(c.b);
    const std::vector<Values> outputs = run_every_way(builder, {x, y});
    const size_t elements = Random::elements(c.out);
    for (size_t i = 0; i < kSamples * elements; ++i) {
      const size_t sample = i / elements, column = i % c.columns, row = i % elements / c.columns % c.rows;
      const auto [a_matrix, b_matrix] = c.matrices[i % elements / c.columns / c.rows];
      const float* const u = x.data() + sample * Random::elements(c.a) + (a_matrix * c.rows + row) * c.depth;
      const float* const v = y.data() + sample * Random::elements(c.b) + b_matrix * c.depth * c.columns + column;
      double sum = 0;
      for (size_t k = 0; k < c.depth; ++k) sum += static_cast<double>(u[k]) * static_cast<double>(v[k * c.columns]);
      ASSERT_EQ(outputs[0][i], static_cast<float>(sum)) << i;
    }
  }
}

TEST(Softmax, NormalizesAlongAnyAxis) {
  const Shape shape{20, 30, 15};
  for (const uint32_t axis : {0u, 1u, 2u}) {
    Random random;
    TbitBuilder builder;
    const uint32_t in = builder.input(shape), out = builder.output(builder.real(shape));
    plain::SoftmaxT op;
    op.axis = axis;
    builder.node("softmax", std::move(op), {in}, {out});
    const Values x = random.reals(kSamples * Random::elements(shape), -90, 90);
    const std::vector<Values> outputs = run_every_way(builder, {x});
    const size_t inner = axis == 0 ? 450 : axis == 1 ? 15 : 1;
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t first = i - i / inner % shape[axis] * inner;
      double total = 0;
      for (size_t k = 0; k < shape[axis]; ++k) {
        total += std::exp(static_cast<double>(x[first + k * inner]) - static_cast<double>(x[i]));
      }
      ASSERT_NEAR(outputs[0][i], 1 / total, 1e-7);
    }
  }
}

}  // namespace
}  // namespace tidbit::test
