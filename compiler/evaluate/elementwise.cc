#include "compiler/elementwise.h"

#include <algorithm>
#include <cmath>

#include "compiler/evaluate/operators.h"
#include "compiler/graph_shapes.h"

namespace tidbit::compiler {
namespace {

/// y[i] = function(x[i])
template <class Function>
Tensor each(const Call& call, Function function) {
  Tensor result = call.input(0);
  for (double& value : result.data) value = function(value);
  return result;
}

/// y[i] = function(x[i], channel); the channel is the index along the last axis.
template <class Function>
Tensor each_with_channel(const Call& call, Function function) {
  Tensor result = call.input(0);
  const size_t channels = result.shape.empty() ? 1 : static_cast<size_t>(result.shape.back());
  for (size_t i = 0; i < result.data.size(); ++i) result.data[i] = function(result.data[i], i % channels);
  return result;
}

double step_of_map(const op::MapStep& step, double x, size_t channel) {
  const auto a = [&] { return step.a[step.a.size() == 1 ? 0 : channel]; };
  const auto b = [&] { return step.b[step.b.size() == 1 ? 0 : channel]; };
  switch (step.function) {
    case op::MapStep::Function::Affine:
      return x * a() + b();
    case op::MapStep::Function::Clamp:
      return clip(x, a(), b());
    case op::MapStep::Function::LeakyRelu:
      return leaky_relu(x, a());
    case op::MapStep::Function::Sigmoid:
      return apply(op::UnaryFunction::Sigmoid, x);
    case op::MapStep::Function::Tanh:
      return apply(op::UnaryFunction::Tanh, x);
    case op::MapStep::Function::FakeQuant:
      return (clip(round_to_integer(x / a() + b(), step.rounding), step.lowest, step.highest) - b()) * a();
    case op::MapStep::Function::Bipolar:
      return x >= 0 ? a() : -a();
    case op::MapStep::Function::Exp:
      return apply(op::UnaryFunction::Exp, x);
    case op::MapStep::Function::Log:
      return apply(op::UnaryFunction::Log, x);
    case op::MapStep::Function::Sqrt:
      return apply(op::UnaryFunction::Sqrt, x);
    case op::MapStep::Function::Abs:
      return apply(op::UnaryFunction::Abs, x);
    case op::MapStep::Function::Erf:
      return apply(op::UnaryFunction::Erf, x);
    case op::MapStep::Function::HardSwish:
      return apply(op::UnaryFunction::HardSwish, x);
    case op::MapStep::Function::Gelu:
      return apply(op::UnaryFunction::Gelu, x);
    case op::MapStep::Function::GeluTanh:
      return apply(op::UnaryFunction::GeluTanh, x);
    case op::MapStep::Function::Power:
      return apply(op::BinaryFunction::Pow, x, a());
    case op::MapStep::Function::Quotient:
      return apply(op::BinaryFunction::Div, a(), x);
  }
  return x;
}

}  // namespace

std::vector<size_t> broadcast_offsets(const Shape& to, const Shape& from, size_t size) {
  if (elements(to) == 0) return {};
  std::vector<size_t> offsets = {0};
  // From the last axis to the first: what is known repeats along the next one.
  size_t stride = size;
  for (size_t i = 1; i <= to.size(); ++i) {
    const auto extent = static_cast<size_t>(to[to.size() - i]);
    const bool moves = i <= from.size() && from[from.size() - i] != 1;
    std::vector<size_t> longer;
    longer.reserve(offsets.size() * extent);
    for (size_t j = 0; j < extent; ++j) {
      for (const size_t offset : offsets) longer.push_back(offset + (moves ? j * stride : 0));
    }
    offsets = std::move(longer);
    if (moves) stride *= extent;
  }
  return offsets;
}

Tensor evaluate(const op::BatchNormalization& normalization, const Call& call) {
  Tensor result = call.input(0);
  const auto axis = static_cast<ptrdiff_t>(normalization.axis);
  const auto channels = static_cast<size_t>(result.shape[static_cast<size_t>(axis)]);
  const auto inner = static_cast<size_t>(elements({result.shape.begin() + axis + 1, result.shape.end()}));
  const auto parameter = [&](size_t i, size_t channel) { return call.input(i).data[channel]; };
  for (size_t i = 0; i < result.data.size(); ++i) {
    const size_t c = i / inner % channels;
    result.data[i] = batch_normalization(result.data[i], parameter(1, c), parameter(2, c), parameter(3, c),
                                         parameter(4, c), normalization.epsilon);
  }
  return result;
}

Tensor evaluate(const op::Binary& binary, const Call& call) {
  Tensor result = call.output();
  const Tensor &a = call.input(0), &b = call.input(1);
  const std::vector<size_t> a_at = broadcast_offsets(result.shape, a.shape),
                            b_at = broadcast_offsets(result.shape, b.shape);
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = apply(binary.function, a.data[a_at[i]], b.data[b_at[i]]);
  }
  return result;
}

