// A chain of elementwise functions behind a layer, as one function of a number and a channel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "compiler/graph.h"

namespace tidbit::compiler {

/// One number for all channels, or one a channel.
class ChannelValues {
 public:
  ChannelValues() = default;
  explicit ChannelValues(std::vector<double> values) : values_(std::move(values)) {}

  double operator[](int64_t channel) const {
    return values_.size() == 1 ? values_[0] : values_[static_cast<size_t>(channel)];
  }
  bool uniform() const { return values_.size() == 1; }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

/// One elementwise function. Arithmetic is that of elementwise.h, operation by operation.
struct ScalarFunction {
  struct BatchNormalization {
    ChannelValues scale, bias, mean, variance;
    double epsilon;
  };
  struct Binary {
    op::BinaryFunction function;
    ChannelValues operand;
    bool operand_first;
  };
  struct PRelu {
    ChannelValues slope;
  };
  struct FakeQuant {
    Quantizer quantizer;  // but for its scale and zero point
    ChannelValues scale, zero_point;
  };
  struct MultiThreshold {
    int64_t channels;
    std::vector<double> thresholds;  // [channels][steps], ascending

    std::span<const double> of(int64_t channel) const {
      const size_t steps = thresholds.size() / static_cast<size_t>(channels);
      return std::span(thresholds).subspan(channels == 1 ? 0 : static_cast<size_t>(channel) * steps, steps);
    }
  };
  std::variant<BatchNormalization, Binary, op::Unary, PRelu, op::Clip, FakeQuant, op::Trunc, MultiThreshold> form;

  double operator()(double x, int64_t channel) const;
  bool uniform() const;  // the same for all channels
};

/// The function of an elementwise node whose constants vary along the last axis at most; empty for any other node.
std::optional<ScalarFunction> scalar_function(const Graph&, const Node&);

/// The input of such a node that is not a constant.
ValueId varying_input(const Graph&, const Node&);

enum class Direction : uint8_t { Constant, Rising, Falling, None };

/// A number t below `place` becomes (t - place)*below + place; `below` is not negative.
struct Knee {
  double place, below;
};

/// y = clamp(t, lowest, highest) with t = slope*x + offset, bent at the knee if there is one.
struct AffineForm {
  double slope = 1, offset = 0;
  double lowest, highest;
  std::optional<Knee> knee = {};
};

class Chain {
 public:
  void append(ScalarFunction function) { functions_.push_back(std::move(function)); }
  void prepend(ScalarFunction function) { functions_.insert(functions_.begin(), std::move(function)); }
  bool empty() const { return functions_.empty(); }
  const std::vector<ScalarFunction>& functions() const { return functions_; }

  double operator()(double x, int64_t channel) const;
  bool uniform() const;

  /// None where some function of the chain both rises and falls.
  Direction direction(int64_t channel) const;

  /// Empty where the chain is no clamped line with a knee at most.
  std::optional<AffineForm> affine(int64_t channel) const;

 private:
  std::vector<ScalarFunction> functions_;
};

}  // namespace tidbit::compiler
