// Reductions, as pools, and normalizations by them, as arithmetic.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

using enum op::BinaryFunction;

/// The axes, from 0 and ascending, each once.
std::vector<int64_t> ascending(const NodeImport& node, std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) axis = node.axis_in(axis, rank);
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

/// A pool over the window of an image, channels first or last.
template <class Pool>
Pool pool_over(int64_t height, int64_t width, Layout layout) {
  Pool pool;
  pool.window.kernel[0] = height;
  pool.window.kernel[1] = width;
  pool.layout = layout;
  return pool;
}

/// Pools a value over axes, which become 1: of an image the image; else the others are made batches, and those a
/// column.
template <class Pool>
ValueId pooled(NodeImport& node, ValueId x, const std::vector<int64_t>& axes) {
  const Shape shape = node.shape_of(x);
  if (axes.empty()) return x;
  if (shape.size() == 4 && axes == std::vector<int64_t>{2, 3}) {
    return node.emit(pool_over<Pool>(shape[2], shape[3], Layout::ChannelsFirst), {x});
  }
  op::Transpose order;
  Shape result = shape;
  Shape kept, reduced;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (std::count(axes.begin(), axes.end(), static_cast<int64_t>(i)) > 0) continue;
    order.permutation.push_back(static_cast<int>(i));
    kept.push_back(shape[i]);
  }
  for (const int64_t axis : axes) {
    order.permutation.push_back(static_cast<int>(axis));
    reduced.push_back(shape[static_cast<size_t>(axis)]);
    result[static_cast<size_t>(axis)] = 1;
  }
  if (!std::is_sorted(order.permutation.begin(), order.permutation.end())) x = node.emit(order, {x});
  const int64_t outer = elements(kept), inner = elements(reduced);
  const ValueId columns = node.reshape(x, {outer, inner, 1, 1});
  return node.reshape(node.emit(pool_over<Pool>(inner, 1, Layout::ChannelsLast), {columns}), result);
}

ValueId mean(NodeImport& node, ValueId x, const std::vector<int64_t>& axes) {
  return pooled<op::AveragePool>(node, x, axes);
}

ValueId sum(NodeImport& node, ValueId x, const std::vector<int64_t>& axes) {
  double count = 1;
  for (const int64_t axis : axes) count *= static_cast<double>(node.shape_of(x)[static_cast<size_t>(axis)]);
  return node.binary(Mul, mean(node, x, axes), count);
}

ValueId square(NodeImport& node, ValueId x) { return node.binary(Mul, x, x); }

ValueId square_root(NodeImport& node, ValueId x) { return node.emit(op::Unary{op::UnaryFunction::Sqrt}, {x}); }

/// x, [axes]; an attribute before opset 18 (of ReduceSum before 13). Without axes, all.
template <class Reduce>
ValueId reduction(NodeImport& node, Reduce reduce) {
  std::vector<int64_t> axes = node.attribute_or_input("axes", 1);
  if (axes.empty() && node.integer("noop_with_empty_axes", 0) != 0) return node.input(0);
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(node.rank(0)));
    std::iota(axes.begin(), axes.end(), 0);
  }
  axes = ascending(node, std::move(axes), node.rank(0));
  const ValueId result = reduce(axes);
  if (node.integer("keepdims", 1) != 0) return result;
  Shape shape = node.shape_of(result);
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) shape.erase(shape.begin() + *axis);
  return node.reshape(result, shape);
}

ValueId reduce_mean(NodeImport& node) {
  return reduction(node, [&](const auto& axes) { return mean(node, node.input(0), axes); });
}
ValueId reduce_sum(NodeImport& node) {
  return reduction(node, [&](const auto& axes) { return sum(node, node.input(0), axes); });
}
ValueId reduce_max(NodeImport& node) {
  return reduction(node, [&](const auto& axes) { return pooled<op::MaxPool>(node, node.input(0), axes); });
}
ValueId reduce_l2(NodeImport& node) {
  return reduction(node,
                   [&](const auto& axes) { return square_root(node, sum(node, square(node, node.input(0)), axes)); });
}

/// (x - mean) / sqrt(variance + epsilon), over the axes.
ValueId standardized(NodeImport& node, const std::vector<int64_t>& axes) {
  const ValueId x = node.input(0);
  const ValueId centred = node.binary(Sub, x, mean(node, x, axes));
  const ValueId variance = mean(node, square(node, centred), axes);
  return node.binary(Div, centred, square_root(node, node.binary(Add, variance, node.real("epsilon", 1e-5F))));
}

/// x, scale, [bias]
ValueId layer_normalization(NodeImport& node) {
  const int64_t first = node.axis_in(node.integer("axis", -1), node.rank(0));
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0) - first));
  std::iota(axes.begin(), axes.end(), first);
  const ValueId result = node.binary(Mul, standardized(node, axes), node.input(1));
  return node.has_input(2) ? node.binary(Add, result, node.input(2)) : result;
}

/// x [N,C,..], scale [C], bias [C]
ValueId instance_normalization(NodeImport& node) {
  if (node.rank(0) < 3) node.fail(fmt::format("needs an image, not {}", to_string(node.shape(0))));
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0)) - 2);
  std::iota(axes.begin(), axes.end(), 2);
  Shape by_channel(axes.size() + 1, 1);
  by_channel[0] = node.shape(0)[1];
  for (const size_t parameter : {1, 2}) {
    if (node.shape(parameter) != Shape{by_channel[0]}) node.fail("scale and bias should be one a channel");
  }
  const ValueId result = node.binary(Mul, standardized(node, axes), node.reshape(node.input(1), by_channel));
  return node.binary(Add, result, node.reshape(node.input(2), by_channel));
}

/// x / |x|; 0 where the norm is 0.
ValueId lp_normalization(NodeImport& node) {
  const std::vector<int64_t> axes = {node.axis_in(node.integer("axis", -1), node.rank(0))};
  const int64_t p = node.integer("p", 2);
  if (p != 1 && p != 2) node.fail(fmt::format("p of {} is not supported; only 1 and 2 are", p));
  const ValueId x = node.input(0);
  const ValueId norm = p == 1 ? sum(node, node.emit(op::Unary{op::UnaryFunction::Abs}, {x}), axes)
                              : square_root(node, sum(node, square(node, x), axes));
  const op::Clip above_zero = {std::numeric_limits<float>::min(), std::numeric_limits<double>::infinity()};
  return node.binary(Div, x, node.emit(above_zero, {norm}));
}

}  // namespace

std::span<const OperatorImport> normalization_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"InstanceNormalization", 3, 3, instance_normalization},
      {"LayerNormalization", 2, 3, layer_normalization},
      {"LpNormalization", 1, 1, lp_normalization},
      {"ReduceL2", 1, 2, reduce_l2},
      {"ReduceMax", 1, 2, reduce_max},
      {"ReduceMean", 1, 2, reduce_mean},
      {"ReduceSum", 1, 2, reduce_sum},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
