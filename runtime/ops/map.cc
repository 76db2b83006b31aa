// A chain of functions on each real. Blocks of values pass through the whole chain in float64, a step at a time.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/ops/real_form.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kBlock = 256;
constexpr size_t kGrain = 16384;  // elements worth another thread
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double round_to_integer(double x, file::Rounding rounding) {
  switch (rounding) {
    case file::Rounding::HalfEven:
      return std::nearbyint(x);
    case file::Rounding::Floor:
      return std::floor(x);
    case file::Rounding::Ceil:
      return std::ceil(x);
    case file::Rounding::TowardZero:
      return std::trunc(x);
    case file::Rounding::AwayFromZero:
      return x < 0 ? std::floor(x) : std::ceil(x);
    case file::Rounding::HalfUp:
      return std::round(x);
    case file::Rounding::HalfDown: {
      const double whole = std::trunc(x);
      return std::abs(x - whole) > 0.5 ? whole + std::copysign(1.0, x) : whole;
    }
  }
  return x;
}

double clamp(double x, double lowest, double highest) { return std::min(std::max(x, lowest), highest); }

struct Step {
  file::MapFunction function;
  std::span<const double> a, b;
  double lowest, highest;
  file::Rounding rounding;

  /// Whether all channels have the same parameters.
  bool uniform() const { return a.size() <= 1 && b.size() <= 1; }

  /// Applies the step to a block of values, the first of them of channel `channel`.
  void apply(std::span<double> values, size_t channel, size_t channels) const noexcept;
};

void Step::apply(std::span<double> values, size_t channel, size_t channels) const noexcept {
  const auto each = [&](const auto& f) {
    if (uniform()) {
      const double x_a = a.empty() ? 0 : a[0], x_b = b.empty() ? 0 : b[0];
      for (double& x : values) x = f(x, x_a, x_b);
      return;
    }
    const size_t a_step = a.size() > 1 ? 1 : 0, b_step = b.size() > 1 ? 1 : 0;
    const double none = 0;
    for (size_t i = 0; i < values.size(); channel = 0) {
      const size_t count = std::min(channels - channel, values.size() - i);
      const double* const a_run = a.empty() ? &none : a.data() + channel * a_step;
      const double* const b_run = b.empty() ? &none : b.data() + channel * b_step;
      double* const run = values.data() + i;
      for (size_t k = 0; k < count; ++k) run[k] = f(run[k], a_run[k * a_step], b_run[k * b_step]);
      i += count;
    }
  };
  switch (function) {
    case file::MapFunction::Affine:
      return each([](double x, double m, double c) { return x * m + c; });
    case file::MapFunction::Clamp:
      return each([](double x, double low, double high) { return clamp(x, low, high); });
    case file::MapFunction::LeakyRelu:
      return each([](double x, double slope, double) { return x < 0 ? x * slope : x; });
    case file::MapFunction::Sigmoid:
      return each([](double x, double, double) { return 1 / (1 + std::exp(-x)); });
    case file::MapFunction::Tanh:
      return each([](double x, double, double) { return std::tanh(x); });
    case file::MapFunction::FakeQuant:
      return each([this](double x, double scale, double zero_point) {
        return (clamp(round_to_integer(x / scale + zero_point, rounding), lowest, highest) - zero_point) * scale;
      });
    case file::MapFunction::Bipolar:
      return each([](double x, double scale, double) { return x >= 0 ? scale : -scale; });
  }
}

class Map final : public Op {
 public:
  Map(const NodeReader& node, std::vector<Step> steps)
      : steps_(std::move(steps)),
        channels_(channels_of(node.input(0))),
        elements_(node.input(0).elements()),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  bool quantizes() const override {
    return std::ranges::any_of(steps_, [](const Step& step) {
      return step.function == file::MapFunction::FakeQuant || step.function == file::MapFunction::Bipolar;
    });
  }

  std::optional<RealForm> real_form(uint64_t most_bytes) const override {
    const Step& first = steps_.front();
    const bool clamps_last = steps_.back().function == file::MapFunction::Clamp && steps_.back().uniform();
    if (first.function == file::MapFunction::Affine && (steps_.size() == 1 || (steps_.size() == 2 && clamps_last))) {
      return line_form(most_bytes);
    }
    if (steps_.size() > 1) return std::nullopt;
    if (clamps_last) {
      return RealForm{ClampForm{elements_, static_cast<float>(first.a[0]), static_cast<float>(first.b[0])}};
    }
    if (first.function == file::MapFunction::Sigmoid) return RealForm{SigmoidForm{elements_}};
    if (first.function == file::MapFunction::LeakyRelu) return leaky_relu_form(first.a);
    return std::nullopt;
  }

