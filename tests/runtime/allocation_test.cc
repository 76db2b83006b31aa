// What the runtime allocates, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/runtime/reference.h"
#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"
#include "tests/support/allocations.h"

namespace tidbit::test {
namespace {

struct alignas(64) Line {
  char bytes[64];
};

TEST(Allocations, AreCountedWhoeverMakesThem) {
  const size_t before = allocations::count(), live = allocations::live_bytes();
  // Volatile: compilers may leave out a pair of new and delete.
  int* volatile by_new = new int;
  Line* volatile by_aligned_new = new Line;
  void* volatile by_malloc = malloc(1000);
  const size_t after = allocations::count(), live_after = allocations::live_bytes();
  delete by_new;
  delete by_aligned_new;
  free(by_malloc);
  const size_t live_at_last = allocations::live_bytes();
  EXPECT_EQ(after, before + 3);
  EXPECT_GE(live_after, live + 1068);
  EXPECT_EQ(live_at_last, live);
}

/// Real layers of every kind that XNNPACK runs.
TbitFile float_file() {
  TbitBuilder builder;
  Random random;
  const Shape shape{1, 9, 9, 8};
  const uint32_t in = builder.input(shape), grown = builder.real(shape), deep = builder.real(shape);
  const uint32_t total = builder.real(shape), active = builder.real(shape), mean = builder.real({1, 1, 1, 8});
  const auto convolve = [&](const char* name, uint32_t groups, double multiplier, uint32_t from, uint32_t to) {
    plain::RealConvolutionT op;
    op.window = std::make_unique<plain::WindowT>(square_window(3, 1, 1));
    op.groups = groups;
    op.weights = builder.real_weights(8, 9, 8 / groups, random.reals(8 * 9 * 8 / groups));
    op.epilogues.push_back(builder.real_affine({multiplier}, {0.5}));
    builder.node(name, std::move(op), {from}, {to});
  };
  convolve("conv", 1, 1, in, grown);
  convolve("depthwise", 8, 0.5, grown, deep);
  builder.node("add", plain::BinaryT(), {grown, deep}, {total});
  plain::MapT sigmoid;
  sigmoid.steps.push_back(std::make_unique<plain::MapStepT>());
  sigmoid.steps.back()->function = plain::MapFunction::Sigmoid;
  builder.node("sigmoid", std::move(sigmoid), {total}, {active});
  plain::AveragePoolT pool;
  pool.window = std::make_unique<plain::WindowT>(square_window(9));
  builder.node("mean", std::move(pool), {active}, {mean});
  plain::SoftmaxT softmax;
  softmax.axis = 3;
  builder.node("softmax", std::move(softmax), {mean}, {builder.output(builder.real({1, 1, 1, 8}))});
  return builder.finish();
}

class Run : public testing::TestWithParam<std::tuple<size_t, bool>> {};

TEST_P(Run, OfRealLayersAllocatesNothing) {
  const TbitFile file = float_file();
  const auto [threads, profile] = GetParam();
  for (const bool xnnpack : {true, false}) {
    const Model model = load(file, {.xnnpack = xnnpack});
    for (const NodeInfo& node : model.nodes()) EXPECT_EQ(node.kernel, xnnpack && TIDBIT_WITH_XNNPACK ? "xnnpack" : "");
    Session session = create(model, {.batch = 2, .threads = threads, .profile = profile});
    const size_t before = allocations::count();
    for (int i = 0; i < 5; ++i) session.run();
    EXPECT_EQ(allocations::count(), before) << xnnpack;
  }
}

TEST_P(Run, AllocatesNothing) {
  const TbitFile file = SmallModel().builder.finish();
  const auto [threads, profile] = GetParam();
  for (const char* family : {"", "bitserial", "lut", "dot"}) {
    Session session =
        create(load(file, {.kernel_family = family}), {.batch = 2, .threads = threads, .profile = profile});
    const size_t before = allocations::count();
    for (int i = 0; i < 5; ++i) session.run();
    EXPECT_EQ(allocations::count(), before) << family;
  }
}

INSTANTIATE_TEST_SUITE_P(, Run, testing::Combine(testing::Values(1, 2, 3), testing::Bool()), [](const auto& test) {
  return std::to_string(std::get<0>(test.param)) + "_threads" + (std::get<1>(test.param) ? "_profiled" : "");
});

/// A network of 2.4 million weights.
TbitFile heavy_file(int32_t bits) {
  TbitBuilder builder;
  const Grid grid{2, 1, 0};
  const Shape shape{1, 4, 4, 256};
  uint32_t tensor = builder.code_input(shape, grid);
  for (int layer = 0; layer < 4; ++layer) {
    plain::ConvolutionT op;
    op.window = std::make_unique<plain::WindowT>(square_window(3, 1, 1));
    op.weights = builder.weights(256, 9, 256, {bits, 1, -(1 << (bits - 1))}, std::vector<uint8_t>(256 * 9 * 256, 3));
    op.epilogues.push_back(builder.affine<float>({0.01f}, {1}, 3));
    const uint32_t out = builder.codes(shape, grid);
    builder.node("layer", std::move(op), {tensor}, {out});
    tensor = out;
  }
  builder.code_output(tensor);
  return builder.finish();
}

void expect_little_more_than_the_file(int32_t bits) {
  const std::string path = testing::TempDir() + "tidbit_heavy_" + std::to_string(::getpid()) + ".tbit";
  const size_t file_bytes = [&] {
    const TbitFile file = heavy_file(bits);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.bytes().data()), static_cast<std::streamsize>(file.bytes().size()));
    return file.bytes().size();
  }();
  for (const char* family : {"", "bitserial", "lut", "dot"}) {
    const size_t before = allocations::live_bytes();
    allocations::reset_peak();
    const Result<Model> model = Model::load(path, {.kernel_family = family});
    ASSERT_TRUE(model);
    const size_t mapped = file_bytes, allocated = allocations::peak_bytes() - before;
    EXPECT_LT(allocated, model->packed_bytes() + file_bytes / 2) << family << " takes nothing twice";
    EXPECT_LT(mapped + allocated, 3 * file_bytes + file_bytes / 8) << family;  // lut packs two codes a byte
    EXPECT_GE(allocated, model->packed_bytes());
  }
  std::filesystem::remove(path);
}

