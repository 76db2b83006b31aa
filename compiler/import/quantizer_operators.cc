// Quant (IntQuant), BipolarQuant and Trunc of QONNX: github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

Rounding read_rounding(const NodeImport& node, const char* otherwise) {
  struct Name {
    std::string_view name;
    Rounding rounding;
  };
  static constexpr Name kNames[] = {
      {"ROUND", Rounding::HalfEven},  {"HALF_EVEN", Rounding::HalfEven},       {"CEIL", Rounding::Ceil},
      {"FLOOR", Rounding::Floor},     {"ROUND_TO_ZERO", Rounding::TowardZero}, {"DOWN", Rounding::TowardZero},
      {"UP", Rounding::AwayFromZero}, {"HALF_UP", Rounding::HalfUp},           {"HALF_DOWN", Rounding::HalfDown},
  };
  std::string mode = node.text("rounding_mode", otherwise);
  for (char& c : mode) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const Name& name : kNames) {
    if (name.name == mode) return name.rounding;
  }
  node.fail(fmt::format("rounding_mode '{}' is unknown", mode));
}

int read_bits(const NodeImport& node, size_t input) {
  const double bits = node.constant_scalar(input, "the bit width");
  if (!(bits >= 1 && bits <= 32) || bits != std::floor(bits)) {
    node.fail(fmt::format("a bit width of {} is not supported; it must be one of 1 to 32", bits));
  }
  return static_cast<int>(bits);
}

/// A tensor of one number is a scalar, which fits everything.
Tensor parameter(const NodeImport& node, size_t input, std::string_view what) {
  Tensor tensor = node.constant(input, what);
  if (tensor.data.size() == 1) tensor.shape.clear();
  for (const double value : tensor.data) {
    if (!std::isfinite(value)) node.fail(fmt::format("{} is not finite", what));
  }
  return tensor;
}

Tensor read_scale(const NodeImport& node, size_t input) {
  Tensor scale = parameter(node, input, "the scale");
  const auto positive = [](double value) { return value > 0; };
  if (!std::all_of(scale.data.begin(), scale.data.end(), positive)) node.fail("the scale must be positive");
  return scale;
}

struct Range {
  double lowest, highest;
};

Range integer_range(int bits, bool is_signed, bool narrow) {
  if (!is_signed) return {0, std::exp2(bits) - 1 - narrow};
  return {-std::exp2(bits - 1) + narrow, std::exp2(bits - 1) - 1};
}

Quantizer bipolar(Tensor scale) {
  return {.scale = std::move(scale), .zero_point = Tensor::scalar(0), .lowest = -1, .highest = 1, .bipolar = true};
}

/// x, scale, zero point, bits
ValueId quant(NodeImport& node) {
  Quantizer quantizer = {.scale = read_scale(node, 1), .zero_point = parameter(node, 2, "the zero point")};
  const int bits = read_bits(node, 3);
  const bool is_signed = node.integer("signed", 1) != 0, narrow = node.integer("narrow", 0) != 0;
  quantizer.rounding = read_rounding(node, "ROUND");
  const Range range = integer_range(bits, is_signed, narrow);
  quantizer.lowest = range.lowest;
  quantizer.highest = range.highest;
  // QONNX's reference takes one signed bit for -1 and +1, though two's complement would be -1 and 0.
  if (bits == 1 && is_signed) {
    const auto zero = [](double value) { return value == 0; };
    if (!std::all_of(quantizer.zero_point.data.begin(), quantizer.zero_point.data.end(), zero)) {
      node.fail("1 signed bit with a zero point is not supported");
    }
    quantizer = bipolar(std::move(quantizer.scale));
  }
  return node.emit(op::FakeQuant{std::move(quantizer)}, {node.input(0)});
}

/// x, scale
ValueId bipolar_quant(NodeImport& node) {
  return node.emit(op::FakeQuant{bipolar(read_scale(node, 1))}, {node.input(0)});
}

double single(const NodeImport& node, const Tensor& tensor, std::string_view what) {
  if (tensor.data.size() != 1) node.fail(fmt::format("{} must be one number", what));
  return tensor.data[0];
}

/// Version 1: x, scale, zero point, bits in, bits out. The result keeps the scale and the zero point.
void read_trunc_1(const NodeImport& node, op::Trunc& trunc) {
  trunc.divisor = std::exp2(read_bits(node, 3) - read_bits(node, 4));
  trunc.lowest = -std::numeric_limits<double>::infinity();
  trunc.highest = std::numeric_limits<double>::infinity();
  trunc.output_scale = trunc.scale;
  trunc.output_zero_point = trunc.zero_point;
}

