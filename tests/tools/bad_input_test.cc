// What the command does with what it cannot use: exit code 1 (2 for wrong usage), one line on stderr that names the
// file and what is wrong with it, and nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <functional>

#include "schema/tidbit_generated.h"
#include "tests/tools/tidbit_command.h"
#include "tools/npy.h"

namespace tidbit::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class BadInput : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new Scratch;
    model_ = *models_ / "digits.tbit";
    compiled_ = compile_demo("digits_w2a2", model_);
  }
  static void TearDownTestSuite() { delete models_; }

  void SetUp() override { ASSERT_EQ(compiled_.code, 0) << compiled_.err; }

  static void expect_failure(const Finished& finished, const std::string& what) {
    EXPECT_EQ(finished.code, 1);
    EXPECT_EQ(finished.error_lines(), 1u) << finished.err;
    EXPECT_THAT(finished.err, AllOf(StartsWith("tidbit: "), HasSubstr(what)));
  }

  /// Compiles what `change` makes of a demo network, and expects the error to name `what`.
  void expect_uncompilable(const std::function<void(onnx::GraphProto&)>& change, const std::string& what) {
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(read(demo("digits_w2a2.onnx"))));
    change(*model.mutable_graph());
    write(scratch_ / "changed.onnx", model.SerializeAsString());
    expect_failure(tidbit({"compile", scratch_ / "changed.onnx", "-o", scratch_ / "changed.tbit"}), what);
    EXPECT_EQ(scratch_.files(), 1u);
  }

  static inline Scratch* models_;
  static inline std::string model_;
  static inline Finished compiled_;
  const Scratch scratch_;
};

TEST_F(BadInput, MissingFiles) {
  const std::string none = scratch_ / "none";
  const std::string images = demo("test_images.npy");
  expect_failure(tidbit({"compile", none, "-o", scratch_ / "a.tbit"}), none);
  expect_failure(tidbit({"compile", demo("digits_w2a2.onnx"), "-o", scratch_ / "a.tbit", "--labels", none}), none);
  expect_failure(tidbit({"run", none, "--input", images}), none);
  expect_failure(tidbit({"run", model_, "--input", none}), none);
  expect_failure(tidbit({"run", model_, "--input", none + ".npy"}), none);
  expect_failure(tidbit({"run", model_, "--input", images, "--expect-labels", none}), none);
  expect_failure(tidbit({"inspect", none}), none);
  expect_failure(tidbit({"bench", none}), none);
  expect_failure(tidbit({"tune", none, "-o", scratch_ / "a.tuning"}), none);
  expect_failure(tidbit({"run", model_, "--input", images, "--tuning", none}), none);
  expect_failure(tidbit({"verify", none, model_}), none);
  expect_failure(tidbit({"verify", demo("digits_w2a2.onnx"), none}), none);
  EXPECT_EQ(scratch_.files(), 0u);
}

TEST_F(BadInput, OutputsThatCannotBeWrittenAreFoundBeforeTheWork) {
  const std::string nowhere = scratch_ / "no_folder/a", none = scratch_ / "none";
  expect_failure(tidbit({"compile", none, "-o", nowhere}), nowhere);
  expect_failure(tidbit({"tune", none, "-o", nowhere}), nowhere);
  expect_failure(tidbit({"make", "resnet18", "--weights-bits", "2", "--activation-bits", "2", "-o", nowhere}), nowhere);
  expect_failure(tidbit({"run", model_, "--input", none, "--output", nowhere}), nowhere);
  EXPECT_EQ(scratch_.files(), 0u);
}

TEST_F(BadInput, TuningThatIsNone) {
  write(scratch_ / "a.tuning", "tidbit-tuning 1\nlayer\n");
  expect_failure(tidbit({"inspect", model_, "--tuning", scratch_ / "a.tuning"}), "a.tuning: ");
  expect_failure(tidbit({"inspect", model_, "--tuning", model_}), "line 1");
}

TEST_F(BadInput, TruncatedOnnx) {
  const std::string whole = read(demo("digits_w2a2.onnx"));
  for (const size_t length : {size_t{0}, size_t{1}, size_t{100}, whole.size() / 2, whole.size() - 100}) {
    write(scratch_ / "cut.onnx", whole.substr(0, length));
    expect_failure(tidbit({"compile", scratch_ / "cut.onnx", "-o", scratch_ / "cut.tbit"}), "cut.onnx");
    EXPECT_EQ(scratch_.files(), 1u) << length;
  }
}