TEST(Load, TakesLittleMoreThanAFileOf2Bits) { expect_little_more_than_the_file(2); }
TEST(Load, TakesLittleMoreThanAFileOf3Bits) { expect_little_more_than_the_file(3); }
TEST(Load, TakesLittleMoreThanAFileOf4Bits) { expect_little_more_than_the_file(4); }

TEST(Load, TakesNothingOfAnotherMeasureFromADamagedFile) {
  TbitFile file = SmallModel().builder.finish();
  load(file);  // what is made once a process is made here
  constexpr size_t kLimit = 1 << 20;
  const size_t before = allocations::live_bytes();
  for (size_t byte = 0; byte < file.bytes().size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      file.bytes()[byte] ^= std::byte{1} << bit;
      allocations::reset_peak();
      // Packed weights may take the limit, all else follows the file.
      { const Result<Model> model = Model::load(file.bytes(), {.max_arena_bytes = kLimit}); }
      ASSERT_LT(allocations::peak_bytes() - before, kLimit + 32 * file.bytes().size()) << byte << '.' << bit;
      file.bytes()[byte] ^= std::byte{1} << bit;
    }
  }
  EXPECT_EQ(allocations::live_bytes(), before);
}

void expect_every_failure_reported(const TbitFile& file) {
  create(load(file));  // what is made once a process is made here
  const size_t before = allocations::live_bytes();
  size_t failures = 0;
  for (bool done = false; !done; ++failures) {
    allocations::fail_after(static_cast<long>(failures));
    {
      const Result<Model> model = Model::load(file.bytes());
      const Result<Session> session = model ? Session::create(*model) : model.status();
      done = session.ok();
      EXPECT_EQ(session.status().code(), done ? StatusCode::Ok : StatusCode::OutOfMemory) << session.status().message();
    }
    allocations::fail_after(-1);
    ASSERT_LT(failures, 10000u);
  }
  EXPECT_GT(failures, 100u);
  EXPECT_EQ(allocations::live_bytes(), before);
}

TEST(OutOfMemory, IsReportedWhereverItHappens) { expect_every_failure_reported(SmallModel().builder.finish()); }

TEST(OutOfMemory, IsReportedWhereverItHappensToRealLayers) { expect_every_failure_reported(float_file()); }

}  // namespace
}  // namespace tidbit::test
