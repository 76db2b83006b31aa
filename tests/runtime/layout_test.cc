// The operators that only move elements, each of codes and of reals.
#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

constexpr Grid kGrid{4, 1, -8};

/// A model of one operator that moves elements, of codes or of reals.
class Mover {
 public:
  explicit Mover(bool real) : real_(real) {}

  TbitBuilder builder;

  uint32_t input(const Shape& shape) {
    values_.push_back(random_.code_values(shape, kGrid));
    return real_ ? builder.input(shape) : builder.code_input(shape, kGrid);
  }

  uint32_t output(const Shape& shape) {
    return real_ ? builder.output(builder.real(shape)) : builder.codes(shape, kGrid);
  }

  /// Output element i of a sample must be element source(i) of the same sample of input input(i), or, below 0, `fill`.
  template <class Source>
  void expect(uint32_t out, size_t elements, const Source& source, float fill = 0) {
    if (!real_) builder.code_output(out);
    const std::vector<Values> outputs = run_every_way(builder, values_);
    for (size_t i = 0; i < kSamples * elements; ++i) {
      const auto [input, element] = source(i % elements);
      const size_t size = values_[input].size() / kSamples;
      const float expected = element < 0 ? fill : values_[input][i / elements * size + static_cast<size_t>(element)];
      ASSERT_EQ(outputs[0][i], expected) << i;
    }
  }

 private:
  bool real_;
  Random random_;
  std::vector<Values> values_;
};

using Source = std::pair<size_t, ptrdiff_t>;

class Movers : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, Movers, testing::Bool(), [](const auto& test) { return test.param ? "Reals" : "Codes"; });

