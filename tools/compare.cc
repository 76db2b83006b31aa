#include "tools/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "tools/error.h"
#include "tools/npy.h"

namespace tidbit::tools {
namespace {

using compiler::Graph;
using compiler::Node;
using compiler::Tensor;
using compiler::Value;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// How far from an integer a reference value in units of the grid may lie: rounding of products in double precision.
constexpr double kOnGrid = 1e-6;

/// Where element `index` of the ONNX value is in the runtime's tensor.
size_t place(const TensorInfo& info, size_t index) {
  if (!info.channels_last || info.shape.size() < 3) return index;
  const auto channels = static_cast<size_t>(info.shape.back());
  const size_t pixels = info.elements() / (static_cast<size_t>(info.shape[0]) * channels);
  const size_t image = index / (channels * pixels), channel = index / pixels % channels, pixel = index % pixels;
  return (image * pixels + pixel) * channels + channel;
}

/// The spread of the finite values and 0.
double range(const Tensor& tensor) {
  double lowest = 0, highest = 0;
  for (double value : tensor.data) {
    if (!std::isfinite(value)) continue;
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  return highest - lowest;
}

Tensor shifted(const Tensor& tensor, double by) {
  Tensor result = tensor;
  for (double& value : result.data) value += by;
  return result;
}

bool quantizes(const Node& node) {
  return std::holds_alternative<compiler::op::FakeQuant>(node.op) ||
         std::holds_alternative<compiler::op::Trunc>(node.op);
}

/// The values that a quantizer makes of its input moved by the tolerance either way: a code between them is a tie's.
/// Made when they are first asked for.
class TieBounds {
 public:
  TieBounds(const Graph& graph, const Node& node, const Tensor& input) : graph_(graph), node_(node), input_(input) {}

  bool contain(size_t index, double value, double spacing) {
    if (lower_.empty()) {
      const double nudge = kRealTolerance * range(input_);
      lower_ = quantized(shifted(input_, -nudge));
      upper_ = quantized(shifted(input_, nudge));
    }
    const auto [lowest, highest] = std::minmax(lower_[index], upper_[index]);
    return value >= lowest - kOnGrid * spacing && value <= highest + kOnGrid * spacing;
  }

 private:
  std::vector<double> quantized(const Tensor& input) const {
    const Tensor* const inputs[] = {&input};
    return std::move(evaluate_node(graph_, node_, inputs).front().data);
  }

  const Graph& graph_;
  const Node& node_;
  const Tensor& input_;
  std::vector<double> lower_, upper_;
};

/// Whether the codes that `node` makes come from reals that the runtime rounded: anything but the graph's own input.
bool from_rounded_reals(const Model& model, const NodeInfo& node) {
  return std::ranges::any_of(node.inputs, [&](size_t tensor) {
    const bool is_input = std::ranges::find(model.inputs(), tensor) != model.inputs().end();
    return model.tensors()[tensor].is_real && (!is_input || node.op != "Quantize");
  });
}

}  // namespace

struct Comparison::Wiring {
  std::vector<const NodeInfo*> producer;
  std::vector<bool> is_read;

