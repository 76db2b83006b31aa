// What the command does when all is well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/onnx_builder.h"
#include "tests/tools/tidbit_command.h"
#include "tools/npy.h"

namespace tidbit::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using tools::Array;
using tools::read_npy;

class Command : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new Scratch;
    model_ = *scratch_ / "digits.tbit";
    compiled_ = compile_demo("digits_w2a2", model_);
  }
  static void TearDownTestSuite() { delete scratch_; }

  void SetUp() override { ASSERT_EQ(compiled_.code, 0) << compiled_.err; }

  static void expect_success(const Finished& finished) {
    EXPECT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
  }

  static inline Scratch* scratch_;
  static inline std::string model_;
  static inline Finished compiled_;
};

TEST_F(Command, CompileReportsSizesAndLayers) {
  expect_success(compiled_);
  EXPECT_THAT(compiled_.out, AllOf(HasSubstr("digits_w2a2.onnx -> "),
                                   ContainsRegex("[0-9] of [0-9] layers with weights run in integers")));
}

TEST_F(Command, OperatorsIsThePageOfTheRepository) {
  const Finished printed = tidbit({"operators"});
  expect_success(printed);
  EXPECT_EQ(printed.out, read(TIDBIT_SOURCE_DIR "/compiler/operators.md"))
      << "tidbit operators > compiler/operators.md";
  EXPECT_THAT(printed.out, AllOf(HasSubstr(" Conv, "), HasSubstr(" Quant, "), HasSubstr("\n- FloatQuant: ")));
}

TEST_F(Command, CompilePrintsATableJsonOrNothing) {
  const std::string output = *scratch_ / "again.tbit";
  const auto compile = [&](const std::string& option) {
    return tidbit({"compile", demo("digits_w2a2.onnx"), "-o", output, option});
  };
  EXPECT_THAT(compile("--report").out, AllOf(HasSubstr("W bits"), HasSubstr("integers")));
  EXPECT_EQ(compile("--quiet").out, "");
  const nlohmann::json report = nlohmann::json::parse(compile("--json").out);
  EXPECT_EQ(report["file_bytes"], read(output).size());
  EXPECT_GT(report["layers"].size(), 4u);
  EXPECT_TRUE(report["layers"][0]["lowered"].get<bool>());
}

TEST_F(Command, CompilesTheSameFileTwice) {
  ASSERT_EQ(compile_demo("digits_w2a2", *scratch_ / "again.tbit").code, 0);
  EXPECT_EQ(read(*scratch_ / "again.tbit"), read(model_));
}

TEST_F(Command, OptionsMayStandBeforeTheModel) {
  const std::string output = *scratch_ / "before.tbit";
  expect_success(tidbit({"compile", "--quiet", "--mean", "0.31", "--std", "0.38", "--shape", "image=1,1,8,8", "-o",
                         output, demo("digits_w2a2.onnx")}));
}

TEST_F(Command, CompileTakesAMeanOfEachChannel) {
  test::OnnxBuilder onnx;
  onnx.input("x", {1, 3, 2, 2}).output("y");
  onnx.node("Relu", {"x"}, "y");
  const test::TemporaryFile file(onnx.bytes());
  const std::string output = *scratch_ / "rgb.tbit";
  expect_success(tidbit({"compile", file.path(), "-o", output, "--mean", "0.1,0.2,0.3", "--std", "1,2,4", "--bgr"}));
  EXPECT_THAT(tidbit({"inspect", output}).out, HasSubstr("images: NCHW, BGR, mean 0.1 0.2 0.3, std 1 2 4"));
  const Finished run = tidbit({"run", output, "--input", demo("digit_1_8.png")});
  expect_success(run);
  EXPECT_THAT(run.out, HasSubstr("1 samples of [1, 3, 2, 2], from "));  // an image is no list of classes
}

TEST_F(Command, RunWritesOneRowASample) {
  const std::string output = *scratch_ / "y.npy";
  const Finished finished = tidbit({"run", model_, "--input", demo("test_images.npy"), "--output", output});
  expect_success(finished);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(read_npy<float>(output).shape, (std::vector<int64_t>{450, 10}));
}

