#include <cmath>
#include <limits>

#include "compiler/lowering/plan.h"

namespace tidbit::compiler {
namespace {

using Function = op::MapStep::Function;
using Steps = std::optional<std::vector<op::MapStep>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Steps steps_of(const ScalarFunction::BatchNormalization& f) {
  op::MapStep step{Function::Affine, {}, {}};
  const size_t channels = f.scale.values().size();
  for (size_t i = 0; i < channels; ++i) {
    const auto c = static_cast<int64_t>(i);
    step.a.push_back(f.scale[c] / std::sqrt(f.variance[c] + f.epsilon));
    step.b.push_back(f.bias[c] - f.mean[c] * step.a.back());
  }
  return {{step}};
}

Steps steps_of(const ScalarFunction::Binary& f) {
  op::MapStep step{Function::Affine, {}, {}};
  for (double operand : f.operand.values()) {
    switch (f.function) {
      case op::BinaryFunction::Add:
        step.a.push_back(1);
        step.b.push_back(operand);
        break;
      case op::BinaryFunction::Sub:
        step.a.push_back(f.operand_first ? -1 : 1);
        step.b.push_back(f.operand_first ? operand : -operand);
        break;
      case op::BinaryFunction::Mul:
        step.a.push_back(operand);
        step.b.push_back(0);
        break;
      case op::BinaryFunction::Div:
        if (f.operand_first) return std::nullopt;
        step.a.push_back(1 / operand);
        step.b.push_back(0);
        break;
      case op::BinaryFunction::Pow:
        return std::nullopt;
    }
  }
  return {{step}};
}

Steps steps_of(const ScalarFunction::PRelu& f) { return {{op::MapStep{Function::LeakyRelu, f.slope.values(), {}}}}; }

Steps steps_of(const op::Unary& f) {
  switch (f.function) {
    case op::UnaryFunction::Relu:
      return {{op::MapStep{Function::Clamp, {0}, {kInfinity}}}};
    case op::UnaryFunction::Sigmoid:
      return {{op::MapStep{Function::Sigmoid, {}, {}}}};
    case op::UnaryFunction::Tanh:
      return {{op::MapStep{Function::Tanh, {}, {}}}};
  }
  return std::nullopt;
}

Steps steps_of(const op::Clip& f) { return {{op::MapStep{Function::Clamp, {f.lowest}, {f.highest}}}}; }

Steps steps_of(const ScalarFunction::FakeQuant& f) {
  if (f.quantizer.bipolar) return {{op::MapStep{Function::Bipolar, f.scale.values(), {}}}};
  return {{op::MapStep{Function::FakeQuant, f.scale.values(), f.zero_point.values(), f.quantizer.lowest,
                       f.quantizer.highest, f.quantizer.rounding}}};
}

/// Two roundings, q = round(x/scale + zero_point) and round(q/divisor), then the output's zero point and scale.
Steps steps_of(const op::Trunc& f) {
  const double coarse = f.scale * f.divisor, shifted = f.zero_point / f.divisor;
  return {{
      op::MapStep{Function::FakeQuant, {f.scale}, {f.zero_point}, -kInfinity, kInfinity, Rounding::HalfEven},
      op::MapStep{Function::FakeQuant, {coarse}, {shifted}, f.lowest, f.highest, f.rounding},
      op::MapStep{Function::Affine, {f.output_scale / coarse}, {(shifted - f.output_zero_point) * f.output_scale}},
  }};
}

Steps steps_of(const ScalarFunction::MultiThreshold&) { return std::nullopt; }

}  // namespace

std::optional<std::vector<op::MapStep>> map_steps(const ScalarFunction& function) {
  return std::visit([](const auto& form) { return steps_of(form); }, function.form);
}

}  // namespace tidbit::compiler
