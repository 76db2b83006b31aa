// Every field of models and nodes that a file can get wrong: the message names the part of the file and the field.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/bent_model.h"
#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::HasSubstr;

class Validation : public testing::TestWithParam<Bent> {};

TEST_P(Validation, NamesThePartAndTheField) { expect_refused(GetParam()); }

constexpr const char *kModel = "the model", *kPool = "node 'pool'", *kMap = "node 'map'";

const Bent kModels[] = {
    {"inputs_beyond", [](TbitBuilder& b) { b.model.inputs[0] = 1000; }, kModel, "inputs[0]"},
    {"inputs_missing", [](TbitBuilder& b) { b.model.inputs.clear(); }, kModel, "inputs"},
    {"inputs_codes", [](TbitBuilder& b) { b.model.inputs.push_back(b.codes({1}, {})); }, kModel, "inputs"},
    {"inputs_twice", [](TbitBuilder& b) { b.model.inputs.push_back(0); }, kModel,
     "inputs is tensor 0, which is written twice"},
    {"outputs_missing", [](TbitBuilder& b) { b.model.outputs.clear(); }, kModel, "outputs"},
    {"outputs_beyond", [](TbitBuilder& b) { b.model.outputs[1] = 1000; }, kModel, "outputs[1]"},
    {"outputs_codes", [](TbitBuilder& b) { b.model.outputs[0] = 1; }, kModel, "outputs"},
    {"outputs_unwritten", [](TbitBuilder& b) { b.model.outputs[0] = b.real({1}); }, kModel, "outputs"},
    {"constant_beyond", [](TbitBuilder& b) { b.model.constants[1]->tensor = 1000; }, "constant 1", "tensor"},
    {"constant_codes", [](TbitBuilder& b) { b.model.constants[1]->tensor = b.codes({1}, {}); }, "constant 1", "tensor"},
    {"constant_size", [](TbitBuilder& b) { b.model.constants[0]->data->mutate_size(12); }, "constant 0", "data"},
    {"constant_missing", [](TbitBuilder& b) { b.model.constants[0]->data.reset(); }, "constant 0", "data"},
    {"preprocessing_mean", [](TbitBuilder& b) { b.model.preprocessing->mean.pop_back(); }, "preprocessing", "mean"},
    {"preprocessing_deviation", [](TbitBuilder& b) { b.model.preprocessing->deviation[1] = 0; }, "preprocessing",
     "deviation"},
    {"preprocessing_nan", [](TbitBuilder& b) { b.model.preprocessing->mean[0] = std::nanf(""); }, "preprocessing",
     "mean"},
    {"preprocessing_layout", [](TbitBuilder& b) { b.model.preprocessing->channels_last = false; }, "preprocessing",
     "mean"},
    {"tensor_element", [](TbitBuilder& b) { tensor(b, 1).element = beyond(plain::Element::MAX); }, "tensor 1",
     "element"},
    {"tensor_rank", [](TbitBuilder& b) { tensor(b, 0).shape.resize(9, 1); }, "tensor 0 'input'", "shape has 9 axes"},
    {"tensor_extent_0", [](TbitBuilder& b) { tensor(b, 0).shape[1] = 0; }, "tensor 0 'input'", "shape"},
    {"tensor_huge",
     [](TbitBuilder& b) {
       tensor(b, 0).shape = {1u << 31, 1u << 31, 1u << 31};
     },
     "tensor 0", "shape"},
    {"tensor_large",
     [](TbitBuilder& b) {
       tensor(b, 0).shape = {1u << 30, 2};
     },
     "tensor 0", "shape"},
    {"tensor_grid_missing", [](TbitBuilder& b) { tensor(b, 1).grid.reset(); }, "tensor 1", "grid is missing"},
    {"tensor_bits_0", [](TbitBuilder& b) { tensor(b, 1).grid->bits = 0; }, "tensor 1", "grid has 0 bits"},
    {"tensor_bits_9", [](TbitBuilder& b) { tensor(b, 1).grid->bits = 9; }, "tensor 1", "grid has 9 bits"},
    {"tensor_step", [](TbitBuilder& b) { tensor(b, 1).grid->step = 3; }, "tensor 1", "grid has a step of 3"},
    {"tensor_base", [](TbitBuilder& b) { tensor(b, 1).grid->base = -2000000; }, "tensor 1", "grid has a base"},
    {"tensor_scale", [](TbitBuilder& b) { tensor(b, 1).scale = kNaN; }, "tensor 1", "scale"},
    {"tensor_scale_0", [](TbitBuilder& b) { tensor(b, 1).scale = 0; }, "tensor 1", "scale"},
    {"name_of_lines",
     [](TbitBuilder& b) {
       tensor(b, 0).name = "a\nb";
       tensor(b, 0).shape = {0};
     },
     "'a?b'", "shape"},
};