TEST_F(Command, BatchThreadsAndFamiliesChangeNothing) {
  const auto run = [&](std::vector<std::string> options) {
    const std::string output = *scratch_ / "y.npy";
    options.insert(options.begin(), {"run", model_, "--input", demo("test_images.npy"), "--output", output});
    expect_success(tidbit(options));
    return read(output);
  };
  const std::string expected = run({});
  EXPECT_EQ(run({"--batch", "7"}), expected);  // leaves a rest
  EXPECT_EQ(run({"--batch", "1000", "--threads", "3"}), expected);
  EXPECT_EQ(run({"--family", "bitserial"}), expected);
  EXPECT_EQ(run({"--family", "lut"}), expected);
  EXPECT_EQ(run({"--family", "dot"}), expected);
}

TEST_F(Command, RunNamesWhatItSees) {
  const Finished finished =
      tidbit({"run", model_, "--input", demo("digit_1_8.png"), demo("digit_1_8.png"), "--top", "2"});
  expect_success(finished);
  EXPECT_THAT(finished.out, ContainsRegex("digit_1_8.png: 1 \\([0-9.]+ %\\), [0-9] \\([0-9.]+ %\\)\n"));
  EXPECT_EQ(std::ranges::count(finished.out, '\n'), 2);
}

TEST_F(Command, RunTakesLabelsOfItsOwn) {
  write(*scratch_ / "labels", "zero\none\n");
  const Finished finished =
      tidbit({"run", model_, "--input", demo("digit_1_8.png"), "--top", "1", "--labels", *scratch_ / "labels"});
  expect_success(finished);
  EXPECT_THAT(finished.out, HasSubstr(": one ("));
}

TEST_F(Command, RunResizesImages) {
  const Finished finished = tidbit({"run", model_, "--input", demo("digit_1_8.png")});
  expect_success(finished);
}

TEST_F(Command, RunPrintsAccuracy) {
  const Finished finished =
      tidbit({"run", model_, "--input", demo("test_images.npy"), "--expect-labels", demo("test_labels.npy")});
  expect_success(finished);
  EXPECT_THAT(finished.out, ContainsRegex("^accuracy 9[0-9]\\.[0-9]+ % \\(4[0-9]+ of 450\\)\n$"));
}

TEST_F(Command, RunWithoutAnywhereToPutResultsPrintsTheirRange) {
  const Finished finished = tidbit({"run", model_, "--input", demo("test_images.npy")});
  expect_success(finished);
  EXPECT_THAT(finished.out, HasSubstr("450 samples of [1, 10], from "));
}

TEST_F(Command, InspectListsNodesAndKernels) {
  const Finished text = tidbit({"inspect", model_});
  expect_success(text);
  EXPECT_THAT(text.out, AllOf(HasSubstr("Convolution"), HasSubstr("total"), HasSubstr("this machine's tier: ")));

  const nlohmann::json model = nlohmann::json::parse(tidbit({"inspect", model_, "--json"}).out);
  EXPECT_EQ(model["file_bytes"], read(model_).size());
  EXPECT_EQ(model["labels"].size(), 10u);
  const auto chosen = [](const nlohmann::json& node) { return !node["kernel"].get<std::string>().empty(); };
  EXPECT_GT(std::ranges::count_if(model["nodes"], chosen), 3);
}

TEST_F(Command, InspectShowsAForcedFamily) {
  const nlohmann::json model = nlohmann::json::parse(tidbit({"inspect", model_, "--json", "--family", "dot"}).out);
  for (const nlohmann::json& node : model["nodes"]) {
    const std::string kernel = node["kernel"];
    EXPECT_TRUE(kernel.empty() || kernel.starts_with("dot_")) << kernel;
  }
}

