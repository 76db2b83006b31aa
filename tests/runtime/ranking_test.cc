// TopK and NonMaxSuppression.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/runtime/run_model.h"

namespace tidbit::test {
namespace {

TEST(TopK, GivesElementsOrIndicesOfAnyAxis) {
  Random random;
  const Shape shape{3, 40, 5};
  for (const uint32_t axis : {0u, 1u, 2u}) {
    for (const bool smallest : {false, true}) {
      const uint32_t best = std::min(shape[axis], 4u);
      Shape out = shape;
      out[axis] = best;
      TbitBuilder builder;
      const uint32_t in = builder.input(shape);
      for (const bool indices : {false, true}) {
        plain::TopKT op;
        op.axis = axis;
        op.smallest = smallest;
        op.indices = indices;
        builder.node(indices ? "indices" : "values", std::move(op), {in}, {builder.output(builder.real(out))});
      }
      Values x(kSamples * Random::elements(shape));
      for (float& value : x) value = static_cast<float>(random.integer(-6, 6));  // many are equal
      const std::vector<Values> outputs = run_every_way(builder, {x});
      const size_t inner = axis == 0 ? 200 : axis == 1 ? 5 : 1, extent = shape[axis];
      for (size_t line = 0; line < x.size() / extent; ++line) {
        const float* const from = x.data() + line / inner * extent * inner + line % inner;
        std::vector<size_t> order(extent);
        std::iota(order.begin(), order.end(), size_t{0});
        std::ranges::stable_sort(order, [&](size_t a, size_t b) {
          return smallest ? from[a * inner] < from[b * inner] : from[a * inner] > from[b * inner];
        });
        for (size_t i = 0; i < best; ++i) {
          const size_t at = (line / inner * best + i) * inner + line % inner;
          ASSERT_EQ(outputs[0][at], from[order[i] * inner]);
          ASSERT_EQ(outputs[1][at], static_cast<float>(order[i]));
        }
      }
    }
  }
}

TEST(TopK, RanksNaNLast) {
  TbitBuilder builder;
  const uint32_t in = builder.input({5}), out = builder.output(builder.real({5}));
  plain::TopKT op;
  op.indices = true;
  builder.node("top", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  EXPECT_EQ(run(load(file), {{std::nanf(""), 1, std::nanf(""), -INFINITY, 2}}, {})[0], (Values{4, 1, 3, 0, 2}));
}

TEST(NonMaxSuppression, SelectsByBatchAndClassAndPads) {
  TbitBuilder builder;
  const uint32_t boxes = builder.input({2, 3, 4}), scores = builder.input({2, 2, 3});
  const uint32_t out = builder.output(builder.real({8, 3}));
  plain::NonMaxSuppressionT op;
  op.most_per_class = 2;
  op.overlap_threshold = 0.5f;
  op.score_threshold = 0;
  builder.node("suppression", std::move(op), {boxes, scores}, {out});
  // Boxes 0 and 1 overlap by 0.9/1.1; the corners of box 1 are in another order in the second batch.
  const Values corners{0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 5, 5, 6, 6, 0, 0, 1, 1, 1, 1.1f, 0, 0.1f, 5, 5, 6, 6};
  const Values likely{0.5f, 0.9f, 0.1f, 0.3f, 0.3f, -1, 0, 0, 0, 1, 2, 3};
  Values all_corners, all_likely;
  for (size_t i = 0; i < kSamples; ++i) {
    all_corners.insert(all_corners.end(), corners.begin(), corners.end());
    all_likely.insert(all_likely.end(), likely.begin(), likely.end());
  }
  const std::vector<Values> outputs = run_every_way(builder, {all_corners, all_likely});
  const Values expected{0, 0, 1, 0, 0, 2, 0, 1, 0, 1, 1, 2, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  for (size_t i = 0; i < outputs[0].size(); ++i) ASSERT_EQ(outputs[0][i], expected[i % expected.size()]) << i;
}

}  // namespace
}  // namespace tidbit::test
