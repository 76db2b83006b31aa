#include "tools/make/network_builder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/make/random.h"

namespace tidbit::tools::make {
namespace {

constexpr const char* kQuantizers = "qonnx.custom_op.general";
constexpr float kImageScale = 2.64f / 127;  // ImageNet's pixels, normalised, are -2.12 to 2.64
constexpr double kEpsilon = 1e-5;

double root_mean_square(std::span<const float> values) {
  const double squares = std::transform_reduce(values.begin(), values.end(), 0.0, std::plus<>(),
                                               [](float x) { return static_cast<double>(x) * x; });
  return std::sqrt(squares / static_cast<double>(values.size()));
}

float largest_magnitude(std::span<const float> values) {
  return std::abs(*std::ranges::max_element(values, {}, [](float x) { return std::abs(x); }));
}

/// One extent for all rows, then ones.
compiler::Shape scale_shape(const compiler::Shape& weights) {
  compiler::Shape shape(weights.size(), 1);
  shape[0] = weights[0];
  return shape;
}

}  // namespace

NetworkBuilder::NetworkBuilder(const std::string& name, const BuilderOptions& options, Calibration calibration)
    : graph_(name), options_(options), calibration_(std::move(calibration)) {
  if (options.format == Format::Qonnx) graph_.import_domain(kQuantizers, 1);
}

int64_t NetworkBuilder::wide(int64_t channels) const {
  constexpr int64_t kMultiple = 8;
  const double eights = options_.width * static_cast<double>(channels) / kMultiple;
  return kMultiple * std::max<int64_t>(1, std::llround(eights));
}

std::vector<float> NetworkBuilder::calibrated(const std::string& parameter, size_t count, float otherwise) const {
  const auto found = calibration_.find(parameter);
  return found == calibration_.end() ? std::vector<float>(count, otherwise) : found->second;
}

std::string NetworkBuilder::unnamed(const char* op) { return std::string(op) + "_" + std::to_string(unnamed_[op]++); }

Value NetworkBuilder::node(const char* op, const std::vector<Value>& inputs, compiler::Shape shape) {
  const std::string name = unnamed(op);
  std::vector<std::string> names;
  for (const Value& input : inputs) names.push_back(input.name);
  graph_.node(name, op, names);
  return {name, std::move(shape)};
}

// --- Layers with weights

NetworkBuilder::Parameters NetworkBuilder::random_parameters(const std::string& name, int64_t rows, int64_t depth,
                                                             const LayerOptions& options) {
  Random random(options_.seed, name);
  const auto count = static_cast<size_t>(rows);
  Parameters result;
  result.weights.resize(count * static_cast<size_t>(depth));
  const double deviation = std::sqrt(2 / static_cast<double>(depth));  // He et al., 2015
  for (auto row = result.weights.begin(); row != result.weights.end(); row += depth) {
    const double of_row = deviation * std::exp(0.3 * random.normal());
    std::generate_n(row, depth, [&] { return static_cast<float>(of_row * random.normal()); });
  }
  for (size_t i = 0; i < count; ++i) result.offset.push_back(static_cast<float>(0.3 * options.gain * random.normal()));
  if (!options.batch_norm) return result;
  for (size_t i = 0; i < count; ++i) {
    const double sign = random.uniform() < 0.05 ? -1 : 1;  // training turns a few round
    result.gain.push_back(static_cast<float>(sign * options.gain * std::exp(0.25 * random.normal())));
  }
  result.mean = calibrated(name + ".mean", count, 0);
  result.variance = calibrated(name + ".variance", count, 1);
  return result;
}

Value NetworkBuilder::layer(const std::string& name, const char* op, const Value& x,
                            const compiler::Shape& weight_shape, compiler::Shape shape, const LayerOptions& options) {
  const int64_t depth = compiler::elements(weight_shape) / weight_shape[0];
  Parameters parameters = random_parameters(name, weight_shape[0], depth, options);
  const bool convolves = weight_shape.size() == 4, normalises = options.batch_norm;
  std::vector<std::string> inputs{x.name};
  Value sum{normalises && options_.format == Format::Qonnx ? name + ".conv" : name, std::move(shape)};
  if (options_.format == Format::Qdq) {
    inputs = folded_layer(name, x, weight_shape, parameters, convolves);
  } else {
    inputs.push_back(quantized_weights(name, weight_shape, parameters, options));
    if (!normalises) {
      inputs.push_back(graph_.constant(name + ".bias", {weight_shape[0]}, std::span<const float>(parameters.offset)));
    }
  }
  NodeWriter writer = graph_.node(sum.name, op, inputs);
  if (convolves) {
    set_window(writer, {options.kernel, options.stride, options.padding}).set("group", options.groups);
  } else {
    writer.set("transB", int64_t{1});
  }
  if (!normalises) return sum;
  deviations_[name] = std::hypot(root_mean_square(parameters.gain), root_mean_square(parameters.offset));
  return options_.format == Format::Qdq ? sum : batch_normalization(name, sum, parameters);
}

std::string NetworkBuilder::quantized_weights(const std::string& name, const compiler::Shape& shape,
                                              const Parameters& parameters, const LayerOptions& options) {
  const std::span<const float> weights = parameters.weights;
  std::string reals = graph_.constant(name + ".weight", shape, weights);
  const int bits = options.edge ? options_.precision.edge().weight_bits : options_.precision.weight_bits;
  if (bits == 0) return reals;
  const bool ternary = options.ternary && bits == 2, narrow = ternary || bits == 8;
  std::vector<float> scales;
  const size_t depth = weights.size() / static_cast<size_t>(shape[0]);
  for (size_t row = 0; row < weights.size(); row += depth) {
    const std::span<const float> of_row = weights.subspan(row, depth);
    const double step = bits == 1 ? normal_step(1) / 2 : ternary ? kTernaryStep : normal_step(bits);
    scales.push_back(static_cast<float>(step * root_mean_square(of_row)));
  }
  const std::string scale = graph_.constant(name + ".weight_scale", scale_shape(shape), std::span<const float>(scales));
  std::string quantized = name + ".weight_quant";
  if (bits == 1) {
    graph_.node(quantized, "BipolarQuant", {reals, scale}).domain(kQuantizers);
    return quantized;
  }
  const std::string zero = graph_.scalar(name + ".weight_zero", 0);
  const std::string width = graph_.scalar(name + ".weight_bits", static_cast<float>(bits));
  graph_.node(quantized, "Quant", {reals, scale, zero, width})
      .domain(kQuantizers)
      .set("signed", int64_t{1})
      .set("narrow", int64_t{narrow})
      .set("rounding_mode", "ROUND");
  return quantized;
}

/// The inputs of a QDQ layer: the batch normalization goes into weights and bias, which become int8 and int32.
std::vector<std::string> NetworkBuilder::folded_layer(const std::string& name, const Value& x,
                                                      const compiler::Shape& weight_shape, Parameters parameters,
                                                      bool per_row) {
  const auto rows = static_cast<size_t>(weight_shape[0]);
  const size_t depth = parameters.weights.size() / rows;
  const std::span<float> weights = parameters.weights;
  for (size_t row = 0; row < rows && !parameters.gain.empty(); ++row) {
    const double slope = parameters.gain[row] / std::sqrt(parameters.variance[row] + kEpsilon);
    for (float& weight : weights.subspan(row * depth, depth)) weight = static_cast<float>(weight * slope);
    parameters.offset[row] = static_cast<float>(parameters.offset[row] - slope * parameters.mean[row]);
  }
  std::vector<float> scales(per_row ? rows : 1);
  for (size_t i = 0; i < scales.size(); ++i) {
    const size_t share = weights.size() / scales.size();
    scales[i] = largest_magnitude(weights.subspan(i * share, share)) / 127;
  }
  std::vector<int8_t> codes;
  std::vector<int32_t> bias;
  std::vector<float> bias_scales;
  for (size_t row = 0; row < rows; ++row) {
    const float scale = scales[per_row ? row : 0];
    for (const float weight : weights.subspan(row * depth, depth)) {
      codes.push_back(static_cast<int8_t>(std::nearbyint(weight / scale)));
    }
    bias_scales.push_back(static_cast<float>(scale * x.scale));
    bias.push_back(static_cast<int32_t>(std::nearbyint(parameters.offset[row] / bias_scales.back())));
  }
  if (!per_row) bias_scales.resize(1);
  const auto shape_of = [&](const std::vector<float>& values) {
    return per_row ? compiler::Shape{static_cast<int64_t>(values.size())} : compiler::Shape{};
  };
  const auto dequantized = [&](const std::string& part, const compiler::Shape& shape, const auto& integers,
                               const std::vector<float>& part_scales) {
    using Integer = std::decay_t<decltype(integers[0])>;
    const std::vector<Integer> zeros(part_scales.size(), 0);
    std::string prefix = name + "." + part;
    graph_
        .node(prefix, "DequantizeLinear",
              {graph_.constant(prefix + "_codes", shape, std::span<const Integer>(integers)),
               graph_.constant(prefix + "_scale", shape_of(part_scales), std::span<const float>(part_scales)),
               graph_.constant(prefix + "_zero", shape_of(part_scales), std::span<const Integer>(zeros))})
        .set("axis", int64_t{0});
    return prefix;
  };
  return {x.name, dequantized("weight", weight_shape, codes, scales),
          dequantized("bias", {weight_shape[0]}, bias, bias_scales)};
}

Value NetworkBuilder::batch_normalization(const std::string& name, const Value& x, const Parameters& parameters) {
  const auto constant = [&](const char* part, const std::vector<float>& values) {
    return graph_.constant(name + "." + part, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
  };
  graph_
      .node(name, "BatchNormalization",
            {x.name, constant("gain", parameters.gain), constant("offset", parameters.offset),
             constant("mean", parameters.mean), constant("variance", parameters.variance)})
      .set("epsilon", kEpsilon);
  return {name, x.shape};
}

Value NetworkBuilder::convolution(const std::string& name, const Value& x, int64_t channels,
                                  const LayerOptions& options) {
  const WindowOptions window{options.kernel, options.stride, options.padding};
  return layer(name, "Conv", x, {channels, x.shape[1] / options.groups, options.kernel, options.kernel},
               slid_over(x.shape, channels, window), options);
}

Value NetworkBuilder::linear(const std::string& name, const Value& x, int64_t features, const LayerOptions& options) {
  return layer(name, "Gemm", x, {features, x.shape[1]}, {x.shape[0], features}, options);
}

// --- Quantizers

Value NetworkBuilder::image(const compiler::Shape& shape) {
  Value pixels = graph_.input("image", shape);
  if (options_.precision.edge().activation_bits == 0) return pixels;
  if (options_.format == Format::Qdq) return quantize_dequantize("image_quant", pixels, Codes::Signed, kImageScale);
  return fake_quantize("image_quant", pixels, Codes::Signed, 8, kImageScale);
}

Value NetworkBuilder::quantize(const std::string& name, const Value& x, Codes codes, const std::string& scale_of) {
  return quantize_to(name, x, codes, options_.precision.activation_bits, scale_of);
}

Value NetworkBuilder::quantize_to(const std::string& name, const Value& x, Codes codes, int bits,
                                  const std::string& scale_of) {
  if (options_.precision.activation_bits == 0) return x;
  const std::string parameter = (scale_of.empty() ? name : scale_of) + ".scale";
  // What is never negative is half of a normal distribution: of the levels on both sides it takes those on one.
  const double factor = codes == Codes::Unsigned ? std::numbers::sqrt2 * normal_step(bits + 1)
                        : bits == 1              ? normal_step(1) / 2
                                                 : normal_step(bits);
  scale_rules_[name] = {parameter, factor};
  const float scale = calibrated(parameter, 1, 1)[0];
  return options_.format == Format::Qdq ? quantize_dequantize(name, x, codes, scale)
                                        : fake_quantize(name, x, codes, bits, scale);
}

Value NetworkBuilder::fake_quantize(const std::string& name, const Value& x, Codes codes, int bits, float scale) {
  const std::string step = graph_.scalar(name + ".scale", scale);
  if (codes == Codes::Signed && bits == 1) {
    graph_.node(name, "BipolarQuant", {x.name, step}).domain(kQuantizers);
  } else {
    const std::string zero = graph_.scalar(name + ".zero", 0);
    const std::string width = graph_.scalar(name + ".bits", static_cast<float>(bits));
    graph_.node(name, "Quant", {x.name, step, zero, width})
        .domain(kQuantizers)
        .set("signed", int64_t{codes == Codes::Signed})
        .set("narrow", int64_t{0})
        .set("rounding_mode", "ROUND");
  }
  return {name, x.shape, scale, codes};
}

/// uint8 either way, which int8 weights are multiplied with fastest on x86.
Value NetworkBuilder::quantize_dequantize(const std::string& name, const Value& x, Codes codes, float scale) {
  const uint8_t zero = codes == Codes::Signed ? 128 : 0;
  const std::string step = graph_.scalar(name + ".scale", scale);
  const std::string zero_point = graph_.constant(name + ".zero", {}, std::span<const uint8_t>(&zero, 1));
  graph_.node(name + ".codes", "QuantizeLinear", {x.name, step, zero_point});
  graph_.node(name, "DequantizeLinear", {name + ".codes", step, zero_point});
  return {name, x.shape, scale, codes};
}

}  // namespace tidbit::tools::make