TEST_F(Command, BenchMeasuresEachNode) {
  const Finished text = tidbit({"bench", model_, "--repeat", "3", "--per-op"});
  expect_success(text);
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("median "), HasSubstr("of 3 runs"), HasSubstr("first result "), HasSubstr("GOPS")));

  const nlohmann::json json =
      nlohmann::json::parse(tidbit({"bench", model_, "--repeat", "3", "--threads", "2", "--per-op", "--json"}).out);
  EXPECT_EQ(json["repeats"], 3);
  EXPECT_EQ(json["threads"], 2);
  EXPECT_LE(json["min_seconds"], json["median_seconds"]);
  EXPECT_GT(json["first_seconds"], 0);
  EXPECT_GT(json["arena_bytes"], 0);
  EXPECT_GT(json["nodes"].size(), 4u);
}

TEST_F(Command, MakeWritesANetworkThatCompiles) {
  const std::string onnx = *scratch_ / "made.onnx", output = *scratch_ / "made.tbit";
  expect_success(tidbit({"make", "mobilenetv1", "--weights-bits", "3", "--activation-bits", "4", "--resolution",
                         "32x48", "--width", "0.125", "--seed", "2", "-o", onnx}));
  expect_success(tidbit({"compile", onnx, "-o", output}));
  EXPECT_THAT(tidbit({"inspect", output}).out, HasSubstr("[1, 3, 32, 48]"));
  expect_success(tidbit({"make", "cnv", "--weights-bits", "8", "--activation-bits", "8", "--width", "0.125", "--format",
                         "qdq", "-o", onnx}));
  EXPECT_THAT(read(onnx), HasSubstr("DequantizeLinear"));
  expect_success(
      tidbit({"make", "cnv", "--weights-bits", "float", "--activation-bits", "float", "--width", "0.125", "-o", onnx}));
  EXPECT_THAT(read(onnx), Not(HasSubstr("Quant")));
}

TEST_F(Command, VerifyAgrees) {
  const Finished made_up = tidbit({"verify", demo("digits_w2a2.onnx"), model_, "--samples", "2", "--seed", "7"});
  expect_success(made_up);
  EXPECT_THAT(made_up.out, HasSubstr("of 12 samples agree"));

  const Finished given =
      tidbit({"verify", demo("digits_w2a2.onnx"), model_, "--input", demo("test_images.npy"), "--samples", "3"});
  expect_success(given);
  EXPECT_THAT(given.out, HasSubstr("of 3 samples agree"));
}

TEST_F(Command, TuneKeepsKernelsThatChangeSpeedOnly) {
  const std::string tuning = *scratch_ / "digits.tuning", output = *scratch_ / "y.npy";
  const Finished tuned = tidbit({"tune", model_, "-o", tuning});
  expect_success(tuned);
  EXPECT_THAT(tuned.out, HasSubstr("kernel by rule"));
  const auto kernels = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"inspect", model_, "--json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    std::vector<std::string> result;
    const nlohmann::json inspected = nlohmann::json::parse(tidbit(arguments).out);
    for (const auto& node : inspected["nodes"]) {
      if (node["candidates"].size() > 1) result.push_back(node["kernel"].get<std::string>());
    }
    return result;
  };
  const std::vector<std::string> chosen = kernels({"--tuning", tuning});
  ASSERT_FALSE(chosen.empty());
  for (const std::string& kernel : chosen) EXPECT_THAT(read(tuning), HasSubstr(" " + kernel + "\n"));
  expect_success(tidbit({"run", model_, "--input", demo("test_images.npy"), "--output", output}));
  const std::string expected = read(output);
  expect_success(tidbit({"run", model_, "--tuning", tuning, "--input", demo("test_images.npy"), "--output", output}));
  EXPECT_EQ(read(output), expected);
}

TEST_F(Command, EverySubcommandHasHelpWithExamples) {
  for (const char* subcommand : {"compile", "run", "inspect", "verify", "bench", "tune", "make"}) {
    const Finished help = tidbit({subcommand, "--help"});
    expect_success(help);
    EXPECT_THAT(help.out, AllOf(HasSubstr("Examples:"), HasSubstr(std::string("tidbit ") + subcommand)));
  }
  expect_success(tidbit({"--help"}));
  EXPECT_THAT(tidbit({"--version"}).out, ContainsRegex("^tidbit [0-9]+\\.[0-9]+\\.[0-9]+\n$"));
}

}  // namespace
}  // namespace tidbit::test
