#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthreadpool.h>

#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Sessions : public testing::Test {
 protected:
  TbitFile file = SmallModel().builder.finish();
  Model model = load(file);
  Random random;
  Values sample = random.reals(48);
};

TEST_F(Sessions, ModelTellsWhatTheFileHolds) {
  EXPECT_EQ(model.name(), "test");
  EXPECT_EQ(model.file_bytes(), file.bytes().size());
  EXPECT_THAT(model.inputs(), ElementsAre(0));
  ASSERT_EQ(model.outputs().size(), 3u);
  EXPECT_EQ(model.tensors()[model.outputs()[0]].name, "classes");
  EXPECT_THAT(model.tensors()[model.outputs()[1]].shape, ElementsAre(1, 4, 8, 8));
  EXPECT_THAT(model.labels(), ElementsAre("cat", "dog"));
  ASSERT_TRUE(model.preprocessing().has_value());
  EXPECT_TRUE(model.preprocessing()->channels_last);
  EXPECT_THAT(model.preprocessing()->mean, ElementsAre(0.5f, 0.5f, 0.5f));

  const TensorInfo& codes = model.tensors()[1];
  EXPECT_FALSE(codes.is_real);
  EXPECT_EQ(codes.bits, 2);
  EXPECT_EQ(codes.scale, 0.5);
  EXPECT_EQ(codes.elements(), 48u);
  const NodeInfo& depthwise = model.nodes()[kDepthwiseNode];
  EXPECT_EQ(depthwise.op, "DepthwiseConvolution");
  EXPECT_EQ(depthwise.weight_bits, 5);
  EXPECT_EQ(depthwise.macs, 4 * 4 * 9 * 3);
  EXPECT_EQ(model.nodes()[kConvNode].packed_bytes + depthwise.packed_bytes, model.packed_bytes());
  EXPECT_EQ(model.nodes()[kRealConvNode].weight_bits, 32);
  EXPECT_EQ(model.nodes()[kRealConvNode].macs, 6);
  EXPECT_FALSE(version().empty());
}

TEST_F(Sessions, RunTheSameEveryWay) {
  Values three = sample;
  for (int i = 0; i < 2; ++i) {
    const Values more = random.reals(48);
    three.insert(three.end(), more.begin(), more.end());
  }
  const std::vector<Values> outputs = run_every_way(model, {three});
  EXPECT_NE(Values(outputs[0].begin(), outputs[0].begin() + 2), Values(outputs[0].begin() + 2, outputs[0].begin() + 4));
}

TEST_F(Sessions, InputsStartAsZeroAndKeepTheirValues) {
  Session session = create(model);
  EXPECT_EQ(Values(session.input(0).begin(), session.input(0).end()), Values(48, 0));
  const std::vector<Values> first = run(session, model, {sample});
  for (int i = 0; i < 3; ++i) session.run();
  EXPECT_EQ(Values(session.input(0).begin(), session.input(0).end()), sample);
  EXPECT_EQ(Values(session.output(0).begin(), session.output(0).end()), first[0]);
}

TEST_F(Sessions, NeverWriteOverAnInput) {
  TbitBuilder builder;
  uint32_t tensor = builder.input({100});
  for (int i = 0; i < 4; ++i) {
    const uint32_t next = builder.real({100});
    builder.node("turn", plain::TransposeT(), {tensor}, {next}).op.AsTranspose()->permutation = {0};
    tensor = next;
  }
  builder.output(tensor);
  const TbitFile chain = builder.finish();
  const Model of_chain = load(chain);
  Session session = create(of_chain);
  const Values in = random.reals(100);
  EXPECT_EQ(run(session, of_chain, {in})[0], in);
  EXPECT_EQ(Values(session.input(0).begin(), session.input(0).end()), in);
  EXPECT_EQ(session.arena_bytes(), 3 * 448u) << "but the tensors between share memory";
}

