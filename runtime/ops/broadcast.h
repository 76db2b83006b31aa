// ONNX's (numpy's) broadcasting.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/ops/op.h"

namespace tidbit::internal {

/// The shape that two shapes broadcast to.
inline std::vector<int64_t> broadcast(const NodeReader& node, std::span<const int64_t> a, std::span<const int64_t> b) {
  std::vector<int64_t> result(std::max(a.size(), b.size()));
  for (size_t i = 1; i <= result.size(); ++i) {
    const int64_t x = i <= a.size() ? a[a.size() - i] : 1, y = i <= b.size() ? b[b.size() - i] : 1;
    node.require(x == y || x == 1 || y == 1, "inputs", "do not broadcast: an axis has ", x, " and ", y);
    result[result.size() - i] = std::max(x, y);
  }
  return result;
}

}  // namespace tidbit::internal