TEST_P(Movers, TransposeAxes) {
  struct Case {
    Shape shape;
    std::vector<uint32_t> permutation;
  };
  for (const Case& c :
       {Case{{1, 3, 5, 7}, {0, 2, 3, 1}}, Case{{1, 5, 7, 3}, {0, 3, 1, 2}}, Case{{4, 6}, {1, 0}}, Case{{4, 6}, {0, 1}},
        Case{{2, 3, 4, 5, 2}, {4, 1, 3, 0, 2}}, Case{{1, 1}, {1, 0}}, Case{{9}, {0}}, Case{{}, {}},
        Case{{2, 1, 3, 2}, {2, 3, 1, 0}}, Case{{300, 400}, {1, 0}}, Case{{1, 37, 41, 50}, {0, 3, 1, 2}}}) {
    Mover mover(GetParam());
    Shape out(c.shape.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = c.shape[c.permutation[i]];
    const uint32_t from = mover.input(c.shape), to = mover.output(out);
    plain::TransposeT op;
    op.permutation = c.permutation;
    mover.builder.node("transpose", std::move(op), {from}, {to});
    mover.expect(to, Random::elements(out), [&](size_t i) {
      std::vector<size_t> at(c.shape.size());
      for (size_t axis = out.size(); axis-- > 0; i /= out[axis]) at[c.permutation[axis]] = i % out[axis];
      size_t element = 0;
      for (size_t axis = 0; axis < c.shape.size(); ++axis) element = element * c.shape[axis] + at[axis];
      return Source(0, element);
    });
  }
}

TEST_P(Movers, ReshapeInPlace) {
  Mover mover(GetParam());
  const uint32_t in = mover.input({2, 3, 4}), middle = mover.output({6, 4}), out = mover.output({24});
  mover.builder.node("first", plain::ReshapeT(), {in}, {middle});
  mover.builder.node("second", plain::ReshapeT(), {middle}, {out});
  mover.expect(middle, 24, [](size_t i) { return Source(0, i); });
}

TEST_P(Movers, ConcatAlongAnyAxis) {
  for (const uint32_t axis : {0u, 1u, 2u}) {
    Mover mover(GetParam());
    std::vector<Shape> shapes(3, Shape{2, 3, 4});
    Shape out{2, 3, 4};
    shapes[1][axis] = 1;
    shapes[2][axis] = 5;
    out[axis] += 6;
    const uint32_t a = mover.input(shapes[0]), b = mover.input(shapes[1]), c = mover.input(shapes[2]);
    const uint32_t to = mover.output(out);
    plain::ConcatT op;
    op.axis = axis;
    mover.builder.node("concat", std::move(op), {a, b, c}, {to});
    mover.expect(to, Random::elements(out), [&](size_t i) {
      size_t at[3];
      for (size_t k = 3; k-- > 0; i /= out[k]) at[k] = i % out[k];
      size_t input = 0;
      for (; at[axis] >= shapes[input][axis]; ++input) at[axis] -= shapes[input][axis];
      const Shape& s = shapes[input];
      return Source(input, (at[0] * s[1] + at[1]) * s[2] + at[2]);
    });
  }
}

TEST_P(Movers, ConcatOneTensorTwice) {
  Mover mover(GetParam());
  const uint32_t in = mover.input({2, 3}), out = mover.output({2, 6});
  plain::ConcatT op;
  op.axis = 1;
  mover.builder.node("concat", std::move(op), {in, in}, {out});
  mover.expect(out, 12, [](size_t i) { return Source(0, i / 6 * 3 + i % 3); });
}

TEST_P(Movers, PadEveryAxis) {
  Mover mover(GetParam());
  const Shape shape{2, 3, 1, 4}, before{1, 0, 2, 1}, after{0, 2, 0, 3};
  Shape out(4);
  for (size_t i = 0; i < 4; ++i) out[i] = shape[i] + before[i] + after[i];
  const uint32_t from = mover.input(shape), to = mover.output(out);
  plain::PadT op;
  op.before = before;
  op.after = after;
  op.value = 7;
  mover.builder.node("pad", std::move(op), {from}, {to});
  const auto source = [&](size_t i) {
    size_t element = 0, stride = 1;
    for (size_t axis = 4; axis-- > 0; i /= out[axis]) {
      const size_t at = i % out[axis];
      if (at < before[axis] || at >= before[axis] + shape[axis]) return Source(0, -1);
      element += (at - before[axis]) * stride;
      stride *= shape[axis];
    }
    return Source(0, element);
  };
  mover.expect(to, Random::elements(out), source, 7);
}

TEST_P(Movers, GatherAlongAnyAxis) {
  for (const uint32_t axis : {0u, 1u, 2u}) {
    Mover mover(GetParam());
    const Shape shape{3, 5, 4};
    const std::vector<uint32_t> indices{2, 1, 1, 2, 0};
    Shape out = shape;
    out[axis] = static_cast<uint32_t>(indices.size());
    const uint32_t from = mover.input(shape), to = mover.output(out);
    plain::GatherT op;
    op.axis = axis;
    op.indices = mover.builder.blob(indices);
    mover.builder.node("gather", std::move(op), {from}, {to});
    mover.expect(to, Random::elements(out), [&](size_t i) {
      size_t at[3];
      for (size_t k = 3; k-- > 0; i /= out[k]) at[k] = i % out[k];
      at[axis] = indices[at[axis]];
      return Source(0, (at[0] * shape[1] + at[1]) * shape[2] + at[2]);
    });
  }
}

TEST_P(Movers, ResizeToNearest) {
  constexpr uint32_t kChannels = 1000;
  Mover mover(GetParam());
  const std::vector<uint32_t> rows{0, 0, 2, 1, 2}, columns{3, 0, 1, 1, 2, 3, 3};
  const uint32_t from = mover.input({2, 3, 4, kChannels}), to = mover.output({2, 5, 7, kChannels});
  plain::ResizeT op;
  op.rows = mover.builder.blob(rows);
  op.columns = mover.builder.blob(columns);
  mover.builder.node("resize", std::move(op), {from}, {to});
  mover.expect(to, 2 * 5 * 7 * kChannels, [&](size_t i) {
    const size_t pixel = i / kChannels, x = pixel % 7, y = pixel / 7 % 5, image = pixel / 35;
    return Source(0, ((image * 3 + rows[y]) * 4 + columns[x]) * kChannels + i % kChannels);
  });
}

}  // namespace
}  // namespace tidbit::test