const Bent kNodes[] = {
    {"op_missing", [](TbitBuilder& b) { node(b, kConvNode).op.Reset(); }, "node 'conv'", "op is missing"},
    {"input_beyond", [](TbitBuilder& b) { node(b, kConvNode).inputs[1] = 1000; }, kConv, "inputs[1]"},
    {"input_unwritten", [](TbitBuilder& b) { node(b, kConvNode).inputs[0] = b.real({1}); }, kConv, "inputs[0]"},
    {"input_from_later", [](TbitBuilder& b) { std::swap(b.model.nodes[kConvNode], b.model.nodes[kQuantizeNode]); },
     kConv, "inputs[0]"},
    {"output_beyond", [](TbitBuilder& b) { node(b, kConvNode).outputs[0] = 1000; }, kConv, "outputs[0]"},
    {"output_twice", [](TbitBuilder& b) { node(b, kConvNode).outputs[0] = 1; }, kConv, "outputs[0]"},
    {"output_is_input", [](TbitBuilder& b) { node(b, kMapNode).outputs[0] = 0; }, kMap, "outputs[0]"},
    {"nameless",
     [](TbitBuilder& b) {
       node(b, kConvNode).name = "";
       conv(b).groups = 7;
     },
     "node 1 (Convolution)", "groups"},
    {"conv_no_inputs", [](TbitBuilder& b) { node(b, kConvNode).inputs.clear(); }, kConv, "inputs"},
    {"conv_no_outputs", [](TbitBuilder& b) { b.node("silent", plain::ConvolutionT(), {1}, {}); }, "node 'silent'",
     "outputs"},
    {"conv_three_inputs", [](TbitBuilder& b) { node(b, kConvNode).inputs.push_back(1); }, kConv, "inputs has 3"},
    {"conv_real_input", [](TbitBuilder& b) { node(b, kConvNode).inputs[0] = 0; }, kConv, "inputs[0]"},
    {"conv_output_shape", [](TbitBuilder& b) { tensor(b, node(b, kConvNode).outputs[0]).shape[1] = 5; }, kConv,
     "outputs[0]"},
    {"conv_residual_shape",
     [](TbitBuilder& b) {
       node(b, kConvNode).inputs[1] = b.input({1, 4, 3, 4});
     },
     kConv, "inputs[1]"},
    {"conv_groups_0", [](TbitBuilder& b) { conv(b).groups = 0; }, kConv, "groups"},
    {"conv_groups", [](TbitBuilder& b) { conv(b).groups = 2; }, kConv, "groups"},
    {"conv_groups_weights", [](TbitBuilder& b) { conv(b).groups = 3; }, kConv, "weights.channels"},
    {"conv_epilogues_none", [](TbitBuilder& b) { conv(b).epilogues.clear(); }, kConv, "epilogues"},
    {"conv_epilogues_many", [](TbitBuilder& b) { conv(b).epilogues.push_back(b.identity()); }, kConv, "epilogues"},
    {"quantize_arity", [](TbitBuilder& b) { node(b, kQuantizeNode).inputs.push_back(0); }, "node 'quantize'", "inputs"},
    {"quantize_shape", [](TbitBuilder& b) { tensor(b, 1).shape = {48}; }, "node 'quantize'", "outputs[0]"},
    {"combine_shape", [](TbitBuilder& b) { tensor(b, node(b, kPoolNode).outputs[0]).shape[3] = 4; }, kPool,
     "outputs[0]"},
    {"pool_grid", [](TbitBuilder& b) { tensor(b, node(b, kPoolNode).outputs[0]).grid->base = 1; }, kPool, "outputs[0]"},
    {"pool_scale", [](TbitBuilder& b) { tensor(b, node(b, kPoolNode).outputs[0]).scale = 1; }, kPool, "outputs[0]"},
    {"pool_window", [](TbitBuilder& b) { node(b, kPoolNode).op.AsMaxPool()->window->stride_height = 0; }, kPool,
     "window.stride_height"},
    {"average_epilogue", [](TbitBuilder& b) { average(b).epilogue.reset(); }, kAverage, "epilogue"},
    {"reshape_elements", [](TbitBuilder& b) { tensor(b, node(b, kReshapeNode).outputs[0]).shape = {4}; },
     "node 'flatten'", "outputs[0]"},
    {"binary_function",
     [](TbitBuilder& b) { node(b, kBinaryNode).op.AsBinary()->function = beyond(plain::BinaryFunction::MAX); },
     "node 'bias'", "function"},
    {"binary_shapes", [](TbitBuilder& b) { node(b, kBinaryNode).inputs[1] = b.input({3}); }, "node 'bias'", "inputs"},
    {"softmax_axis", [](TbitBuilder& b) { node(b, kSoftmaxNode).op.AsSoftmax()->axis = 2; }, "node 'softmax'", "axis"},
    {"transpose_rank", [](TbitBuilder& b) { node(b, kTransposeNode).op.AsTranspose()->permutation.pop_back(); },
     "node 'transpose'", "permutation"},
    {"transpose_twice", [](TbitBuilder& b) { node(b, kTransposeNode).op.AsTranspose()->permutation[0] = 1; },
     "node 'transpose'", "permutation"},
    {"transpose_beyond", [](TbitBuilder& b) { node(b, kTransposeNode).op.AsTranspose()->permutation[0] = 4; },
     "node 'transpose'", "permutation"},
    {"transpose_shape",
     [](TbitBuilder& b) {
       node(b, kTransposeNode).op.AsTranspose()->permutation = {0, 1, 2, 3};
     },
     "node 'transpose'", "outputs[0]"},
    {"concat_axis", [](TbitBuilder& b) { node(b, kConcatNode).op.AsConcat()->axis = 4; }, "node 'concat'", "axis"},
    {"concat_shapes", [](TbitBuilder& b) { node(b, kConcatNode).inputs[1] = 0; }, "node 'concat'", "inputs[1]"},
    {"concat_none", [](TbitBuilder& b) { node(b, kConcatNode).inputs.clear(); }, "node 'concat'", "inputs"},
    {"pad_before", [](TbitBuilder& b) { node(b, kPadNode).op.AsPad()->before.pop_back(); }, "node 'pad'", "before"},
    {"pad_after", [](TbitBuilder& b) { node(b, kPadNode).op.AsPad()->after.push_back(0); }, "node 'pad'", "after"},
    {"pad_shape", [](TbitBuilder& b) { node(b, kPadNode).op.AsPad()->after[3] = 4000000000u; }, "node 'pad'",
     "outputs[0]"},
    {"resize_rows",
     [](TbitBuilder& b) {
       node(b, kResizeNode).op.AsResize()->rows = b.blob(std::vector<uint32_t>{0, 1, 2, 8});
     },
     "node 'resize'", "rows"},
    {"resize_columns",
     [](TbitBuilder& b) { node(b, kResizeNode).op.AsResize()->columns = b.blob(std::vector<uint32_t>{0}); },
     "node 'resize'", "columns"},
    {"gather_axis", [](TbitBuilder& b) { node(b, kGatherNode).op.AsGather()->axis = 4; }, "node 'gather'", "axis"},
    {"gather_indices",
     [](TbitBuilder& b) {
       node(b, kGatherNode).op.AsGather()->indices = b.blob(std::vector<uint32_t>{0, 3});
     },
     "node 'gather'", "indices"},
    {"gather_count",
     [](TbitBuilder& b) { node(b, kGatherNode).op.AsGather()->indices = b.blob(std::vector<uint32_t>{0}); },
     "node 'gather'", "indices"},
    {"interpolate_rows", [](TbitBuilder& b) { interpolate(b).rows.reset(); }, "node 'interpolate'", "rows"},
    {"interpolate_first",
     [](TbitBuilder& b) {
       interpolate(b).rows->first = b.blob(std::vector<uint32_t>{0, 4});
     },
     "node 'interpolate'", "rows.first"},
    {"interpolate_second", [](TbitBuilder& b) { interpolate(b).columns->second = b.blob(std::vector<uint32_t>{1}); },
     "node 'interpolate'", "columns.second"},
    {"interpolate_weight",
     [](TbitBuilder& b) {
       interpolate(b).rows->weight = b.blob(std::vector<double>{0.5, kNaN});
     },
     "node 'interpolate'", "rows.weight"},
    {"interpolate_epilogue", [](TbitBuilder& b) { interpolate(b).epilogue.reset(); }, "node 'interpolate'", "epilogue"},
    {"top_axis", [](TbitBuilder& b) { node(b, kTopKNode).op.AsTopK()->axis = 4; }, "node 'top'", "axis"},
    {"top_shape", [](TbitBuilder& b) { node(b, kTopKNode).op.AsTopK()->axis = 1; }, "node 'top'", "outputs[0]"},
    {"suppression_most", [](TbitBuilder& b) { suppression(b).most_per_class = 0; }, "node 'suppression'",
     "most_per_class"},
    {"suppression_rows", [](TbitBuilder& b) { suppression(b).most_per_class = 1; }, "node 'suppression'", "outputs[0]"},
    {"suppression_overlap", [](TbitBuilder& b) { suppression(b).overlap_threshold = std::nanf(""); },
     "node 'suppression'", "overlap_threshold"},
    {"suppression_score", [](TbitBuilder& b) { suppression(b).score_threshold = std::nanf(""); }, "node 'suppression'",
     "score_threshold"},
    {"suppression_boxes",
     [](TbitBuilder& b) {
       tensor(b, node(b, kSuppressionNode).inputs[1]).shape = {2, 1, 1};
     },
     "node 'suppression'", "inputs[0]"},
    {"matmul_depth",
     [](TbitBuilder& b) {
       tensor(b, node(b, kMatMulNode).inputs[1]).shape = {2, 16};
     },
     "node 'matmul'", "inputs"},
    {"lookup_size", [](TbitBuilder& b) { node(b, kLookupNode).op.AsLookup()->codes->mutate_size(9); }, "node 'lookup'",
     "codes"},
    {"lookup_code",
     [](TbitBuilder& b) { node(b, kLookupNode).op.AsLookup()->codes = b.blob(std::vector<uint8_t>(8, 16)); },
     "node 'lookup'", "codes"},
    {"combine_size", [](TbitBuilder& b) { node(b, kCombineNode).op.AsCombine()->codes->mutate_size(8); },
     "node 'combine'", "codes"},
    {"combine_code",
     [](TbitBuilder& b) { node(b, kCombineNode).op.AsCombine()->codes = b.blob(std::vector<uint8_t>(16, 8)); },
     "node 'combine'", "codes"},
    {"add_inputs", [](TbitBuilder& b) { node(b, kResidualAddNode).inputs.pop_back(); }, "node 'add'", "inputs"},
    {"add_reals", [](TbitBuilder& b) { node(b, kResidualAddNode).inputs[1] = b.model.inputs[0]; }, "node 'add'",
     "inputs[1]"},
    {"add_shape",
     [](TbitBuilder& b) {
       tensor(b, node(b, kResidualAddNode).outputs[0]).shape = {1, 4, 4, 1};
     },
     "node 'add'", "outputs[0]"},
    {"add_epilogues", [](TbitBuilder& b) { node(b, kResidualAddNode).op.AsResidualAdd()->epilogues.clear(); },
     "node 'add'", "epilogues"},
    {"dequantize_size", [](TbitBuilder& b) { node(b, kDequantizeNode).op.AsDequantize()->values->mutate_size(256); },
     "node 'dequantize'", "values"},
    {"map_steps", [](TbitBuilder& b) { node(b, kMapNode).op.AsMap()->steps.clear(); }, kMap, "steps"},
    {"map_function", [](TbitBuilder& b) { map_step(b).function = beyond(plain::MapFunction::MAX); }, kMap,
     "steps[0].function"},
    {"map_rounding", [](TbitBuilder& b) { map_step(b).rounding = beyond(plain::Rounding::MAX); }, kMap,
     "steps[0].rounding"},
    {"map_a", [](TbitBuilder& b) { map_step(b).a = b.blob(std::vector<double>(3)); }, kMap, "steps[0].a"},
    {"map_a_missing", [](TbitBuilder& b) { map_step(b).a.reset(); }, kMap, "steps[0].a"},
    {"map_b_missing", [](TbitBuilder& b) { map_step(b).b.reset(); }, kMap, "steps[0].b"},
    {"map_scale", [](TbitBuilder& b) { map_step(b).a = b.blob(std::vector<double>{0}); }, kMap, "steps[0].a"},
    {"map_range", [](TbitBuilder& b) { map_step(b).highest = -9; }, kMap, "steps[0].lowest"},
    {"map_nan", [](TbitBuilder& b) { map_step(b).lowest = kNaN; }, kMap, "steps[0].lowest"},
};

