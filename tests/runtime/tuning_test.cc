// A measured choice of kernels: what it does to a layer, and what it must be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::HasSubstr;

class Tuning : public testing::Test {
 protected:
  TbitFile file = SmallModel().builder.finish();
  Model untuned = load(file);

  /// The first node that has a choice of kernels.
  static const NodeInfo& layer(const Model& model) {
    return *std::ranges::find_if(model.nodes(), [](const NodeInfo& node) { return node.candidates.size() > 1; });
  }

  std::string text(const std::string& kernel) const {
    return "tidbit-tuning 1\n# comment\n\n" + layer(untuned).layer + " " + kernel + "\n";
  }

  std::string failure(const std::string& tuning) const {
    const Status status = Model::load(file.bytes(), {.tuning = tuning}).status();
    EXPECT_EQ(status.code(), StatusCode::InvalidArgument) << tuning;
    return status.message();
  }
};

TEST_F(Tuning, ChoosesTheKernelItNames) {
  const Values in = Random().reals(48);
  const std::vector<Values> expected = run(untuned, {in}, {});
  for (const auto& [kernel, cost] : layer(untuned).candidates) {
    const Model tuned = load(file, {.tuning = text(kernel)});
    EXPECT_EQ(layer(tuned).kernel, kernel);
    EXPECT_EQ(run(tuned, {in}, {}), expected) << kernel;
  }
}

TEST_F(Tuning, LinesMayEndAsOnWindows) {
  const std::string kernel = layer(untuned).candidates.back().first;
  EXPECT_EQ(layer(load(file, {.tuning = "tidbit-tuning 1\r\n" + layer(untuned).layer + " " + kernel + "\r\n"})).kernel,
            kernel);
}

TEST_F(Tuning, LeavesWhatItDoesNotKnowToTheRule) {
  const std::string rule = layer(untuned).kernel;
  EXPECT_EQ(layer(load(file, {.tuning = text("lut_of_another_machine")})).kernel, rule);
  EXPECT_EQ(layer(load(file, {.tuning = "tidbit-tuning 1\n1x1x1 " + layer(untuned).candidates.back().first})).kernel,
            rule);
}

TEST_F(Tuning, AFamilyThatIsAskedForComesFirst) {
  const std::string other = layer(untuned).candidates.back().first;
  const std::string family = other.starts_with("dot") ? "bitserial" : "dot";
  EXPECT_TRUE(layer(load(file, {.kernel_family = family, .tuning = text(other)})).kernel.starts_with(family));
}

TEST_F(Tuning, NamesTheLineThatIsWrong) {
  EXPECT_THAT(failure("something else\n"), HasSubstr("line 1"));
  EXPECT_THAT(failure("tidbit-tuning 2\n"), HasSubstr("line 1"));
  EXPECT_THAT(failure("tidbit-tuning 1\nlayer kernel\nlayer\n"), HasSubstr("line 3"));
  EXPECT_THAT(failure("tidbit-tuning 1\n kernel\n"), HasSubstr("line 2"));
  EXPECT_THAT(failure("tidbit-tuning 1\nlayer \n"), HasSubstr("line 2"));
  EXPECT_THAT(failure("tidbit-tuning 1\nlayer kernel more\n"), HasSubstr("line 2"));
}

}  // namespace
}  // namespace tidbit::test