TEST_F(BadInput, BitFlippedOnnx) {
  const std::string whole = read(demo("digits_w2a2.onnx"));
  for (size_t i = 0; i < 40; ++i) {
    std::string flipped = whole;
    flipped[i * 7919 % whole.size()] ^= static_cast<char>(1 << i % 8);
    write(scratch_ / "flipped.onnx", flipped);
    const Finished finished = tidbit({"compile", scratch_ / "flipped.onnx", "-o", scratch_ / "flipped.tbit"});
    if (finished.code != 0) expect_failure(finished, "");
    std::filesystem::remove(scratch_ / "flipped.tbit");
    EXPECT_EQ(scratch_.files(), 1u) << i;
  }
}

TEST_F(BadInput, TruncatedTbit) {
  const std::string whole = read(model_);
  for (const size_t length : {size_t{0}, size_t{3}, size_t{64}, whole.size() / 2, whole.size() - 1}) {
    write(scratch_ / "cut.tbit", whole.substr(0, length));
    expect_failure(tidbit({"inspect", scratch_ / "cut.tbit"}), "cut.tbit");
  }
}

TEST_F(BadInput, BitFlippedTbit) {
  const std::string whole = read(model_);
  for (size_t i = 0; i < 40; ++i) {
    std::string flipped = whole;
    flipped[i * 7919 % whole.size()] ^= static_cast<char>(1 << i % 8);
    write(scratch_ / "flipped.tbit", flipped);
    const Finished finished = tidbit({"run", scratch_ / "flipped.tbit", "--input", demo("digit_1_8.png")});
    if (finished.code != 0) expect_failure(finished, "");
  }
}

TEST_F(BadInput, TbitOfANewerVersion) {
  std::string file = read(model_);
  const file::Model* model = file::GetSizePrefixedModel(file.data());
  const auto* version = reinterpret_cast<const flatbuffers::Table*>(model)->GetAddressOf(file::Model::VT_VERSION);
  ASSERT_NE(version, nullptr);
  file[static_cast<size_t>(version - reinterpret_cast<const uint8_t*>(file.data()))] = 77;
  write(scratch_ / "newer.tbit", file);
  expect_failure(tidbit({"inspect", scratch_ / "newer.tbit"}), "newer.tbit");
  EXPECT_THAT(tidbit({"inspect", scratch_ / "newer.tbit"}).err, HasSubstr("77"));
}

TEST_F(BadInput, UnknownOperator) {
  std::string name;
  const auto change = [&](onnx::GraphProto& graph) {
    auto* node = graph.mutable_node(graph.node_size() / 2);
    name = node->output(0);
    node->set_op_type("NoSuchOperator");
  };
  expect_uncompilable(change, "NoSuchOperator");
}

TEST_F(BadInput, DynamicDimension) {
  const auto make_dynamic = [](onnx::GraphProto& graph) {
    graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_param("N");
  };
  expect_uncompilable(make_dynamic, "--shape");
  const Finished sized =
      tidbit({"compile", scratch_ / "changed.onnx", "-o", scratch_ / "sized.tbit", "--shape", "image=1,1,8,8"});
  EXPECT_EQ(sized.code, 0) << sized.err;
}

TEST_F(BadInput, MissingInitializer) {
  expect_uncompilable([](onnx::GraphProto& graph) { graph.mutable_initializer()->DeleteSubrange(0, 1); },
                      "changed.onnx");
}

TEST_F(BadInput, WrongInputShape) {
  const std::string input = scratch_ / "x.npy";
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{64}, {1, 8, 8, 1}, {1, 1, 8, 9}, {0, 1, 8, 8}}) {
    size_t count = 1;
    for (int64_t extent : shape) count *= static_cast<size_t>(extent);
    tools::write_npy(input, shape, std::vector<float>(count));
    expect_failure(tidbit({"run", model_, "--input", input}), "takes [1, 1, 8, 8]");
    expect_failure(tidbit({"run", model_, "--input", input}), "found " + tools::to_string(shape));
  }
}

TEST_F(BadInput, WrongInputType) {
  expect_failure(tidbit({"run", model_, "--input", demo("test_labels.npy")}), "expected float32 ('<f4'), found '<i8'");
}

TEST_F(BadInput, WrongNumberOfLabels) {
  expect_failure(tidbit({"run", model_, "--input", demo("digit_1_8.png"), "--expect-labels", demo("test_labels.npy")}),
                 "expected 1 labels");
}

TEST_F(BadInput, ImageThatIsNone) {
  write(scratch_ / "text.png", "This is no image.");
  expect_failure(tidbit({"run", model_, "--input", scratch_ / "text.png"}), "text.png");
}

TEST_F(BadInput, ImageForAModelWithoutPreprocessing) {
  const std::string plain = scratch_ / "plain.tbit";
  ASSERT_EQ(tidbit({"compile", demo("digits_w2a2.onnx"), "-o", plain}).code, 0);
  expect_failure(tidbit({"run", plain, "--input", demo("digit_1_8.png")}), "--mean and --std");
}