TEST_F(Sessions, KeepTensorsIfAsked) {
  Session session = create(model, {.batch = 2, .keep_tensors = true});
  session.run();
  for (size_t i = 0; i < model.tensors().size(); ++i) {
    const TensorInfo& tensor = model.tensors()[i];
    EXPECT_EQ(session.tensor(i).size(), 2 * tensor.elements() * (tensor.is_real ? 4 : 1)) << i;
  }
  EXPECT_TRUE(session.tensor(model.tensors().size()).empty());

  Session frugal = create(model, {.batch = 2});
  EXPECT_TRUE(frugal.tensor(0).empty());
  EXPECT_LT(frugal.arena_bytes(), session.arena_bytes());
}

TEST_F(Sessions, MeasureNodesIfAsked) {
  Session session = create(model, {.profile = true});
  session.run();
  ASSERT_EQ(session.node_seconds().size(), model.nodes().size());
  double total = 0;
  for (const double seconds : session.node_seconds()) {
    EXPECT_GE(seconds, 0);
    total += seconds;
  }
  EXPECT_GT(total, 0);
  EXPECT_TRUE(create(model).node_seconds().empty());
}

TEST_F(Sessions, ShareAModelAndOutliveItsHandle) {
  std::optional<Model> handle = model;
  Session a = create(*handle), b = create(*handle, {.threads = 2});
  handle.reset();
  const Values other = random.reals(48);
  const std::vector<Values> of_a = run(a, model, {sample}), of_b = run(b, model, {other});
  EXPECT_NE(of_a[1], of_b[1]);
  EXPECT_EQ(run(b, model, {sample}), of_a);
}

TEST_F(Sessions, UseThePoolOfTheApplication) {
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool_t)> pool(pthreadpool_create(3), pthreadpool_destroy);
  const std::vector<Values> alone = run(model, {sample}, {});
  EXPECT_EQ(run(model, {sample}, {.threads = 0, .thread_pool = pool.get()}), alone);
  EXPECT_EQ(run(model, {sample}, {.thread_pool = pool.get()}), alone) << "the pool outlives the session";
}

TEST_F(Sessions, MoveWithTheirMemory) {
  Session session = create(model);
  std::ranges::copy(sample, session.input(0).begin());
  Session moved = std::move(session);
  moved.run();
  Session other = create(model);
  EXPECT_EQ(run(other, model, {sample})[0], Values(moved.output(0).begin(), moved.output(0).end()));
}

TEST_F(Sessions, IndicesOutOfRangeAreEmpty) {
  Session session = create(model);
  EXPECT_TRUE(session.input(1).empty());
  EXPECT_TRUE(session.output(3).empty());
}

Status status_of(const Model& model, const SessionOptions& options) { return Session::create(model, options).status(); }

TEST_F(Sessions, RefuseOptionsThatCannotBe) {
  EXPECT_EQ(status_of(model, {.batch = 0}).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(status_of(model, {.threads = 0}).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(status_of(model, {.threads = 100000}).code(), StatusCode::InvalidArgument);
  const Status batch = status_of(model, {.batch = size_t{1} << 31});
  EXPECT_EQ(batch.code(), StatusCode::InvalidArgument);
  EXPECT_THAT(batch.message(), HasSubstr("batch"));
  EXPECT_THAT(batch.message(), HasSubstr("'conv'"));
}

TEST_F(Sessions, RefuseABatchBeyondMemory) {
  const TbitFile large = [] {
    TbitBuilder builder;
    const uint32_t in = builder.input({1 << 20}), out = builder.output(builder.real({1 << 20}));
    builder.node("copy", plain::TransposeT(), {in}, {out}).op.AsTranspose()->permutation = {0};
    return builder.finish();
  }();
  const Model of_large = load(large);
  EXPECT_EQ(status_of(of_large, {.batch = size_t{1} << 31}).code(), StatusCode::OutOfMemory);
  EXPECT_EQ(status_of(of_large, {.batch = SIZE_MAX}).code(), StatusCode::OutOfMemory);
}

}  // namespace
}  // namespace tidbit::test
