// What NetworkBuilder has without weights.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/make/network_builder.h"
#include "tools/make/random.h"

namespace tidbit::tools::make {
namespace {

int64_t outputs_along(int64_t extent, const WindowOptions& window) {
  return (extent + 2 * window.padding - window.kernel) / window.stride + 1;
}

std::vector<int64_t> twice(int64_t value) { return {value, value}; }

}  // namespace

compiler::Shape slid_over(const compiler::Shape& image, int64_t channels, const WindowOptions& window) {
  return {image[0], channels, outputs_along(image[2], window), outputs_along(image[3], window)};
}

NodeWriter set_window(NodeWriter writer, const WindowOptions& window) {
  return writer.set("kernel_shape", twice(window.kernel))
      .set("strides", twice(window.stride))
      .set("pads", std::vector<int64_t>(4, window.padding));
}

// --- Activations

Value NetworkBuilder::relu(const Value& x) { return node("Relu", {x}, x.shape); }
Value NetworkBuilder::sigmoid(const Value& x) { return node("Sigmoid", {x}, x.shape); }

Value NetworkBuilder::softmax(const Value& x) {
  Value result{unnamed("Softmax"), x.shape};
  graph_.node(result.name, "Softmax", {x.name}).set("axis", int64_t{-1});
  return result;
}

Value NetworkBuilder::leaky_relu(const Value& x, double slope) {
  Value result{unnamed("LeakyRelu"), x.shape};
  graph_.node(result.name, "LeakyRelu", {x.name}).set("alpha", slope);
  return result;
}

Value NetworkBuilder::prelu(const std::string& name, const Value& x) {
  Random random(options_.seed, name);
  std::vector<float> slopes(static_cast<size_t>(x.shape[1]));
  std::ranges::generate(slopes, [&] { return static_cast<float>(0.25 * std::exp(0.5 * random.normal())); });
  graph_.node(name, "PRelu",
              {x.name, graph_.constant(name + ".slope", {x.shape[1], 1, 1}, std::span<const float>(slopes))});
  return {name, x.shape};
}

// --- What moves or pools pixels

/// What moves codes stands between pairs of one scale in QDQ, as runtimes expect it.
Value NetworkBuilder::still_codes(Value moved, const Value& from) {
  moved.scale = from.scale;
  moved.codes = from.codes;
  if (options_.format != Format::Qdq || from.scale == 0) return moved;
  return quantize_dequantize(moved.name + ".quant", moved, from.codes, from.scale);
}

Value NetworkBuilder::max_pool(const Value& x, const WindowOptions& window) {
  const Value pooled{unnamed("MaxPool"), slid_over(x.shape, x.shape[1], window)};
  set_window(graph_.node(pooled.name, "MaxPool", {x.name}), window);
  return still_codes(pooled, x);
}

Value NetworkBuilder::average_pool(const Value& x, const WindowOptions& window) {
  Value pooled{unnamed("AveragePool"), slid_over(x.shape, x.shape[1], window)};
  set_window(graph_.node(pooled.name, "AveragePool", {x.name}), window).set("count_include_pad", int64_t{1});
  return pooled;
}

Value NetworkBuilder::global_average_pool(const Value& x) {
  return node("GlobalAveragePool", {x}, {x.shape[0], x.shape[1], 1, 1});
}

Value NetworkBuilder::flatten(const Value& x) {
  return still_codes(node("Flatten", {x}, {x.shape[0], compiler::elements(x.shape) / x.shape[0]}), x);
}

Value NetworkBuilder::upsample(const Value& x, const char* mode, const char* coordinates) {
  constexpr float kScales[] = {1, 1, 2, 2};
  Value result{unnamed("Resize"), {x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3]}};
  const std::string scales = graph_.constant(result.name + ".scales", {4}, std::span<const float>(kScales));
  graph_.node(result.name, "Resize", {x.name, "", scales})
      .set("mode", mode)
      .set("coordinate_transformation_mode", coordinates)
      .set("nearest_mode", "floor");
  return result;
}

Value NetworkBuilder::upsample_nearest(const Value& x) { return still_codes(upsample(x, "nearest", "asymmetric"), x); }
Value NetworkBuilder::upsample_bilinear(const Value& x) { return upsample(x, "linear", "align_corners"); }