/// Version 2: x, scale, zero point, bits in, output scale, [output zero point], bits out. The result is clamped.
void read_trunc_2(const NodeImport& node, op::Trunc& trunc) {
  read_bits(node, 3);
  trunc.output_scale = single(node, read_scale(node, 4), "the output's scale");
  trunc.divisor = std::exp2(std::nearbyint(std::log2(trunc.output_scale / trunc.scale)));
  trunc.output_zero_point = trunc.zero_point / trunc.divisor;
  const size_t last = node.input_count() - 1;
  if (last == 6) {
    const double zero_point = single(node, parameter(node, 5, "the output's zero point"), "the output's zero point");
    if (zero_point != trunc.output_zero_point) {
      node.fail(fmt::format("the output's zero point must be {}, the input's by the divisor", trunc.output_zero_point));
    }
  }
  const Range range =
      integer_range(read_bits(node, last), node.integer("signed", 1) != 0, node.integer("narrow", 0) != 0);
  trunc.lowest = range.lowest;
  trunc.highest = range.highest;
}

ValueId trunc(NodeImport& node) {
  op::Trunc op;
  op.scale = single(node, read_scale(node, 1), "the scale");
  op.zero_point = single(node, parameter(node, 2, "the zero point"), "the zero point");
  op.rounding = read_rounding(node, "FLOOR");
  if (node.input_count() == 5) {
    read_trunc_1(node, op);
  } else {
    read_trunc_2(node, op);
  }
  return node.emit(op, {node.input(0)});
}

/// The quantizer whose grid holds scale * count + bias for counts up to `steps`: in units of scale, or of half of it.
std::optional<Quantizer> quantizer_of_counts(double scale, double bias, double steps) {
  for (const double unit : {scale, scale / 2}) {
    const double lowest = bias / unit;
    if (lowest != std::floor(lowest)) continue;
    const double highest = lowest + steps * scale / unit;
    return Quantizer{.scale = Tensor::scalar(unit),
                     .zero_point = Tensor::scalar(0),
                     .lowest = lowest,
                     .highest = highest,
                     .bipolar = lowest == -1 && highest == 1 && steps == 1};
  }
  return std::nullopt;
}

/// x, thresholds [channels or 1, steps]. Channels are axis 1 of matrices and NCHW images, else the last.
ValueId multi_threshold(NodeImport& node) {
  Tensor thresholds = node.constant(1, "the thresholds");
  if (thresholds.shape.size() != 2 || thresholds.shape[0] < 1) {
    node.fail(fmt::format("the thresholds must be [channels, steps], not {}", to_string(thresholds.shape)));
  }
  const std::string layout = node.text("data_layout", "NCHW");
  if (layout != "NCHW" && layout != "NHWC" && layout != "NC")
    node.fail(fmt::format("data_layout '{}' is unknown", layout));
  const bool first = node.rank(0) == 4 && layout == "NCHW";
  op::MultiThreshold op;
  op.axis = first ? 1 : static_cast<int>(node.rank(0)) - 1;
  op.channels = thresholds.shape[0];
  const int64_t steps = thresholds.shape[1];
  for (auto row = thresholds.data.begin(); steps > 0 && row != thresholds.data.end(); row += steps) {
    std::sort(row, row + steps);
  }
  op.thresholds = std::move(thresholds.data);
  const double scale = node.real("out_scale", 1), bias = node.real("out_bias", 0);
  if (!(scale > 0) || !std::isfinite(scale) || !std::isfinite(bias)) node.fail("out_scale must be positive and finite");
  ValueId result = node.emit(std::move(op), {node.input(0)});
  if (scale != 1) {
    result = node.emit(op::Binary{op::BinaryFunction::Mul}, {result, node.constant(Tensor::scalar(scale))});
  }
  if (bias != 0) {
    result = node.emit(op::Binary{op::BinaryFunction::Add}, {result, node.constant(Tensor::scalar(bias))});
  }
  const auto quantizer = quantizer_of_counts(scale, bias, static_cast<double>(steps));
  return quantizer ? node.emit(op::FakeQuant{*quantizer}, {result}) : result;
}

}  // namespace

std::span<const OperatorImport> quantizer_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"BipolarQuant", 2, 2, bipolar_quant},
      {"IntQuant", 4, 4, quant},
      {"MultiThreshold", 2, 2, multi_threshold},
      {"Quant", 4, 4, quant},
      {"Trunc", 5, 7, trunc},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
