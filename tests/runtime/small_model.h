// A small model with most of what a file can hold.
#pragma once

#include <memory>
#include <utility>

#include "tests/support/tbit_builder.h"

namespace tidbit::test {

/// Nodes of the small model, by index.
enum SmallNode : size_t {
  kQuantizeNode,
  kConvNode,
  kDepthwiseNode,
  kPoolNode,
  kCombineNode,
  kLookupNode,
  kAveragePoolNode,
  kDequantizeNode,
  kReshapeNode,
  kRealConvNode,
  kMapNode,
  kBinaryNode,
  kSoftmaxNode,
  kTransposeNode,
  kConcatNode,
  kPadNode,
  kResizeNode,
  kMatMulNode,
  kGatherNode,
  kInterpolateNode,
  kTopKNode,
  kAsBoxesNode,
  kSuppressionNode,
  kResidualAddNode,
};

/// From [1,4,4,3] to a residual convolution, a depthwise one, pools, tables, a classifier with softmax, and an image.
class SmallModel {
 public:
  TbitBuilder builder;

  SmallModel() {
    const Grid grid{2, 1, 0};
    input_ = builder.input({1, 4, 4, 3});
    codes_ = builder.codes({1, 4, 4, 3}, grid, 0.5);
    plain::QuantizeT quantize;
    quantize.epilogue = builder.thresholds<double>(0, 3, {0.25, 0.75, 1.25});
    builder.node("quantize", std::move(quantize), {input_}, {codes_});
    add_convolutions(grid);
    add_tables(grid);
    add_classifier();
    add_image();
    add_boxes();
    add_about();
  }

 private:
  void add_convolutions(const Grid& grid) {
    std::vector<uint8_t> weights(3 * 9 * 3), depthwise_weights(9 * 3);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<uint8_t>(i * 7 / 3 % 4);
    for (size_t i = 0; i < depthwise_weights.size(); ++i) depthwise_weights[i] = static_cast<uint8_t>(i * 5 % 32);

    conv_ = builder.codes({1, 4, 4, 3}, grid, 0.5);
    plain::ConvolutionT conv;
    conv.window = padded_window();
    conv.weights = builder.weights(3, 9, 3, {2, 1, -2}, weights);
    conv.epilogues.push_back(builder.affine<float>({0.5f, 0.25f, -0.5f}, {1, 2, 3}, 3, 0.5));
    builder.node("conv", std::move(conv), {codes_, codes_}, {conv_});

    depthwise_ = builder.codes({1, 4, 4, 3}, grid, 0.5);
    plain::DepthwiseConvolutionT depthwise;
    depthwise.window = padded_window();
    depthwise.weights = builder.weights(9, 1, 3, {5, 1, -16}, depthwise_weights);
    depthwise.epilogues.push_back(builder.thresholds<int32_t>(0, 3, {-20, 0, 20, -5, 5, 15, 0, 1, 2}, {0, 1, 0}));
    builder.node("depthwise", std::move(depthwise), {conv_}, {depthwise_});
  }

  void add_tables(const Grid& grid) {
    const uint32_t pooled = builder.codes({1, 4, 4, 3}, grid, 0.5), combined = builder.codes({1, 4, 4, 3}, {3, 1, 0});
    plain::MaxPoolT pool;
    pool.window = padded_window();
    builder.node("pool", std::move(pool), {depthwise_}, {pooled});
    plain::CombineT combine;
    combine.codes = builder.blob(std::vector<uint8_t>{0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6});
    builder.node("combine", std::move(combine), {pooled, conv_}, {combined});
    looked_up_ = builder.codes({1, 4, 4, 3}, {4, 2, -15});
    plain::LookupT lookup;
    lookup.codes = builder.blob(std::vector<uint8_t>{0, 2, 4, 6, 8, 10, 12, 15});
    builder.node("lookup", std::move(lookup), {combined}, {looked_up_});
  }

  void add_classifier() {
    const uint32_t mean = builder.codes({1, 1, 1, 3}, {8, 1, -128}), real = builder.real({1, 1, 1, 3});
    plain::AveragePoolT pool;
    pool.window = std::make_unique<plain::WindowT>();
    pool.window->kernel_height = pool.window->kernel_width = 4;
    constexpr int64_t kHalf = int64_t{1} << 31;
    pool.epilogue = builder.fixed_point(builder.fixed_point_line({1 << 30}, {257 * kHalf}, {32}), 255, {0},
                                        builder.fixed_point_line({1 << 29}, {257 * kHalf}, {32}));
    builder.node("average", std::move(pool), {looked_up_}, {mean});
    plain::DequantizeT dequantize;
    std::vector<float> values(256);
    for (size_t i = 0; i < values.size(); ++i) values[i] = (static_cast<float>(i) - 128) / 16;
    dequantize.values = builder.blob(values);
    builder.node("dequantize", std::move(dequantize), {mean}, {real});

    const uint32_t flat = builder.real({1, 3}), sums = builder.real({1, 2}), mapped = builder.real({1, 2});
    const uint32_t bias = builder.real({2}), biased = builder.real({1, 2}), classes = builder.real({1, 2}, "classes");
    builder.constant(bias, {0.5f, -0.5f});
    builder.node("flatten", plain::ReshapeT(), {real}, {flat});
    plain::RealConvolutionT dense;
    dense.weights = builder.real_weights(2, 1, 3, {1, 2, 3, -1, 0.5f, 2});
    dense.weights->scales = builder.blob(std::vector<double>{0.5, 2});
    dense.epilogues.push_back(builder.real_affine({1}, {0}));
    builder.node("dense", std::move(dense), {flat}, {sums});
    builder.node("map", fake_quant(), {sums}, {mapped});
    builder.node("bias", plain::BinaryT(), {mapped, bias}, {biased});
    plain::SoftmaxT softmax;
    softmax.axis = 1;
    builder.node("softmax", std::move(softmax), {biased}, {classes});
    builder.output(classes);
  }

