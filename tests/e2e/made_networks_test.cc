// The networks of `tidbit make`, narrowed, at a small resolution: every layer in integers, and equal to the evaluator.
// ctest runs these at every tier of the host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/e2e/network.h"
#include "tests/support/onnx_builder.h"
#include "tools/make/make_network.h"

namespace tidbit::test {
namespace {

using tools::make::Precision;

using tools::make::Format;

struct Made {
  const char* network;
  Precision precision;
  Format format = Format::Qonnx;
};

std::string bits(int count) { return count == 0 ? "float" : std::to_string(count); }

std::string to_string(const Made& made) {
  return std::string(made.network) + "_w" + bits(made.precision.weight_bits) + "a" +
         bits(made.precision.activation_bits) + (made.format == Format::Qdq ? "_qdq" : "");
}

/// Of the test, in listings.
void PrintTo(const Made& made, std::ostream* stream) { *stream << to_string(made); }

Network make(const Made& made) {
  const tools::make::Family& family = *tools::make::family_named(made.network);
  const tools::make::NetworkOptions options = {
      .builder = {.precision = made.precision, .format = made.format, .width = 0.25},
      .image_height = family.least,
      .image_width = family.least};
  const TemporaryFile file(tools::make::make_network(family, options).SerializeAsString());
  return Network(file.path());
}

class MadeNetworks : public testing::TestWithParam<Made> {
 protected:
  Network network_ = make(GetParam());
};

TEST_P(MadeNetworks, EveryLayerEqualsTheEvaluator) {
  const bool quantized = GetParam().precision.weight_bits > 0 && GetParam().precision.activation_bits > 0;
  for (const compiler::LayerReport& layer : network_.compiled.report) {
    if (layer.macs > 0) {
      EXPECT_EQ(layer.lowered, quantized) << layer.node << ": " << layer.outcome;
    }
    // Codes of more than two bits: lines with a knee at most.
    if (layer.macs > 0 && GetParam().precision.activation_bits > 2) {
      EXPECT_NE(layer.outcome, "thresholds") << layer.node;
    }
  }
  expect_verified(network_, tools::random_samples(network_.load(), 2, 1));
}

INSTANTIATE_TEST_SUITE_P(All, MadeNetworks,
                         testing::Values(Made{"resnet18", {1, 1}}, Made{"resnet18", {2, 2}}, Made{"resnet18", {3, 5}},
                                         Made{"resnet18", {4, 4}}, Made{"resnet18", {8, 8}}, Made{"resnet18", {0, 0}},
                                         Made{"resnet18", {8, 8}, Format::Qdq}, Made{"resnet50", {2, 2}},
                                         Made{"vgg16", {1, 2}}, Made{"vgg16", {2, 2}}, Made{"mobilenetv1", {4, 4}},
                                         Made{"mobilenetv1", {8, 8}}, Made{"mobilenetv1", {8, 8}, Format::Qdq},
                                         Made{"cnv", {1, 1}}, Made{"cnv", {1, 2}}, Made{"cnv", {2, 2}},
                                         Made{"unet", {4, 6}}, Made{"unet", {8, 8}, Format::Qdq},
                                         Made{"pfjet_ssd", {2, 8}}, Made{"pfjet_ssd", {8, 8}}, Made{"yolo", {2, 4}}),
                         [](const auto& instance) { return to_string(instance.param); });

/// How many of a tensor's codes are used, of those it can hold.
TEST(MadeNetwork, SpreadsActivationsOverTheirCodes) {
  Network network = make({"resnet18", {2, 2}});
  const Model model = network.load();
  Session session = tools::require(Session::create(model, {.keep_tensors = true}));
  std::ranges::copy(tools::random_samples(model, 1, 1)[0][0], session.input(0).begin());
  session.run();
  size_t tensors = 0;
  for (size_t i = 0; i < model.tensors().size(); ++i) {
    if (model.tensors()[i].is_real || model.tensors()[i].bits != 2) continue;
    const std::span<const std::byte> codes = session.tensor(i);
    EXPECT_EQ(std::set(codes.begin(), codes.end()).size(), 4u) << model.tensors()[i].name;
    ++tensors;
  }
  EXPECT_GE(tensors, 16u);
}

TEST(MadeNetwork, FollowsFromItsOptions) {
  const tools::make::Family& family = *tools::make::family_named("cnv");
  const auto bytes = [&](uint64_t seed) {
    return tools::make::make_network(family, {.builder = {.width = 0.25, .seed = seed}}).SerializeAsString();
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
}

TEST(MadeNetwork, RefusesWhatItCannotMake) {
  const tools::make::Family& family = *tools::make::family_named("resnet18");
  const auto message = [&](const tools::make::NetworkOptions& options) {
    try {
      tools::make::make_network(family, options);
    } catch (const tools::Error& error) {
      return std::string(error.what());
    }
    return std::string("made");
  };
  EXPECT_THAT(message({.image_height = 31}), testing::HasSubstr("images of 31x224 do not fit"));
  EXPECT_THAT(message({.builder = {.precision = {2, 2}, .format = Format::Qdq}}),
              testing::HasSubstr("QDQ takes 8 bits"));
}

}  // namespace
}  // namespace tidbit::test
