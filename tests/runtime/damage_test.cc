// Flips every bit of a file: loading fails with a message, or gives a model that runs. With AddressSanitizer and
// UndefinedBehaviorSanitizer this finds what validation forgets.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

/// Whatever an application may put into an input.
void fill(std::span<float> input) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float odd[] = {0.5f, -1, 1e30f, 0, kInfinity, 3, -1e30f, std::nanf(""), 1, -kInfinity, 1e-40f};
  for (size_t i = 0; i < input.size(); ++i) input[i] = odd[i % std::size(odd)];
}

class Damage : public testing::TestWithParam<int> {};

TEST_P(Damage, OfABitDoesNoHarm) {
  const std::byte flip = std::byte{1} << GetParam();
  const char* const families[] = {"", "bitserial", "lut", "dot"};
  const LoadOptions options{.kernel_family = families[GetParam() % 4], .max_arena_bytes = 1 << 20};
  TbitFile file = SmallModel().builder.finish();
  size_t refused = 0;
  for (std::byte& byte : file.bytes()) {
    byte ^= flip;
    const Result<Model> model = Model::load(file.bytes(), options);
    if (model) {
      Session session = create(*model);
      for (size_t i = 0; i < model->inputs().size(); ++i) fill(session.input(i));
      session.run();
    } else {
      ++refused;
      EXPECT_FALSE(model.status().message().empty());
      EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
    }
    byte ^= flip;
  }
  EXPECT_GT(refused, file.bytes().size() / 4);
  EXPECT_TRUE(Model::load(file.bytes(), options)) << "the file is whole again";
}

INSTANTIATE_TEST_SUITE_P(Bit, Damage, testing::Range(0, 8));

TEST(Damaged, OfAModelsWordsDoesNoHarm) {
  TbitFile file = SmallModel().builder.finish();
  for (size_t offset = 0; offset + 4 <= file.bytes().size(); offset += 4) {
    uint32_t word;
    std::byte* const at = file.bytes().data() + offset;
    std::memcpy(&word, at, sizeof word);
    for (const uint32_t value : {uint32_t{0}, uint32_t{1}, UINT32_MAX, uint32_t{INT32_MAX}, word + 1, word - 1}) {
      std::memcpy(at, &value, sizeof value);
      const Result<Model> model = Model::load(file.bytes(), {.max_arena_bytes = 1 << 20});
      if (!model) continue;
      Session session = create(*model);
      session.run();
    }
    std::memcpy(at, &word, sizeof word);
  }
}

}  // namespace
}  // namespace tidbit::test