  void add_image() {
    const uint32_t turned = builder.real({1, 3, 4, 4}), both = builder.real({1, 6, 4, 4});
    const uint32_t padded = builder.real({1, 8, 4, 4}), resized = builder.real({1, 4, 8, 4});
    const uint32_t product = builder.real({1, 4, 8, 8}, "image");
    plain::TransposeT transpose;
    transpose.permutation = {0, 3, 1, 2};
    builder.node("transpose", std::move(transpose), {input_}, {turned});
    plain::ConcatT concat;
    concat.axis = 1;
    builder.node("concat", std::move(concat), {turned, turned}, {both});
    plain::PadT pad;
    pad.before = {0, 1, 0, 0};
    pad.after = {0, 1, 0, 0};
    pad.value = 0.5f;
    builder.node("pad", std::move(pad), {both}, {padded});
    plain::ResizeT resize;
    resize.rows = builder.blob(std::vector<uint32_t>{0, 2, 5, 7});
    resize.columns = builder.blob(std::vector<uint32_t>{0, 0, 1, 1, 2, 2, 3, 3});
    builder.node("resize", std::move(resize), {padded}, {resized});
    const uint32_t matrix = builder.real({4, 8});
    builder.constant(matrix, std::vector<float>(32, 0.25f));
    builder.node("matmul", plain::MatMulT(), {resized, matrix}, {product});
    builder.output(product);
  }

  void add_boxes() {
    const uint32_t picked = builder.real({1, 4, 4, 2}), larger = builder.codes({1, 2, 4, 3}, {2, 1, 0});
    const uint32_t best = builder.real({1, 4, 1, 2}), boxes = builder.real({1, 2, 4}), scores = builder.real({1, 1, 2});
    plain::GatherT gather;
    gather.axis = 3;
    gather.indices = builder.blob(std::vector<uint32_t>{2, 0});
    builder.node("gather", std::move(gather), {input_}, {picked});
    plain::InterpolateT interpolate;
    interpolate.rows = interpolation({0, 2}, {1, 3}, {0.5, 0.25});
    interpolate.columns = interpolation({0, 1, 2, 3}, {1, 2, 3, 3}, {0.5, 0.5, 0.5, 0});
    interpolate.epilogue = builder.bent_affine<double>(builder.line<double>({2}, {0}, 3), {1}, {0.5}, {0.5});
    builder.node("interpolate", std::move(interpolate), {codes_}, {larger});
    plain::TopKT top;
    top.axis = 2;
    builder.node("top", std::move(top), {picked}, {best});
    builder.node("as boxes", plain::ReshapeT(), {best}, {boxes});
    builder.constant(scores, {0.25f, 0.75f});
    plain::NonMaxSuppressionT suppression;
    suppression.most_per_class = 2;
    builder.node("suppression", std::move(suppression), {boxes, scores}, {builder.output(builder.real({2, 3}))});
    plain::ResidualAddT add;
    add.epilogues.push_back(builder.affine<float>({0.5f}, {0}, 3, 0.5));
    builder.node("add", std::move(add), {codes_, codes_}, {builder.codes({1, 4, 4, 3}, {2, 1, 0})});
  }

  std::unique_ptr<plain::InterpolationT> interpolation(const std::vector<uint32_t>& first,
                                                       const std::vector<uint32_t>& second,
                                                       const std::vector<double>& weight) {
    auto table = std::make_unique<plain::InterpolationT>();
    table->first = builder.blob(first);
    table->second = builder.blob(second);
    table->weight = builder.blob(weight);
    return table;
  }

  void add_about() {
    builder.model.producer = "test";
    builder.model.labels = {"cat", "dog"};
    builder.model.preprocessing = std::make_unique<plain::ImagePreprocessingT>();
    builder.model.preprocessing->channels_last = true;
    builder.model.preprocessing->mean = {0.5f, 0.5f, 0.5f};
    builder.model.preprocessing->deviation = {0.25f, 0.25f, 0.25f};
  }

  plain::MapT fake_quant() {
    plain::MapT map;
    map.steps.push_back(std::make_unique<plain::MapStepT>());
    plain::MapStepT& step = *map.steps.back();
    step.function = plain::MapFunction::FakeQuant;
    step.a = builder.blob(std::vector<double>{0.5});
    step.b = builder.blob(std::vector<double>{0, 1});
    step.lowest = -8;
    step.highest = 7;
    return map;
  }

  static std::unique_ptr<plain::WindowT> padded_window() {
    auto window = std::make_unique<plain::WindowT>();
    window->kernel_height = window->kernel_width = 3;
    window->pad_top = window->pad_left = window->pad_bottom = window->pad_right = 1;
    return window;
  }

  uint32_t input_, codes_, conv_, depthwise_, looked_up_;
};

}  // namespace tidbit::test
