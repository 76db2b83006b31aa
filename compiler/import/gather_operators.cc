// Gather, Slice and Split: all pick elements along an axis, by indices that are known here.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/import/node_import.h"

namespace tidbit::compiler {
namespace {

/// Of an axis that elements are picked from, each by its index.
int64_t extent_of(const NodeImport& node, ValueId value, int64_t axis) {
  constexpr int64_t kMost = 1 << 24;
  const int64_t extent = node.shape_of(value)[static_cast<size_t>(axis)];
  if (extent > kMost) node.fail(fmt::format("an extent of {} is too large", extent));
  return extent;
}

ValueId picked(NodeImport& node, ValueId value, int64_t axis, std::vector<int64_t> indices) {
  const int64_t extent = extent_of(node, value, axis);
  std::vector<int64_t> all(static_cast<size_t>(extent));
  std::iota(all.begin(), all.end(), 0);
  if (indices == all) return value;
  return node.emit(op::Gather{static_cast<int>(axis), std::move(indices)}, {value});
}

/// data, indices of any rank: their axes take the place of the data's.
ValueId gather(NodeImport& node) {
  const Tensor indices = node.constant(1, "the indices");
  const int64_t axis = node.axis_in(node.integer("axis", 0), node.rank(0));
  const int64_t extent = node.shape(0)[static_cast<size_t>(axis)];
  std::vector<int64_t> picks;
  for (const double index : indices.data) picks.push_back(node.axis_in(to_int64(index), extent));
  const ValueId result = picked(node, node.input(0), axis, std::move(picks));
  Shape shape = node.shape(0);
  const auto at = shape.erase(shape.begin() + axis);
  shape.insert(at, indices.shape.begin(), indices.shape.end());
  return node.reshape(result, shape);
}

struct Range {
  int64_t axis, start, end, step;
};

/// data, starts, ends, [axes, steps]; attributes before opset 10.
std::vector<Range> read_ranges(const NodeImport& node) {
  const auto numbers = [&](std::string_view name, size_t input) {
    return node.has_input(input) ? node.constant_integers(input, name) : node.integers(name, {});
  };
  const std::vector<int64_t> starts = numbers("starts", 1), ends = numbers("ends", 2);
  const std::vector<int64_t> axes = numbers("axes", 3), steps = numbers("steps", 4);
  const auto fits = [&](const std::vector<int64_t>& optional) {
    return optional.empty() || optional.size() == starts.size();
  };
  if (ends.size() != starts.size() || !fits(axes) || !fits(steps)) node.fail("starts, ends, axes and steps do not fit");
  std::vector<Range> ranges;
  for (size_t i = 0; i < starts.size(); ++i) {
    ranges.push_back({node.axis_in(axes.empty() ? static_cast<int64_t>(i) : axes[i], node.rank(0)), starts[i], ends[i],
                      steps.empty() ? 1 : steps[i]});
    if (ranges.back().step == 0) node.fail("a step of 0");
  }
  return ranges;
}

/// start, start + step, .. before end; backwards where the step is negative.
std::vector<int64_t> indices_of(const Range& range, int64_t extent) {
  const bool backwards = range.step < 0;
  const int64_t step = std::clamp(range.step, -extent - 1, extent + 1);
  const auto bound = [&](int64_t at) {
    const int64_t lowest = backwards ? -1 : 0;
    return std::clamp(at < 0 ? at + extent : at, lowest, extent + lowest);
  };
  std::vector<int64_t> indices;
  const int64_t end = range.end < -extent ? (backwards ? -1 : 0) : bound(range.end);
  const int64_t start = range.start < -extent ? (backwards ? -1 : 0) : bound(range.start);
  for (int64_t at = start; backwards ? at > end : at < end; at += step) indices.push_back(at);
  return indices;
}

ValueId slice(NodeImport& node) {
  ValueId result = node.input(0);
  for (const Range& range : read_ranges(node)) {
    const int64_t extent = extent_of(node, result, range.axis);
    std::vector<int64_t> indices = indices_of(range, extent);
    if (indices.empty() && !node.is_constant(0)) node.fail(fmt::format("selects nothing of axis {}", range.axis));
    result = picked(node, result, range.axis, std::move(indices));
  }
  return result;
}

/// data, [sizes]; an attribute before opset 13. Without sizes the parts are equal, but for a smaller last one.
std::vector<int64_t> read_sizes(const NodeImport& node, int64_t extent) {
  const auto parts = static_cast<int64_t>(node.proto().output_size());
  std::vector<int64_t> sizes = node.has_input(1) ? node.constant_integers(1, "the sizes") : node.integers("split", {});
  if (sizes.empty()) {
    const int64_t count = node.integer("num_outputs", parts);
    if (count != parts || parts > extent) node.fail(fmt::format("{} parts of an extent of {}", count, extent));
    const int64_t size = (extent + count - 1) / count;
    for (int64_t left = extent; left > 0; left -= size) sizes.push_back(std::min(size, left));
  }
  int64_t sum = 0;
  for (const int64_t size : sizes) {
    if (size < 1 || size > extent - sum) node.fail(fmt::format("the sizes do not fit an extent of {}", extent));
    sum += size;
  }
  if (sum != extent || static_cast<int64_t>(sizes.size()) != parts) {
    node.fail(fmt::format("{} sizes do not fit an extent of {} and {} outputs", sizes.size(), extent, parts));
  }
  return sizes;
}

ValueId split(NodeImport& node) {
  const int64_t axis = node.axis_in(node.integer("axis", 0), node.rank(0));
  std::vector<ValueId> parts;
  int64_t begin = 0;
  for (const int64_t size : read_sizes(node, extent_of(node, node.input(0), axis))) {
    std::vector<int64_t> indices(static_cast<size_t>(size));
    std::iota(indices.begin(), indices.end(), begin);
    parts.push_back(picked(node, node.input(0), axis, std::move(indices)));
    begin += size;
  }
  for (size_t i = 1; i < parts.size(); ++i) node.add_output(parts[i]);
  return parts[0];
}

}  // namespace

std::span<const OperatorImport> gather_operators() {
  static constexpr OperatorImport kOperators[] = {
      {"Gather", 2, 2, gather, Integers::Moved},
      {"Slice", 1, 5, slice, Integers::Moved},
      {"Split", 1, 2, split, Integers::Moved},
  };
  return kOperators;
}

}  // namespace tidbit::compiler
