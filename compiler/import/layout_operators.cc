#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

/// Numbers that are an attribute in older opsets and an input in newer ones.
std::vector<int64_t> attribute_or_input(const NodeImport& node, std::string_view name, size_t input) {
  return node.has_input(input) ? node.constant_integers(input, name) : node.integers(name, {});
}

ValueId reshape(NodeImport& node) {
  Shape to = node.constant_integers(1, "the shape");
  const Shape from = node.shape(0);
  const bool zero_is_zero = node.integer("allowzero", 0) != 0;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] != 0 || zero_is_zero) continue;
    if (i >= from.size())
      node.fail(fmt::format("its shape {} copies an axis that the input does not have", to_string(to)));
    to[i] = from[i];
  }
  const auto unknown = std::find(to.begin(), to.end(), -1);
  if (unknown != to.end()) {
    *unknown = 1;
    const int64_t known = elements(to);
    if (known == 0 || elements(from) % known != 0) {
      node.fail(
          fmt::format("cannot reshape {} by {}", to_string(from), to_string(node.constant_integers(1, "the shape"))));
    }
    *unknown = elements(from) / known;
  }
  return node.reshape(node.input(0), to);
}

ValueId flatten(NodeImport& node) {
  const Shape shape = node.shape(0);
  int64_t axis = node.integer("axis", 1);
  if (axis != node.rank(0)) axis = node.axis_in(axis, node.rank(0));
  return node.reshape(node.input(0),
                      {elements({shape.begin(), shape.begin() + axis}), elements({shape.begin() + axis, shape.end()})});
}

ValueId transpose(NodeImport& node) {
  std::vector<int64_t> reversed(static_cast<size_t>(node.rank(0)));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  op::Transpose op;
  for (const int64_t axis : node.integers("perm", reversed)) {
    op.permutation.push_back(static_cast<int>(node.axis_in(axis, node.rank(0))));
  }
  return node.emit(std::move(op), node.inputs());
}

/// The axes, from 0 and ascending; each once.
std::vector<int64_t> read_axes(const NodeImport& node, int64_t rank) {
  std::vector<int64_t> axes = attribute_or_input(node, "axes", 1);
  for (int64_t& axis : axes) axis = node.axis_in(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) node.fail("an axis is named twice");
  return axes;
}

ValueId squeeze(NodeImport& node) {
  Shape shape = node.shape(0);
  const std::vector<int64_t> axes = read_axes(node, node.rank(0));
  if (axes.empty()) {
    std::erase(shape, 1);
    return node.reshape(node.input(0), shape);
  }
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (shape[static_cast<size_t>(*axis)] != 1)
      node.fail(fmt::format("axis {} of {} is not 1", *axis, to_string(shape)));
    shape.erase(shape.begin() + *axis);
  }
  return node.reshape(node.input(0), shape);
}

ValueId unsqueeze(NodeImport& node) {
  const auto added = static_cast<int64_t>(attribute_or_input(node, "axes", 1).size());
  if (added == 0) node.fail("axes are missing");
  Shape shape = node.shape(0);
  for (const int64_t axis : read_axes(node, node.rank(0) + added)) shape.insert(shape.begin() + axis, 1);
  return node.reshape(node.input(0), shape);
}

ValueId concat(NodeImport& node) {
  if (!node.has_attribute("axis")) node.fail("attribute 'axis' is missing");
  const op::Concat op{static_cast<int>(node.axis_in(node.integer("axis", 0), node.rank(0)))};
  std::vector<ValueId> inputs = node.inputs();
  const IntegerForm* const first = node.form(0);
  bool one_form = first && first->per_tensor();
  for (size_t i = 0; i < inputs.size() && one_form; ++i) one_form = node.form(i) && *node.form(i) == *first;
  if (one_form) {
    const ValueId result = node.emit(op, inputs);
    node.set_form(result, IntegerForm(*first));
    return result;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (node.form(i)) inputs[i] = node.integers(inputs[i]);
  }
  return node.emit(op, inputs);
}

ValueId pad(NodeImport& node) {
  const std::string mode = node.text("mode", "constant");
  if (mode != "constant") node.fail(fmt::format("mode '{}' is not supported; only constant is", mode));
  const std::vector<int64_t> pads = attribute_or_input(node, "pads", 1);
  const auto rank = static_cast<size_t>(node.rank(0));
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.has_input(3)) axes = node.constant_integers(3, "axes");
  if (pads.size() != 2 * axes.size()) node.fail(fmt::format("pads should be {} numbers", 2 * axes.size()));
  op::Pad op = {.before = Shape(rank, 0), .after = Shape(rank, 0), .value = node.real("value", 0)};
  if (node.has_input(2)) op.value = node.constant_scalar(2, "the value of the padding");
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(node.axis_in(axes[i], node.rank(0)));
    op.before[axis] = pads[i];
    op.after[axis] = pads[axes.size() + i];
  }
  const IntegerForm* const found = node.form(0);
  if (!found) return node.emit(std::move(op), {node.input(0)});
  const IntegerForm form = *found;
  if (!form.per_tensor()) return node.emit(std::move(op), {node.integers(node.input(0))});
  op.value = (op.value - form.zero_point.data[0]) * form.scale.data[0];
  const ValueId result = node.emit(std::move(op), {node.input(0)});
  node.set_form(result, form);
  return result;
}

/// Blocks of channels become blocks of pixels. The block's row and column are the channel's slowest axes (DCR) or its
/// fastest (CRD).
ValueId depth_to_space(NodeImport& node) {
  const Shape x = node.shape(0);
  const int64_t block = node.integer("blocksize", 0);
  const std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") node.fail(fmt::format("mode '{}' is unknown", mode));
  if (x.size() != 4) node.fail(fmt::format("needs an image of rank 4, not {}", to_string(x)));
  if (block < 1 || block > x[1] || x[1] % (block * block) != 0) {
    node.fail(fmt::format("a block of {} does not fit {} channels", block, x[1]));
  }
  const int64_t channels = x[1] / (block * block);
  const bool dcr = mode == "DCR";
  const Shape split =
      dcr ? Shape{x[0], block, block, channels, x[2], x[3]} : Shape{x[0], channels, block, block, x[2], x[3]};
  const op::Transpose order = {dcr ? std::vector{0, 3, 4, 1, 5, 2} : std::vector{0, 1, 4, 2, 5, 3}};
  return node.reshape(node.emit(order, {node.reshape(node.input(0), split)}),
                      {x[0], channels, x[2] * block, x[3] * block});
}

}  // namespace

std::span<const OperatorImport> layout_operators() {
  constexpr size_t kAny = SIZE_MAX;
  static constexpr OperatorImport kOperators[] = {
      {"Concat", 1, kAny, concat, Integers::Known},    {"DepthToSpace", 1, 1, depth_to_space, Integers::Moved},
      {"Flatten", 1, 1, flatten, Integers::Moved},     {"Pad", 1, 4, pad, Integers::Known},
      {"Reshape", 2, 2, reshape, Integers::Moved},     {"Squeeze", 1, 2, squeeze, Integers::Moved},
      {"Transpose", 1, 1, transpose, Integers::Moved}, {"Unsqueeze", 1, 2, unsqueeze, Integers::Moved},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