INSTANTIATE_TEST_SUITE_P(Models, Validation, testing::ValuesIn(kModels), bent_name);
INSTANTIATE_TEST_SUITE_P(Nodes, Validation, testing::ValuesIn(kNodes), bent_name);

TEST(Validator, UnknownOperatorsAreNamed) {
  SmallModel small;
  TbitFile file = small.builder.finish();
  // This schema cannot write the file of a later one: an operator's tag is found in the file and raised.
  const plain::Node* softmax = plain::GetSizePrefixedModel(file.bytes().data())->nodes()->Get(kSoftmaxNode);
  const auto* table = reinterpret_cast<const flatbuffers::Table*>(softmax);
  auto* tag = const_cast<uint8_t*>(table->GetAddressOf(plain::Node::VT_OP_TYPE));
  ASSERT_EQ(*tag, static_cast<uint8_t>(plain::Operator::Softmax));
  const int unknown = static_cast<int>(plain::Operator::MAX) + 1;
  *tag = static_cast<uint8_t>(unknown);
  const Status status = Model::load(file.bytes()).status();
  EXPECT_EQ(status.code(), StatusCode::InvalidFile);
  EXPECT_THAT(status.message(), HasSubstr("node 'softmax': op is unknown: " + std::to_string(unknown) + "; update"));
}