Value NetworkBuilder::l2_normalize(const Value& x, float gain) {
  const Value unit{unnamed("LpNormalization"), x.shape};
  graph_.node(unit.name, "LpNormalization", {x.name}).set("axis", int64_t{1}).set("p", int64_t{2});
  return combine("Mul", unit, constant(unit.name + ".gain", {}, std::span<const float>(&gain, 1)));
}

// --- What takes several values

/// In QDQ both operands are codes; a layer's result, which elsewhere stays a sum up to the next quantizer, gets a
/// quantizer of its own.
Value NetworkBuilder::add(const Value& a, const Value& b) {
  const auto as_codes = [&](const Value& x) {
    if (options_.format != Format::Qdq || x.scale != 0) return x;
    return quantize_dequantize(x.name + ".quant", x, Codes::Signed,
                               static_cast<float>(normal_step(8) * deviations_.at(x.name)));
  };
  return node("Add", {as_codes(a), as_codes(b)}, a.shape);
}

Value NetworkBuilder::concatenate(const std::vector<Value>& parts, size_t axis) {
  Value joined{unnamed("Concat"), parts[0].shape};
  std::vector<std::string> names;
  joined.shape[axis] = 0;
  for (const Value& part : parts) {
    names.push_back(part.name);
    joined.shape[axis] += part.shape[axis];
  }
  graph_.node(joined.name, "Concat", names).set("axis", static_cast<int64_t>(axis));
  return still_codes(joined, parts[0]);
}

Value NetworkBuilder::constant(const std::string& name, const compiler::Shape& shape, std::span<const float> values) {
  return {graph_.constant(name, shape, values), shape};
}

Value NetworkBuilder::combine(const char* op, const Value& a, const Value& b) { return node(op, {a, b}, a.shape); }

// --- What takes reals apart

Value NetworkBuilder::reshape(const Value& x, const compiler::Shape& shape) {
  Value result{unnamed("Reshape"), shape};
  graph_.node(result.name, "Reshape",
              {x.name, graph_.constant(result.name + ".shape", {static_cast<int64_t>(shape.size())},
                                       std::span<const int64_t>(shape))});
  return result;
}

Value NetworkBuilder::transpose(const Value& x, const std::vector<int64_t>& permutation) {
  Value result{unnamed("Transpose"), {}};
  for (const int64_t axis : permutation) result.shape.push_back(x.shape[static_cast<size_t>(axis)]);
  graph_.node(result.name, "Transpose", {x.name}).set("perm", permutation);
  return result;
}

Value NetworkBuilder::slice(const Value& x, size_t axis, int64_t begin, int64_t end) {
  Value result{unnamed("Slice"), x.shape};
  result.shape[axis] = end - begin;
  const auto number = [&](const char* part, int64_t value) {
    return graph_.constant(result.name + part, {1}, std::span<const int64_t>(&value, 1));
  };
  graph_.node(result.name, "Slice",
              {x.name, number(".begin", begin), number(".end", end), number(".axis", static_cast<int64_t>(axis))});
  return result;
}

Value NetworkBuilder::select_boxes(const Value& boxes, const Value& scores, int64_t most_per_class, float overlap,
                                   float score) {
  Value selected{unnamed("NonMaxSuppression"), {0, 3}};
  const std::string most = graph_.constant(selected.name + ".most", {}, std::span<const int64_t>(&most_per_class, 1));
  graph_.node(selected.name, "NonMaxSuppression",
              {boxes.name, scores.name, most, graph_.scalar(selected.name + ".overlap", overlap),
               graph_.scalar(selected.name + ".score", score)});
  return selected;
}

// --- Outputs

void NetworkBuilder::output(const std::string& name, const Value& value) {
  graph_.node(name, "Identity", {value.name});
  graph_.output({name, value.shape});
}

void NetworkBuilder::output_indices(const std::string& name, const Value& value) {
  graph_.node(name, "Identity", {value.name});
  graph_.output({name, value.shape}, onnx::TensorProto::INT64);
}

}  // namespace tidbit::tools::make
