#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::HasSubstr;

/// A file that is gone after the test.
class Loading : public testing::Test {
 protected:
  std::string path = testing::TempDir() + "tidbit_loading_" + std::to_string(::getpid()) + ".tbit";
  TbitFile file = SmallModel().builder.finish();

  ~Loading() override { std::filesystem::remove(path); }

  void write(std::span<const std::byte> bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  /// Loads from the path; one line, which names it.
  Status failure() {
    const Result<Model> model = Model::load(path);
    EXPECT_FALSE(model);
    EXPECT_THAT(model.status().message(), HasSubstr(path));
    EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
    return model.status();
  }
};

TEST_F(Loading, MapsAFile) {
  write(file.bytes());
  const Result<Model> mapped = Model::load(path);
  ASSERT_TRUE(mapped) << mapped.status().message();
  const Values in = Random().reals(48);
  EXPECT_EQ(run(*mapped, {in}, {}), run(load(file), {in}, {}));
}

TEST_F(Loading, SaysThatAFileIsMissing) {
  const Status status = failure();
  EXPECT_EQ(status.code(), StatusCode::NotFound);
  EXPECT_THAT(status.message(), HasSubstr("No such file or directory"));
}

TEST_F(Loading, SaysThatItIsADirectory) {
  path = testing::TempDir();
  const Result<Model> model = Model::load(path);
  EXPECT_EQ(model.status().code(), StatusCode::InvalidFile);
  EXPECT_THAT(model.status().message(), HasSubstr("not a regular file"));
  path.clear();
}

TEST_F(Loading, SaysThatAFileIsEmpty) {
  write({});
  EXPECT_EQ(failure().code(), StatusCode::InvalidFile);
  EXPECT_THAT(failure().message(), HasSubstr("empty"));
  EXPECT_EQ(Model::load(std::span<const std::byte>()).status().code(), StatusCode::InvalidFile);
}

TEST_F(Loading, SaysThatAFileIsForeign) {
  const std::string text = "This is a text of some length, and no model at all, whatever its name says.";
  write(std::as_bytes(std::span(text)));
  EXPECT_EQ(failure().code(), StatusCode::InvalidFile);
  EXPECT_THAT(failure().message(), HasSubstr("not a .tbit file"));
}

TEST_F(Loading, SaysThatAFileIsNewer) {
  SmallModel small;
  small.builder.model.version = container::kVersion + 1;
  write(small.builder.finish().bytes());
  const Status status = failure();
  EXPECT_EQ(status.code(), StatusCode::NewerVersion);
  EXPECT_THAT(status.message(), HasSubstr("version 2"));
  EXPECT_THAT(status.message(), HasSubstr("compile the model again with this version, or update tidbit"));
}

TEST_F(Loading, RefusesVersion0) {
  SmallModel small;
  small.builder.model.version = 0;
  write(small.builder.finish().bytes());
  EXPECT_EQ(failure().code(), StatusCode::InvalidFile);
}

TEST_F(Loading, RefusesEveryTruncation) {
  for (size_t size = 0; size < file.bytes().size(); ++size) {
    TbitFile cut(size);
    std::ranges::copy(file.bytes().first(size), cut.bytes().begin());
    const Result<Model> model = Model::load(std::span<const std::byte>(cut.bytes()));
    ASSERT_FALSE(model) << size;
    EXPECT_EQ(model.status().code(), StatusCode::InvalidFile);
  }
}

TEST_F(Loading, RefusesATailThatBeginsBeyondTheFile) {
  TbitBuilder builder;
  const uint32_t in = builder.input({1}), out = builder.output(builder.real({1}));
  builder.node("double", plain::BinaryT(), {in, in}, {out});
  TbitFile whole = builder.finish();
  ASSERT_TRUE(Model::load(whole.bytes()));
  TbitFile cut(whole.bytes().size() - 1);
  const auto tail_bytes = static_cast<uint64_t>(-1);  // from where the tail should begin back to the end of the file
  plain::GetMutableSizePrefixedModel(whole.bytes().data())->mutate_tail_size(tail_bytes);
  std::ranges::copy(whole.bytes().first(cut.bytes().size()), cut.bytes().begin());
  EXPECT_EQ(Model::load(cut.bytes()).status().code(), StatusCode::InvalidFile);
}

TEST_F(Loading, RefusesBytesAtTheEnd) {
  TbitFile longer(file.bytes().size() + 1);
  std::ranges::copy(file.bytes(), longer.bytes().begin());
  EXPECT_THAT(Model::load(longer.bytes()).status().message(), HasSubstr("tail"));
}

TEST_F(Loading, RefusesASizeBeyondTheFile) {
  for (const uint32_t size :
       {uint32_t{0x7fffffff}, uint32_t{0xffffffff}, uint32_t{0xfffffffc}, uint32_t{0}, uint32_t{4}}) {
    std::memcpy(file.bytes().data(), &size, sizeof size);
    EXPECT_EQ(Model::load(file.bytes()).status().code(), StatusCode::InvalidFile) << size;
  }
}

TEST_F(Loading, WantsAlignedMemory) {
  TbitFile shifted(file.bytes().size() + 1);
  std::ranges::copy(file.bytes(), shifted.bytes().begin() + 1);
  const Status status = Model::load(shifted.bytes().subspan(1)).status();
  EXPECT_EQ(status.code(), StatusCode::InvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("aligned to 64"));
}

TEST_F(Loading, WantsAFamilyThatExists) {
  const Status status = Model::load(file.bytes(), {.kernel_family = "magic"}).status();
  EXPECT_EQ(status.code(), StatusCode::InvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("'magic'"));
}

TEST_F(Loading, KeepsToTheLimitOfMemory) {
  const size_t wanted = create(load(file)).arena_bytes();
  EXPECT_TRUE(Model::load(file.bytes(), {.max_arena_bytes = wanted}));
  const Status status = Model::load(file.bytes(), {.max_arena_bytes = wanted - 1}).status();
  EXPECT_EQ(status.code(), StatusCode::OutOfMemory);
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(wanted)));
}

TEST_F(Loading, KeepsPackedWeightsToTheLimitOfMemory) {
  TbitBuilder builder;
  const uint32_t in = builder.code_input({1, 64}, {2, 1, 0}), out = builder.output(builder.real({1, 4096}));
  plain::ConvolutionT op;
  op.weights = builder.weights(4096, 1, 64, {2, 1, -2}, std::vector<uint8_t>(4096 * 64));
  op.epilogues.push_back(builder.identity());
  builder.node("large", std::move(op), {in}, {out});
  const TbitFile large = builder.finish();
  const size_t arena = create(load(large)).arena_bytes(), packed = load(large).packed_bytes();
  ASSERT_LT(arena, packed);
  EXPECT_TRUE(Model::load(large.bytes(), {.max_arena_bytes = packed}));
  const Status status = Model::load(large.bytes(), {.max_arena_bytes = packed - 1}).status();
  EXPECT_EQ(status.code(), StatusCode::OutOfMemory);
  EXPECT_THAT(status.message(), HasSubstr("packed weights"));
}

}  // namespace
}  // namespace tidbit::test