  explicit Wiring(const Model& model) : producer(model.tensors().size()), is_read(model.tensors().size()) {
    for (const NodeInfo& node : model.nodes()) {
      for (size_t tensor : node.outputs) producer[tensor] = &node;
      for (size_t tensor : node.inputs) is_read[tensor] = true;
    }
  }
};

Comparison::Comparison(const Graph& graph, const Model& model)
    : graph_(graph), model_(model), session_(require(Session::create(model, {.keep_tensors = true}))) {
  check_interface();
  match_layers();
}

void Comparison::check_interface() const {
  const auto check = [&](const char* kind, const std::vector<compiler::ValueId>& values,
                         std::span<const size_t> tensors) {
    if (values.size() != tensors.size()) {
      fail("the .tbit file has {} {}s, the ONNX file {}: compile it again", tensors.size(), kind, values.size());
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const Value& value = graph_[values[i]];
      const TensorInfo& tensor = model_.tensors()[tensors[i]];
      if (tensor.shape != value.shape) {
        fail("{} '{}' is {} in the .tbit file and {} in the ONNX file: compile it again, or with the same --shape",
             kind, value.name, to_string(tensor.shape), to_string(value.shape));
      }
    }
  };
  check("input", graph_.inputs, model_.inputs());
  check("output", graph_.outputs, model_.outputs());
}

size_t Comparison::add_layer(const Value& value, size_t tensor, const Wiring& wiring) {
  const TensorInfo& info = model_.tensors()[tensor];
  if (static_cast<int64_t>(info.elements()) != compiler::elements(value.shape)) {
    fail("value '{}' is {} in the .tbit file and {} in the ONNX file: compile it again", value.name,
         to_string(info.shape), to_string(value.shape));
  }
  LayerComparison layer;
  layer.value = value.name;
  layer.bits = info.is_real ? 0 : info.bits;
  bool always_replace = false;
  if (const NodeInfo* producer = wiring.producer[tensor]) {
    layer.node = producer->name;
    layer.op = producer->op;
    layer.tie_allowed = !info.is_real && from_rounded_reals(model_, *producer);
    always_replace = info.is_real && wiring.is_read[tensor] && producer->outputs.size() == 1;
  }
  layers_.push_back(std::move(layer));
  sources_.push_back({tensor, always_replace});
  return layers_.size() - 1;
}

void Comparison::match_layers() {
  const Wiring wiring(model_);
  std::multimap<std::string, size_t> named;
  for (size_t tensor = 0; tensor < model_.tensors().size(); ++tensor) {
    const std::string& name = model_.tensors()[tensor].name;
    if (name.empty()) {
      ++unnamed_;
    } else {
      named.emplace(name, tensor);
    }
  }
  layers_of_.resize(graph_.values.size());
  is_kept_.resize(graph_.values.size());
  kept_.resize(graph_.values.size());
  for (const Node& node : graph_.nodes) {
    for (compiler::ValueId value : node.outputs) {
      const auto [begin, end] = named.equal_range(graph_[value].name);
      for (auto match = begin; match != end; ++match) {
        const size_t layer = add_layer(graph_[value], match->second, wiring);
        layers_of_[static_cast<size_t>(value)].push_back(layer);
        if (layers_[layer].tie_allowed && quantizes(node)) is_kept_[static_cast<size_t>(node.inputs[0])] = true;
      }
      // Codes are compared with what lies exactly on their grid, before float32 replaces it.
      std::vector<size_t>& layers = layers_of_[static_cast<size_t>(value)];
      std::stable_partition(layers.begin(), layers.end(), [&](size_t layer) { return layers_[layer].bits > 0; });
    }
  }
  for (size_t output = 0; output < graph_.outputs.size(); ++output) {
    const size_t tensor = model_.outputs()[output];
    const auto& covering = layers_of_[static_cast<size_t>(graph_.outputs[output])];
    if (std::ranges::any_of(covering, [&](size_t layer) { return sources_[layer].tensor == tensor; })) continue;
    loose_outputs_.push_back({add_layer(graph_[graph_.outputs[output]], tensor, wiring), output});
  }
}

void Comparison::run(std::span<const std::vector<float>> inputs) {
  std::vector<Tensor> reals;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::ranges::copy(inputs[i], session_.input(i).begin());
    reals.push_back({graph_[graph_.inputs[i]].shape, {inputs[i].begin(), inputs[i].end()}});
    const auto value = static_cast<size_t>(graph_.inputs[i]);
    if (is_kept_[value]) kept_[value] = reals.back();
  }
  session_.run();
  std::vector<Tensor> results = evaluate(
      graph_, std::move(reals), [this](const Node& node, std::span<Tensor> outputs) { observe(node, outputs); });
  for (const LooseOutput& loose : loose_outputs_) compare(loose.layer, nullptr, results[loose.output]);
}

void Comparison::observe(const Node& node, std::span<Tensor> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto value = static_cast<size_t>(node.outputs[i]);
    for (size_t layer : layers_of_[value]) compare(layer, &node, outputs[i]);
    if (is_kept_[value]) kept_[value] = outputs[i];
  }
}

void Comparison::compare(size_t layer, const Node* node, Tensor& reference) {
  layers_[layer].elements += reference.data.size();
  if (model_.tensors()[sources_[layer].tensor].is_real) {
    compare_reals(layer, reference);
  } else {
    compare_codes(layer, node, reference);
  }
}

void Comparison::compare_reals(size_t layer, Tensor& reference) {
  const auto [tensor, always_replace] = sources_[layer];
  const TensorInfo& info = model_.tensors()[tensor];
  const std::span<const std::byte> bytes = session_.tensor(tensor);
  const double spread = range(reference);
  for (size_t i = 0; i < reference.data.size(); ++i) {
    float found;
    std::memcpy(&found, bytes.data() + place(info, i) * sizeof(float), sizeof(float));
    const double expected = reference.data[i];
    const double difference = std::abs(found - expected);
    const bool same = found == static_cast<float>(expected) || (std::isnan(found) && std::isnan(expected));
    const bool differs = !same && !(difference <= kRealTolerance * spread);
    if (!same) layers_[layer].largest = std::max(layers_[layer].largest, spread > 0 ? difference / spread : kInfinity);
    if (differs) ++layers_[layer].differing;
    if (differs || always_replace) reference.data[i] = found;
  }
}

void Comparison::compare_codes(size_t layer, const Node* node, Tensor& reference) {
  const TensorInfo& info = model_.tensors()[sources_[layer].tensor];
  const std::span<const std::byte> bytes = session_.tensor(sources_[layer].tensor);
  LayerComparison& sums = layers_[layer];
  std::unique_ptr<TieBounds> bounds;  // null where the value is no quantizer's own, and any single code passes
  if (node && quantizes(*node)) {
    bounds = std::make_unique<TieBounds>(graph_, *node, kept_[static_cast<size_t>(node->inputs[0])]);
  }
  for (size_t i = 0; i < reference.data.size(); ++i) {
    const auto code = std::to_integer<int32_t>(bytes[place(info, i)]);
    const double expected = (reference.data[i] / info.scale - info.base) / info.step;
    const double difference = std::abs(code - expected);
    if (difference <= kOnGrid) continue;

    const double found = info.scale * (static_cast<double>(info.step) * code + info.base);
    const bool one_code = std::abs(difference - 1) <= kOnGrid;
    if (sums.tie_allowed && one_code && (!bounds || bounds->contain(i, found, info.scale * info.step))) {
      ++sums.ties;
    } else {
      ++sums.differing;
      sums.largest = std::isnan(difference) ? kInfinity : std::max(sums.largest, difference);
    }
    reference.data[i] = found;
  }
}

const LayerComparison* Comparison::first_divergence() const {
  const auto first = std::ranges::find_if(layers_, [](const LayerComparison& layer) { return layer.differing > 0; });
  return first == layers_.end() ? nullptr : &*first;
}

}  // namespace tidbit::tools
