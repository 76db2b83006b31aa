#include "compiler/lowering/chain.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/elementwise.h"
#include "compiler/passes/rewrite.h"

namespace tidbit::compiler {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it

/// The tensor as one value, or as one a channel of the last axis; empty where it varies along another.
std::optional<ChannelValues> channel_values(const Tensor& tensor) {
  if (tensor.data.empty()) return std::nullopt;
  if (std::ranges::all_of(tensor.data, [&](double x) { return x == tensor.data[0]; })) {
    return ChannelValues({tensor.data[0]});
  }
  if (static_cast<int64_t>(tensor.data.size()) != tensor.shape.back()) return std::nullopt;
  return ChannelValues(tensor.data);
}

std::optional<ScalarFunction> batch_normalization_function(const Graph& graph, const Node& node,
                                                           const op::BatchNormalization& norm) {
  if (norm.axis + 1 != static_cast<int>(graph[node.inputs[0]].shape.size())) return std::nullopt;
  ChannelValues parameters[4];
  for (size_t i = 0; i < 4; ++i) {
    const Value& value = graph[node.inputs[i + 1]];
    if (!value.constant) return std::nullopt;
    parameters[i] = ChannelValues(value.constant->data);
  }
  return ScalarFunction{
      ScalarFunction::BatchNormalization{parameters[0], parameters[1], parameters[2], parameters[3], norm.epsilon}};
}

std::optional<ScalarFunction> operand_function(const Graph& graph, const Node& node) {
  const bool first = graph[node.inputs[0]].constant.has_value();
  if (first == graph[node.inputs[1]].constant.has_value()) return std::nullopt;
  const Value& varying = graph[node.inputs[first ? 1 : 0]];
  if (varying.shape != graph[node.outputs[0]].shape) return std::nullopt;  // the constant broadcasts it
  const auto operand = channel_values(*graph[node.inputs[first ? 0 : 1]].constant);
  if (!operand) return std::nullopt;
  if (const auto* binary = std::get_if<op::Binary>(&node.op)) {
    return ScalarFunction{ScalarFunction::Binary{binary->function, *operand, first}};
  }
  if (first) return std::nullopt;
  return ScalarFunction{ScalarFunction::PRelu{*operand}};
}

/// Sign of the function's slope where it has one.
Direction direction_of(const ScalarFunction& function, int64_t channel) {
  const auto of_sign = [](double slope) {
    return slope > 0 ? Direction::Rising : slope < 0 ? Direction::Falling : Direction::Constant;
  };
  return std::visit(
      Overloaded{
          [&](const ScalarFunction::BatchNormalization& f) { return of_sign(f.scale[channel]); },
          [&](const ScalarFunction::Binary& f) {
            const double operand = f.operand[channel];
            switch (f.function) {
              case op::BinaryFunction::Add:
                return Direction::Rising;
              case op::BinaryFunction::Sub:
                return f.operand_first ? Direction::Falling : Direction::Rising;
              case op::BinaryFunction::Mul:
                return of_sign(operand);
              case op::BinaryFunction::Div:
                return f.operand_first || operand == 0 ? Direction::None : of_sign(operand);
              case op::BinaryFunction::Pow:
                return Direction::None;
            }
            return Direction::None;
          },
          [&](const ScalarFunction::PRelu& f) { return f.slope[channel] >= 0 ? Direction::Rising : Direction::None; },
          [](const op::Unary& f) { return never_falls(f.function) ? Direction::Rising : Direction::None; },
          [](const op::Clip&) { return Direction::Rising; },
          [](const ScalarFunction::FakeQuant&) { return Direction::Rising; },
          [](const op::Trunc&) { return Direction::Rising; },
          [](const ScalarFunction::MultiThreshold&) { return Direction::Rising; },
      },
      function.form);
}

/// Composes: `form` becomes clamp(slope*form + offset). A side without a bound keeps none, even where the slope is 0.
void apply_line(AffineForm& form, double slope, double offset) {
  if (slope < 0) std::swap(form.lowest, form.highest);
  form.slope *= slope;
  form.offset = form.offset * slope + offset;
  form.lowest = std::isfinite(form.lowest) ? form.lowest * slope + offset : -kInfinity;
  form.highest = std::isfinite(form.highest) ? form.highest * slope + offset : kInfinity;
  if (!form.knee) return;
  form.knee->place = form.knee->place * slope + offset;
  if (slope == 0) form.knee.reset();
  if (slope >= 0) return;
  // The bent side is above now: the line through it is bent below, back to the other one.
  const auto [place, below] = *form.knee;
  if (below == 0) {
    form.highest = std::min(form.highest, place);
    form.knee.reset();
    return;
  }
  form.slope *= below;
  form.offset = (form.offset - place) * below + place;
  form.knee->below = 1 / below;
}

/// Composes: numbers below 0 are multiplied by `slope`.
bool apply_knee(AffineForm& form, double slope) {
  if (!(slope >= 0) || form.knee) return false;
  for (double* bound : {&form.lowest, &form.highest}) {
    if (std::isfinite(*bound)) *bound = leaky_relu(*bound, slope);
  }
  form.knee = Knee{0, slope};
  return true;
}

bool apply_affine(AffineForm& form, const ScalarFunction& function, int64_t channel) {
  const auto clamp = [&](double lowest, double highest) {
    form.lowest = clip(form.lowest, lowest, highest);
    form.highest = clip(form.highest, lowest, highest);
    return true;
  };
  const auto line = [&](double slope, double offset) {
    apply_line(form, slope, offset);
    return std::isfinite(slope) && std::isfinite(offset);
  };
  return std::visit(
      Overloaded{
          [&](const ScalarFunction::BatchNormalization& f) {
            const double slope = f.scale[channel] / std::sqrt(f.variance[channel] + f.epsilon);
            return line(slope, f.bias[channel] - f.mean[channel] * slope);
          },
          [&](const ScalarFunction::Binary& f) {
            const double operand = f.operand[channel];
            switch (f.function) {
              case op::BinaryFunction::Add:
                return line(1, operand);
              case op::BinaryFunction::Sub:
                return f.operand_first ? line(-1, operand) : line(1, -operand);
              case op::BinaryFunction::Mul:
                return line(operand, 0);
              case op::BinaryFunction::Div:
                return !f.operand_first && line(1 / operand, 0);
              case op::BinaryFunction::Pow:
                return false;
            }
            return false;
          },
          [&](const ScalarFunction::PRelu& f) {
            const double slope = f.slope[channel];
            if (slope == 0 && f.slope.uniform()) return clamp(0, kInfinity);
            return slope == 1 || apply_knee(form, slope);
          },
          [&](const op::Unary& f) { return f.function == op::UnaryFunction::Relu && clamp(0, kInfinity); },
          [&](const op::Clip& f) { return f.lowest <= f.highest && clamp(f.lowest, f.highest); },
          [](const auto&) { return false; },
      },
      function.form);
}

}  // namespace