  void run(const Frame& frame) const noexcept override {
    const auto* const in = frame.tensor<const float>(input_);
    auto* const out = frame.tensor<float>(output_);
    frame.threads.parallel_ranges(frame.batch * elements_, kGrain, [&](size_t begin, size_t end, size_t) {
      std::array<double, kBlock> values;
      for (size_t i = begin; i < end; i += kBlock) {
        const std::span<double> block = std::span(values).first(std::min(kBlock, end - i));
        std::copy_n(in + i, block.size(), block.data());
        for (const Step& step : steps_) step.apply(block, i % channels_, channels_);
        std::ranges::transform(block, out + i, [](double x) { return static_cast<float>(x); });
      }
    });
  }

 private:
  /// A line a channel, then perhaps a clamp: a depthwise convolution of one tap.
  std::optional<RealForm> line_form(uint64_t most_bytes) const {
    if (product({channels_, sizeof(float)}) > most_bytes) return std::nullopt;
    Geometry geometry{.shape = {}, .images = 1, .fully_connected = true, .groups = static_cast<int32_t>(channels_)};
    geometry.shape.width = geometry.shape.out_width = static_cast<int32_t>(elements_ / channels_);
    geometry.shape.channels = geometry.shape.out_channels = static_cast<int32_t>(channels_);
    ConvolutionForm form{geometry, {}, RealNumbers(channels_), RealNumbers(channels_), -kInfinity, kInfinity};
    const Step& line = steps_.front();
    for (size_t c = 0; c < channels_; ++c) {
      form.filter_copy.span()[c] = static_cast<float>(line.a[line.a.size() > 1 ? c : 0]);
      form.bias.span()[c] = static_cast<float>(line.b[line.b.size() > 1 ? c : 0]);
    }
    if (steps_.size() > 1) {
      form.lowest = static_cast<float>(steps_.back().a[0]);
      form.highest = static_cast<float>(steps_.back().b[0]);
    }
    return RealForm{std::move(form)};
  }

  std::optional<RealForm> leaky_relu_form(std::span<const double> slopes) const {
    const auto finite = [](double slope) { return std::isfinite(static_cast<float>(slope)); };
    if (!std::ranges::all_of(slopes, finite)) return std::nullopt;
    LeakyReluForm form{elements_ / channels_, channels_, RealNumbers(slopes.size())};
    std::ranges::transform(slopes, form.slopes.span().begin(), [](double slope) { return static_cast<float>(slope); });
    return RealForm{std::move(form)};
  }

  std::vector<Step> steps_;
  size_t channels_, elements_;
  size_t input_, output_;
};

struct Parameters {
  bool a, b;
};

Parameters parameters_of(file::MapFunction function) {
  switch (function) {
    case file::MapFunction::Affine:
    case file::MapFunction::Clamp:
    case file::MapFunction::FakeQuant:
      return {true, true};
    case file::MapFunction::LeakyRelu:
    case file::MapFunction::Bipolar:
      return {true, false};
    case file::MapFunction::Sigmoid:
    case file::MapFunction::Tanh:
      return {false, false};
  }
  return {false, false};
}

Step read_step(const NodeReader& node, const file::MapStep& table, const std::string& field) {
  node.require(table.function() <= file::MapFunction::MAX, field + ".function",
               "is unknown: ", static_cast<int>(table.function()));
  node.require(table.rounding() <= file::Rounding::MAX, field + ".rounding",
               "is unknown: ", static_cast<int>(table.rounding()));
  Step step{.function = table.function(),
            .a = {},
            .b = {},
            .lowest = table.lowest(),
            .highest = table.highest(),
            .rounding = table.rounding()};
  const Parameters wants = parameters_of(step.function);
  const size_t channels = channels_of(node.input(0));
  if (wants.a) step.a = node.per_channel<double>(table.a(), field + ".a", channels);
  if (wants.b) step.b = node.per_channel<double>(table.b(), field + ".b", channels);
  if (step.function == file::MapFunction::FakeQuant) {
    node.require(std::ranges::all_of(step.a, [](double scale) { return std::isfinite(scale) && scale != 0; }),
                 field + ".a", "must be finite and not zero");
    node.require(step.lowest <= step.highest, field + ".lowest", "is above highest, or no number");
  }
  return step;
}

}  // namespace

std::unique_ptr<Op> make_map(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  node.require_real(node.input(0), "inputs[0]");
  node.require_real(node.output(0), "outputs[0]");
  node.require_shape(node.output(0), node.input(0).shape, "outputs[0]");
  const auto* const tables = node.op<file::Map>().steps();
  node.require(tables != nullptr && tables->size() > 0, "steps", "is empty");
  std::vector<Step> steps;
  for (flatbuffers::uoffset_t i = 0; i < tables->size(); ++i) {
    steps.push_back(read_step(node, *tables->Get(i), text("steps[", i, "]")));
  }
  return std::make_unique<Map>(node, std::move(steps));
}

}  // namespace tidbit::internal