Tensor evaluate(const op::Unary& unary, const Call& call) {
  return each(call, [&](double x) { return apply(unary.function, x); });
}

Tensor evaluate(const op::LeakyRelu& leaky, const Call& call) {
  return each(call, [&](double x) { return leaky_relu(x, leaky.slope); });
}

Tensor evaluate(const op::PRelu&, const Call& call) {
  Tensor result = call.input(0);
  const Tensor& slope = call.input(1);
  const std::vector<size_t> at = broadcast_offsets(result.shape, slope.shape);
  for (size_t i = 0; i < result.data.size(); ++i) result.data[i] = leaky_relu(result.data[i], slope.data[at[i]]);
  return result;
}

Tensor evaluate(const op::Clip& limits, const Call& call) {
  return each(call, [&](double x) { return clip(x, limits.lowest, limits.highest); });
}

Tensor evaluate(const op::Softmax& softmax, const Call& call) {
  Tensor result = call.input(0);
  const size_t rank = result.shape.size();
  const size_t axis = softmax.axis < 0 ? rank - static_cast<size_t>(-softmax.axis) : static_cast<size_t>(softmax.axis);
  const auto count = static_cast<size_t>(result.shape[axis]);
  const auto inner =
      static_cast<size_t>(elements({result.shape.begin() + static_cast<ptrdiff_t>(axis) + 1, result.shape.end()}));
  for (size_t first = 0; first < result.data.size(); first += count * inner) {
    for (size_t i = 0; i < inner; ++i) {
      const auto at = [&](size_t k) -> double& { return result.data[first + k * inner + i]; };
      double highest = at(0), sum = 0;
      for (size_t k = 1; k < count; ++k) highest = std::max(highest, at(k));
      for (size_t k = 0; k < count; ++k) sum += at(k) = std::exp(at(k) - highest);
      for (size_t k = 0; k < count; ++k) at(k) /= sum;
    }
  }
  return result;
}

Tensor evaluate(const op::FakeQuant& quant, const Call& call) {
  const Quantizer& q = quant.quantizer;
  Tensor result = call.input(0);
  const std::vector<size_t> scale_at = broadcast_offsets(result.shape, q.scale.shape);
  const std::vector<size_t> zero_at = broadcast_offsets(result.shape, q.zero_point.shape);
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = fake_quant(q, result.data[i], q.scale.data[scale_at[i]], q.zero_point.data[zero_at[i]]);
  }
  return result;
}

Tensor evaluate(const op::Trunc& truncation, const Call& call) {
  return each(call, [&](double x) { return trunc(truncation, x); });
}

Tensor evaluate(const op::MultiThreshold& multi, const Call& call) {
  Tensor result = call.input(0);
  const auto axis = static_cast<ptrdiff_t>(multi.axis);
  const auto inner = static_cast<size_t>(elements({result.shape.begin() + axis + 1, result.shape.end()}));
  const auto channels = static_cast<size_t>(multi.channels);
  const std::span<const double> thresholds = multi.thresholds;
  const size_t steps = thresholds.size() / channels;
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = reached_thresholds(thresholds.subspan(i / inner % channels * steps, steps), result.data[i]);
  }
  return result;
}

Tensor evaluate(const op::Quantize& quantize, const Call& call) {
  return each_with_channel(call, [&](double x, size_t channel) { return apply(quantize.epilogue, channel, x, 0); });
}

Tensor evaluate(const op::Dequantize& dequantize, const Call& call) {
  const auto levels = static_cast<size_t>(call.grid(0).levels());
  return each_with_channel(call, [&](double code, size_t channel) -> double {
    return dequantize.values[(dequantize.channels == 1 ? 0 : channel) * levels + static_cast<size_t>(code)];
  });
}

Tensor evaluate(const op::Lookup& lookup, const Call& call) {
  const auto levels = static_cast<size_t>(call.grid(0).levels());
  return each_with_channel(call, [&](double code, size_t channel) -> double {
    return lookup.codes[(lookup.channels == 1 ? 0 : channel) * levels + static_cast<size_t>(code)];
  });
}

Tensor evaluate(const op::Combine& combine, const Call& call) {
  const auto levels = static_cast<size_t>(call.grid(1).levels());
  Tensor result = call.input(0);
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] =
        combine.codes[static_cast<size_t>(result.data[i]) * levels + static_cast<size_t>(call.input(1).data[i])];
  }
  return result;
}

Tensor evaluate(const op::ResidualAdd& add, const Call& call) {
  Tensor result = values_of(call, 0);
  const Tensor residual = values_of(call, 1);
  const size_t channels = result.shape.empty() ? 1 : static_cast<size_t>(result.shape.back());
  for (size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = apply(add.epilogue, i % channels, result.data[i], residual.data[i]);
  }
  return result;
}

Tensor evaluate(const op::Map& map, const Call& call) {
  return each_with_channel(call, [&](double x, size_t channel) {
    for (const op::MapStep& step : map.steps) x = step_of_map(step, x, channel);
    return x;
  });
}

}  // namespace tidbit::compiler