double ScalarFunction::operator()(double x, int64_t channel) const {
  return std::visit(
      Overloaded{
          [&](const BatchNormalization& f) {
            return batch_normalization(x, f.scale[channel], f.bias[channel], f.mean[channel], f.variance[channel],
                                       f.epsilon);
          },
          [&](const Binary& f) {
            const double operand = f.operand[channel];
            return f.operand_first ? apply(f.function, operand, x) : apply(f.function, x, operand);
          },
          [&](const op::Unary& f) { return apply(f.function, x); },
          [&](const PRelu& f) { return leaky_relu(x, f.slope[channel]); },
          [&](const op::Clip& f) { return clip(x, f.lowest, f.highest); },
          [&](const FakeQuant& f) { return fake_quant(f.quantizer, x, f.scale[channel], f.zero_point[channel]); },
          [&](const op::Trunc& f) { return trunc(f, x); },
          [&](const MultiThreshold& f) { return reached_thresholds(f.of(channel), x); },
      },
      form);
}

bool ScalarFunction::uniform() const {
  return std::visit(Overloaded{
                        [](const BatchNormalization& f) {
                          return f.scale.uniform() && f.bias.uniform() && f.mean.uniform() && f.variance.uniform();
                        },
                        [](const Binary& f) { return f.operand.uniform(); },
                        [](const PRelu& f) { return f.slope.uniform(); },
                        [](const FakeQuant& f) { return f.scale.uniform() && f.zero_point.uniform(); },
                        [](const MultiThreshold& f) { return f.channels == 1; },
                        [](const auto&) { return true; },
                    },
                    form);
}

std::optional<ScalarFunction> scalar_function(const Graph& graph, const Node& node) {
  using Function = std::optional<ScalarFunction>;
  return std::visit(
      Overloaded{
          [&](const op::BatchNormalization& norm) { return batch_normalization_function(graph, node, norm); },
          [&](const op::Binary&) { return operand_function(graph, node); },
          [&](const op::PRelu&) { return operand_function(graph, node); },
          [](const op::Unary& unary) { return Function(ScalarFunction{unary}); },
          [](const op::LeakyRelu& leaky) {
            return Function(ScalarFunction{ScalarFunction::PRelu{ChannelValues({leaky.slope})}});
          },
          [](const op::Clip& clip) { return Function(ScalarFunction{clip}); },
          [](const op::Trunc& trunc) { return Function(ScalarFunction{trunc}); },
          [&](const op::MultiThreshold& multi) {
            const bool last = multi.axis + 1 == static_cast<int>(graph[node.inputs[0]].shape.size());
            if (!last && multi.channels > 1) return Function();
            return Function(ScalarFunction{ScalarFunction::MultiThreshold{multi.channels, multi.thresholds}});
          },
          [](const op::FakeQuant& quant) {
            const auto scale = channel_values(quant.quantizer.scale);
            const auto zero_point =
                quant.quantizer.bipolar ? ChannelValues({0}) : channel_values(quant.quantizer.zero_point);
            if (!scale || !zero_point) return Function();
            return Function(ScalarFunction{ScalarFunction::FakeQuant{quant.quantizer, *scale, *zero_point}});
          },
          [](const auto&) { return Function(); },
      },
      node.op);
}

ValueId varying_input(const Graph& graph, const Node& node) {
  return node.inputs[graph[node.inputs[0]].constant ? 1 : 0];
}

double Chain::operator()(double x, int64_t channel) const {
  for (const ScalarFunction& function : functions_) x = function(x, channel);
  return x;
}

bool Chain::uniform() const { return std::ranges::all_of(functions_, &ScalarFunction::uniform); }

Direction Chain::direction(int64_t channel) const {
  Direction result = Direction::Rising;
  for (const ScalarFunction& function : functions_) {
    const Direction next = direction_of(function, channel);
    if (next == Direction::None) return Direction::None;
    if (next == Direction::Constant || result == Direction::Constant) {
      result = Direction::Constant;
    } else if (next == Direction::Falling) {
      result = result == Direction::Rising ? Direction::Falling : Direction::Rising;
    }
  }
  return result;
}

std::optional<AffineForm> Chain::affine(int64_t channel) const {
  AffineForm form{1, 0, -kInfinity, kInfinity};
  for (const ScalarFunction& function : functions_) {
    if (!apply_affine(form, function, channel)) return std::nullopt;
  }
  return form;
}

}  // namespace tidbit::compiler