TEST_F(BadInput, PreprocessingOfOtherChannels) {
  expect_failure(
      tidbit({"compile", demo("digits_w2a2.onnx"), "-o", scratch_ / "a.tbit", "--mean", "0,0,0", "--std", "1,1,1"}),
      "mean");
  EXPECT_EQ(scratch_.files(), 0u);
}

TEST_F(BadInput, UnwritableOutput) {
  const std::string nowhere = scratch_ / "no/such/directory";
  const std::string onnx = demo("digits_w2a2.onnx");
  expect_failure(tidbit({"compile", onnx, "-o", nowhere}), nowhere);
  expect_failure(tidbit({"compile", onnx, "-o", scratch_ / ""}), scratch_ / "");
  expect_failure(tidbit({"run", model_, "--input", demo("test_images.npy"), "--output", nowhere}), nowhere);
  expect_failure(tidbit({"compile", onnx, "-o", "/dev/full"}), "/dev/full");
  EXPECT_EQ(scratch_.files(), 0u);
}

TEST_F(BadInput, FailedCompilationKeepsTheOldFile) {
  write(scratch_ / "broken.onnx", "broken");
  write(scratch_ / "old.tbit", "old");
  expect_failure(tidbit({"compile", scratch_ / "broken.onnx", "-o", scratch_ / "old.tbit"}), "broken.onnx");
  EXPECT_EQ(read(scratch_ / "old.tbit"), "old");
}

TEST_F(BadInput, VerifyOfAnotherModel) {
  expect_failure(tidbit({"verify", demo("digits_w4a4.onnx"), model_}), "diverges");
}

TEST_F(BadInput, NetworksThatCannotBeMade) {
  const auto make = [&](const std::vector<std::string>& rest) {
    std::vector<std::string> arguments = {"make", "-o", scratch_ / "made.onnx", "--activation-bits", "2"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return tidbit(arguments);
  };
  expect_failure(make({"cnv", "--weights-bits", "2", "--resolution", "16"}), "cnv: images of 16x16 do not fit");
  expect_failure(make({"cnv", "--weights-bits", "2", "--format", "qdq"}), "cnv: QDQ takes 8 bits");
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"alexnet", "--weights-bits", "2"},
                                                {"cnv", "--weights-bits", "9"},
                                                {"cnv", "--weights-bits", "2", "--resolution", "32x"},
                                                {"cnv", "--weights-bits", "2", "--resolution", "0"}}) {
    const Finished finished = make(wrong);
    EXPECT_EQ(finished.code, 2) << finished.err;
    EXPECT_EQ(finished.error_lines(), 1u) << finished.err;
  }
  EXPECT_EQ(scratch_.files(), 0u);
}

TEST_F(BadInput, WrongUsage) {
  const std::string onnx = demo("digits_w2a2.onnx");
  const std::string output = scratch_ / "a.tbit";
  const std::string images = demo("test_images.npy");
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"compiel"},
      {"compile"},
      {"compile", onnx},
      {"compile", onnx, "-o", output, "--nosuchoption"},
      {"compile", onnx, "-o", output, "--shape", "image"},
      {"compile", onnx, "-o", output, "--shape", "image=1,,8"},
      {"compile", onnx, "-o", output, "--shape", "image=0"},
      {"compile", onnx, "-o", output, "--mean", "0.5"},
      {"compile", onnx, "-o", output, "--mean", "a", "--std", "1"},
      {"compile", onnx, "-o", output, "--mean", "1,2", "--std", "1"},
      {"compile", onnx, "-o", output, "--mean", "1", "--std", "0"},
      {"compile", onnx, "-o", output, "--layout", "nchw"},
      {"compile", onnx, "-o", output, "--quiet", "--report"},
      {"run", model_},
      {"run", model_, "--input", images, "--threads", "0"},
      {"run", model_, "--input", images, "--threads", "two"},
      {"run", model_, "--input", images, "--batch", "-1"},
      {"run", model_, "--input", images, "--family", "nosuch"},
      {"verify", onnx},
      {"bench", model_, "--repeat", "0"},
      {"inspect", model_, "extra"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    const Finished finished = tidbit(arguments);
    EXPECT_EQ(finished.code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(finished.error_lines(), 1u) << finished.err;
    EXPECT_THAT(finished.err, AllOf(StartsWith("tidbit: "), HasSubstr("--help")));
    EXPECT_EQ(finished.out, "");
  }
  EXPECT_EQ(scratch_.files(), 0u);
}

}  // namespace
}  // namespace tidbit::test