TEST(Validator, PoolsMustTouchTheImage) {
  TbitBuilder builder;
  const uint32_t in = builder.input({1, 1, 1, 1}), out = builder.output(builder.real({1, 2, 1, 1}));
  plain::MaxPoolT op;
  op.window = std::make_unique<plain::WindowT>();
  op.window->kernel_height = 2;
  op.window->dilation_height = 3;
  op.window->pad_top = 3;
  op.window->pad_bottom = 1;  // the second window has its taps at -2 and 1
  builder.node("pool", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  EXPECT_THAT(Model::load(file.bytes()).status().message(), HasSubstr("node 'pool' (MaxPool): window.kernel_height"));
}

TEST(Validator, PaddingIsACode) {
  for (const float value : {4.0f, -1.0f, 1.5f, std::nanf("")}) {
    TbitBuilder builder;
    const uint32_t in = builder.code_input({2}, {2, 1, 0}), out = builder.codes({3}, {2, 1, 0});
    plain::PadT op;
    op.before = {1};
    op.after = {0};
    op.value = value;
    builder.node("pad", std::move(op), {in}, {out});
    builder.code_output(out);
    const TbitFile file = builder.finish();
    EXPECT_THAT(Model::load(file.bytes()).status().message(), HasSubstr("node 'pad' (Pad): value")) << value;
  }
}

TEST(Validator, SumsOfPoolsFit32Bits) {
  TbitBuilder builder;
  const Grid grid{8, 1, -(1 << 20)};
  const uint32_t in = builder.code_input({1, 64, 64, 1}, grid), out = builder.output(builder.real({1, 1, 1, 1}));
  plain::AveragePoolT op;
  op.window = std::make_unique<plain::WindowT>();
  op.window->kernel_height = op.window->kernel_width = 64;
  op.epilogue = builder.identity();
  builder.node("pool", std::move(op), {in}, {out});
  const TbitFile file = builder.finish();
  EXPECT_THAT(Model::load(file.bytes()).status().message(),
              HasSubstr("node 'pool' (AveragePool): window can give sums"));
}

TEST(Validator, SharedStringsDoNotMakeASmallFileALargeModel) {
  flatbuffers::FlatBufferBuilder builder;
  const auto label = builder.CreateString(std::string(1 << 20, 'x'));
  const std::vector<flatbuffers::Offset<flatbuffers::String>> labels(100000, label);
  const auto inputs = builder.CreateVector(std::vector<uint32_t>{0}),
             shape = builder.CreateVector(std::vector<uint32_t>{1});
  const auto tensors = builder.CreateVector(std::vector{plain::CreateTensor(builder, 0, shape)});
  const auto offsets = builder.CreateVector(labels);
  plain::ModelBuilder model(builder);
  model.add_version(1);
  model.add_tensors(tensors);
  model.add_inputs(inputs);
  model.add_outputs(inputs);
  model.add_labels(offsets);
  plain::FinishSizePrefixedModelBuffer(builder, model.Finish());
  TbitFile file(container::align(builder.GetSize()));
  std::memcpy(file.bytes().data(), builder.GetBufferPointer(), builder.GetSize());
  EXPECT_THAT(Model::load(file.bytes()).status().message(), HasSubstr("overlap"));
}

}  // namespace
}  // namespace tidbit::test
