// Every field that a file can get wrong: the message names the part of the file and the field.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>

#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::HasSubstr;

struct Bent {
  const char* name;
  void (*bend)(TbitBuilder&);
  const char* where;  // in the message
  const char* field;

  friend void PrintTo(const Bent& bent, std::ostream* out) { *out << bent.name; }
};

class Validation : public testing::TestWithParam<Bent> {};

TEST_P(Validation, NamesThePartAndTheField) {
  SmallModel small;
  GetParam().bend(small.builder);
  const TbitFile file = small.builder.finish();
  const Result<Model> model = Model::load(file.bytes());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.status().code(), StatusCode::InvalidFile);
  EXPECT_THAT(model.status().message(), HasSubstr(GetParam().where));
  EXPECT_THAT(model.status().message(), HasSubstr(GetParam().field));
  EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
}

plain::NodeT& node(TbitBuilder& b, SmallNode index) { return *b.model.nodes[index]; }
plain::TensorT& tensor(TbitBuilder& b, uint32_t index) { return *b.model.tensors[index]; }
plain::ConvolutionT& conv(TbitBuilder& b) { return *node(b, kConvNode).op.AsConvolution(); }
plain::WindowT& window(TbitBuilder& b) { return *conv(b).window; }
plain::WeightsT& weights(TbitBuilder& b) { return *conv(b).weights; }
plain::AffineT& affine(TbitBuilder& b) { return *conv(b).epilogues[0]->form.AsAffine(); }
plain::BentAffineT& bent_affine(TbitBuilder& b) {
  return *node(b, kInterpolateNode).op.AsInterpolate()->epilogue->form.AsBentAffine();
}
plain::DepthwiseConvolutionT& depthwise(TbitBuilder& b) { return *node(b, kDepthwiseNode).op.AsDepthwiseConvolution(); }
plain::ThresholdsT& steps(TbitBuilder& b) { return *depthwise(b).epilogues[0]->form.AsThresholds(); }
plain::RealConvolutionT& dense(TbitBuilder& b) { return *node(b, kRealConvNode).op.AsRealConvolution(); }
plain::RealAffineT& real_affine(TbitBuilder& b) { return *dense(b).epilogues[0]->form.AsRealAffine(); }
plain::MapStepT& map_step(TbitBuilder& b) { return *node(b, kMapNode).op.AsMap()->steps[0]; }
plain::InterpolateT& interpolate(TbitBuilder& b) { return *node(b, kInterpolateNode).op.AsInterpolate(); }
plain::NonMaxSuppressionT& suppression(TbitBuilder& b) { return *node(b, kSuppressionNode).op.AsNonMaxSuppression(); }
template <class Enum>
constexpr Enum beyond(Enum last) {
  return static_cast<Enum>(static_cast<int>(last) + 1);
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr const char *kModel = "the model", *kConv = "node 'conv' (Convolution)", *kDense = "node 'dense'",
                     *kDepthwise = "node 'depthwise'", *kPool = "node 'pool'", *kMap = "node 'map'";

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
    {"average_epilogue", [](TbitBuilder& b) { node(b, kAveragePoolNode).op.AsAveragePool()->epilogue.reset(); },
     "node 'average'", "epilogue"},
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

const Bent kLinear[] = {
    {"kernel_0", [](TbitBuilder& b) { window(b).kernel_height = 0; }, kConv, "window.kernel_height"},
    {"kernel_beyond", [](TbitBuilder& b) { window(b).kernel_width = 7; }, kConv, "window.kernel_width"},
    {"kernel_huge", [](TbitBuilder& b) { window(b).kernel_width = UINT32_MAX; }, kConv, "window.kernel_width"},
    {"stride_0", [](TbitBuilder& b) { window(b).stride_width = 0; }, kConv, "window.stride_width"},
    {"stride_huge", [](TbitBuilder& b) { window(b).stride_height = UINT32_MAX; }, kConv, "window.stride_height"},
    {"dilation_0", [](TbitBuilder& b) { window(b).dilation_height = 0; }, kConv, "window.dilation_height"},
    {"dilation_huge", [](TbitBuilder& b) { window(b).dilation_width = INT32_MAX; }, kConv, "window.kernel_width"},
    {"pad_top", [](TbitBuilder& b) { window(b).pad_top = 3; }, kConv, "window.pad_top"},
    {"pad_left", [](TbitBuilder& b) { window(b).pad_left = 3; }, kConv, "window.pad_left"},
    {"pad_bottom", [](TbitBuilder& b) { window(b).pad_bottom = UINT32_MAX; }, kConv, "window.pad_bottom"},
    {"pad_right", [](TbitBuilder& b) { window(b).pad_right = 2; }, kConv, "outputs[0]"},
    {"padded_beyond",
     [](TbitBuilder& b) {
       window(b).dilation_width = INT32_MAX / 2;
       window(b).pad_left = window(b).pad_right = INT32_MAX - 2;
     },
     kConv, "window.pad_left"},
    {"weights_missing", [](TbitBuilder& b) { conv(b).weights.reset(); }, kConv, "weights is missing"},
    {"weights_rows", [](TbitBuilder& b) { weights(b).rows = 4; }, kConv, "weights.rows"},
    {"weights_taps", [](TbitBuilder& b) { weights(b).taps = 8; }, kConv, "weights.taps"},
    {"weights_channels", [](TbitBuilder& b) { weights(b).channels = 2; }, kConv, "weights.channels"},
    {"weights_encoding", [](TbitBuilder& b) { weights(b).encoding = beyond(plain::WeightEncoding::MAX); }, kConv,
     "weights.encoding"},
    {"weights_bits", [](TbitBuilder& b) { weights(b).grid->bits = 5; }, kConv, "weights.grid"},
    {"weights_bytes_bits", [](TbitBuilder& b) { weights(b).encoding = plain::WeightEncoding::Bytes; }, kConv,
     "weights.grid"},
    {"weights_grid", [](TbitBuilder& b) { weights(b).grid.reset(); }, kConv, "weights.grid"},
    {"weights_size", [](TbitBuilder& b) { weights(b).data->mutate_size(weights(b).data->size() - 1); }, kConv,
     "weights.data"},
    {"weights_data", [](TbitBuilder& b) { weights(b).data.reset(); }, kConv, "weights.data"},
    {"weights_misaligned", [](TbitBuilder& b) { weights(b).data->mutate_offset(weights(b).data->offset() + 4); }, kConv,
     "weights.data"},
    {"weights_beyond", [](TbitBuilder& b) { weights(b).data->mutate_offset(1 << 20); }, kConv, "weights.data"},
    {"small_blob_misaligned",
     [](TbitBuilder& b) {
       plain::Blob& values = *node(b, kDequantizeNode).op.AsDequantize()->values;
       values.mutate_offset(values.offset() + 4);
     },
     "node 'dequantize'", "values"},
    {"blob_overflow",
     [](TbitBuilder& b) { node(b, kDequantizeNode).op.AsDequantize()->values->mutate_offset(UINT64_MAX - 63); },
     "node 'dequantize'", "values"},
    {"weights_scales", [](TbitBuilder& b) { weights(b).scales = b.blob(std::vector<double>{1}); }, kConv,
     "weights.scales"},
    {"weights_real", [](TbitBuilder& b) { conv(b).weights = b.real_weights(3, 9, 3, Values(81)); }, kConv,
     "weights.encoding"},
    {"weights_code", [](TbitBuilder& b) { depthwise(b).weights->data = b.blob(std::vector<uint8_t>(27, 32)); },
     kDepthwise, "weights.data"},
    {"sums_outgrow",
     [](TbitBuilder& b) {
       weights(b).grid->base = -(1 << 20);
       tensor(b, 1).grid->base = 1 << 10;
     },
     kConv, "weights can give sums beyond 32 bits"},
    {"depthwise_sums",
     [](TbitBuilder& b) {
       depthwise(b).weights->grid->base = -(1 << 20);
       tensor(b, node(b, kDepthwiseNode).inputs[0]).grid->base = 1 << 10;
     },
     kDepthwise, "weights"},
    {"depthwise_scales", [](TbitBuilder& b) { depthwise(b).weights->scales = b.blob(std::vector<double>{1}); },
     kDepthwise, "weights.scales"},
    {"depthwise_rows", [](TbitBuilder& b) { depthwise(b).weights->rows = 3; }, kDepthwise, "weights.rows"},
    {"dense_codes",
     [](TbitBuilder& b) {
       node(b, kRealConvNode).inputs[0] = node(b, kAveragePoolNode).outputs[0];
       tensor(b, node(b, kRealConvNode).outputs[0]).shape = {1, 1, 1, 2};
     },
     kDense, "inputs[0]"},
    {"dense_scales", [](TbitBuilder& b) { dense(b).weights->scales = b.blob(std::vector<double>(3, 1)); }, kDense,
     "weights.scales"},
    {"dense_scales_nan", [](TbitBuilder& b) { dense(b).weights->scales = b.blob(std::vector<double>{kNaN}); }, kDense,
     "weights.scales"},
    {"dense_scales_missing",
     [](TbitBuilder& b) {
       dense(b).weights = b.weights(2, 1, 3, {2, 1, 0}, std::vector<uint8_t>(6));
     },
     kDense, "weights.scales is missing"},
    {"dense_window",
     [](TbitBuilder& b) {
       dense(b).window = std::make_unique<plain::WindowT>();
       dense(b).window->kernel_width = 2;
       dense(b).window->pad_left = 1;
     },
     kDense, "window"},
};

const Bent kEpilogues[] = {
    {"form_missing", [](TbitBuilder& b) { conv(b).epilogues[0]->form.Reset(); }, kConv, "epilogues[0].form"},
    {"affine_to_real", [](TbitBuilder& b) { tensor(b, node(b, kConvNode).outputs[0]).element = plain::Element::Real; },
     kConv, "epilogues[0].form"},
    {"real_to_codes", [](TbitBuilder& b) { conv(b).epilogues[0] = b.identity(); }, kConv, "epilogues[0].form"},
    {"arithmetic", [](TbitBuilder& b) { affine(b).arithmetic = beyond(plain::Arithmetic::MAX); }, kConv,
     "epilogues[0].arithmetic"},
    {"multiplier_size", [](TbitBuilder& b) { affine(b).multiplier->mutate_size(8); }, kConv, "epilogues[0].multiplier"},
    {"multiplier_nan",
     [](TbitBuilder& b) {
       affine(b).multiplier = b.blob(Values{1, 2, std::nanf("")});
     },
     kConv, "epilogues[0].multiplier"},
    {"offset_size", [](TbitBuilder& b) { affine(b).offset->mutate_size(4); }, kConv, "epilogues[0].offset"},
    {"offset_infinite",
     [](TbitBuilder& b) {
       affine(b).offset = b.blob(Values{INFINITY, 2, 3});
     },
     kConv, "epilogues[0].offset"},
    {"offset_missing", [](TbitBuilder& b) { affine(b).offset.reset(); }, kConv, "epilogues[0].offset"},
    {"lowest", [](TbitBuilder& b) { affine(b).lowest = 4; }, kConv, "epilogues[0].lowest"},
    {"highest", [](TbitBuilder& b) { affine(b).highest = 4; }, kConv, "epilogues[0].highest"},
    {"residual_nan", [](TbitBuilder& b) { affine(b).residual_multiplier = kNaN; }, kConv,
     "epilogues[0].residual_multiplier"},
    {"residual_large", [](TbitBuilder& b) { affine(b).residual_multiplier = 1e300; }, kConv,
     "epilogues[0].residual_multiplier"},
    {"residual_missing", [](TbitBuilder& b) { node(b, kConvNode).inputs.pop_back(); }, kConv,
     "epilogues[0].residual_multiplier"},
    {"steps",
     [](TbitBuilder& b) {
       steps(b).steps = 4;
       steps(b).values = b.blob(std::vector<int32_t>(12));
     },
     kDepthwise, "epilogues[0].steps"},
    {"steps_huge", [](TbitBuilder& b) { steps(b).steps = UINT32_MAX; }, kDepthwise, "epilogues[0].steps"},
    {"steps_lowest", [](TbitBuilder& b) { steps(b).lowest = 1; }, kDepthwise, "epilogues[0].steps"},
    {"values_size", [](TbitBuilder& b) { steps(b).values->mutate_size(24); }, kDepthwise, "epilogues[0].values"},
    {"values_order",
     [](TbitBuilder& b) {
       steps(b).values = b.blob(std::vector<int32_t>{0, 1, 2, 0, 2, 1, 0, 1, 2});
     },
     kDepthwise, "epilogues[0].values"},
    {"values_nan",
     [](TbitBuilder& b) { node(b, kQuantizeNode).op.AsQuantize()->epilogue = b.thresholds<double>(0, 1, {kNaN}); },
     "node 'quantize'", "epilogue.values"},
    {"falling_size", [](TbitBuilder& b) { steps(b).falling->mutate_size(1); }, kDepthwise, "epilogues[0].falling"},
    {"real_range",
     [](TbitBuilder& b) {
       real_affine(b).lowest = 1;
       real_affine(b).highest = 0;
     },
     kDense, "epilogues[0].lowest"},
    {"real_nan", [](TbitBuilder& b) { real_affine(b).highest = std::nanf(""); }, kDense, "epilogues[0].lowest"},
    {"bent_line_missing", [](TbitBuilder& b) { bent_affine(b).line.reset(); }, "node 'interpolate'", "epilogue.line"},
    {"bent_line_offset", [](TbitBuilder& b) { bent_affine(b).line->offset.reset(); }, "node 'interpolate'",
     "epilogue.line.offset"},
    {"bent_knee_missing", [](TbitBuilder& b) { bent_affine(b).knee.reset(); }, "node 'interpolate'", "epilogue.knee"},
    {"bent_knee_nan", [](TbitBuilder& b) { bent_affine(b).knee = b.blob(std::vector<double>{kNaN}); },
     "node 'interpolate'", "epilogue.knee"},
    {"bent_slope_size", [](TbitBuilder& b) { bent_affine(b).slope->mutate_size(4); }, "node 'interpolate'",
     "epilogue.slope"},
    {"bent_offset_channels",
     [](TbitBuilder& b) {
       bent_affine(b).offset = b.blob(std::vector<double>{1, 2, 3});
     },
     "node 'interpolate'", "epilogue.offset"},
    {"bent_offset_infinite", [](TbitBuilder& b) { bent_affine(b).offset = b.blob(std::vector<double>{INFINITY}); },
     "node 'interpolate'", "epilogue.offset"},
    {"quantize_to_real", [](TbitBuilder& b) { node(b, kQuantizeNode).op.AsQuantize()->epilogue = b.identity(); },
     "node 'quantize'", "epilogue.form"},
};

const auto kName = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(Models, Validation, testing::ValuesIn(kModels), kName);
INSTANTIATE_TEST_SUITE_P(Nodes, Validation, testing::ValuesIn(kNodes), kName);
INSTANTIATE_TEST_SUITE_P(Linear, Validation, testing::ValuesIn(kLinear), kName);
INSTANTIATE_TEST_SUITE_P(Epilogues, Validation, testing::ValuesIn(kEpilogues), kName);

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
