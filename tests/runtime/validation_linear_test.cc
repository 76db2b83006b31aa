// Every field of linear layers and their epilogues that a file can get wrong.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/bent_model.h"
#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

class LinearValidation : public testing::TestWithParam<Bent> {};

TEST_P(LinearValidation, NamesThePartAndTheField) { expect_refused(GetParam()); }

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

constexpr int64_t kBeyondOffset = (int64_t{1} << 62) + 1;

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
    {"fixed_line_missing", [](TbitBuilder& b) { fixed_point(b).line.reset(); }, kAverage, "epilogue.line is missing"},
    {"fixed_multiplier", [](TbitBuilder& b) { fixed_point(b).line->multiplier = b.blob(std::vector{INT32_MIN}); },
     kAverage, "epilogue.line.multiplier"},
    {"fixed_offset_low", [](TbitBuilder& b) { fixed_point(b).line->offset = b.blob(std::vector{-kBeyondOffset}); },
     kAverage, "epilogue.line.offset"},
    {"fixed_offset_high", [](TbitBuilder& b) { fixed_point(b).below->offset = b.blob(std::vector{kBeyondOffset}); },
     kAverage, "epilogue.below.offset"},
    {"fixed_offset_missing", [](TbitBuilder& b) { fixed_point(b).line->offset.reset(); }, kAverage,
     "epilogue.line.offset"},
    {"fixed_shift_small", [](TbitBuilder& b) { fixed_point(b).line->shift = b.blob(std::vector<uint8_t>{31}); },
     kAverage, "epilogue.line.shift"},
    {"fixed_shift_large", [](TbitBuilder& b) { fixed_point(b).below->shift = b.blob(std::vector<uint8_t>{63}); },
     kAverage, "epilogue.below.shift"},
    {"fixed_shift_size",
     [](TbitBuilder& b) {
       fixed_point(b).line->shift = b.blob(std::vector<uint8_t>{32, 32});
     },
     kAverage, "epilogue.line.shift"},
    {"fixed_knee_alone", [](TbitBuilder& b) { fixed_point(b).below.reset(); }, kAverage, "epilogue.below"},
    {"fixed_below_alone", [](TbitBuilder& b) { fixed_point(b).knee.reset(); }, kAverage, "epilogue.below"},
    {"fixed_knee_size",
     [](TbitBuilder& b) {
       fixed_point(b).knee = b.blob(std::vector<int32_t>{1, 2});
     },
     kAverage, "epilogue.knee"},
    {"fixed_below_channels",
     [](TbitBuilder& b) {
       fixed_point(b).below = b.fixed_point_line({1, 2, 3}, {1, 2, 3}, {32, 32, 32});
     },
     kAverage, "epilogue.below"},
    {"fixed_limits", [](TbitBuilder& b) { fixed_point(b).lowest = 255, fixed_point(b).highest = 254; }, kAverage,
     "epilogue.lowest"},
    {"fixed_to_real",
     [](TbitBuilder& b) { tensor(b, node(b, kAveragePoolNode).outputs[0]).element = plain::Element::Real; }, kAverage,
     "epilogue.form"},
    {"fixed_of_reals",
     [](TbitBuilder& b) {
       node(b, kQuantizeNode).op.AsQuantize()->epilogue = b.fixed_point(b.fixed_point_line({1}, {0}, {32}), 3);
     },
     "node 'quantize'", "epilogue.form"},
    {"quantize_to_real", [](TbitBuilder& b) { node(b, kQuantizeNode).op.AsQuantize()->epilogue = b.identity(); },
     "node 'quantize'", "epilogue.form"},
};

INSTANTIATE_TEST_SUITE_P(Layers, LinearValidation, testing::ValuesIn(kLinear), bent_name);
INSTANTIATE_TEST_SUITE_P(Epilogues, LinearValidation, testing::ValuesIn(kEpilogues), bent_name);

}  // namespace
}  // namespace tidbit::test
