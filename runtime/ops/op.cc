#include "runtime/ops/op.h"

#include <algorithm>

#include "runtime/ops/real_form.h"

namespace tidbit::internal {
namespace {

std::string to_text(std::span<const int64_t> shape) {
  std::string line = "[";
  for (size_t i = 0; i < shape.size(); ++i) line += text(i == 0 ? "" : ",", shape[i]);
  return line + "]";
}

}  // namespace

std::optional<RealForm> Op::real_form(uint64_t /*most_bytes*/) const { return std::nullopt; }

void NodeReader::require_shape(const TensorInfo& tensor, std::span<const int64_t> shape, std::string_view field) const {
  if (!std::ranges::equal(tensor.shape, shape)) {
    fail(field, "has shape ", to_text(tensor.shape), ", must have ", to_text(shape));
  }
}

void NodeReader::require_same_elements(const TensorInfo& a, const TensorInfo& b, std::string_view field) const {
  require(a.is_real == b.is_real, field, "must be both real or both codes");
  if (a.is_real) return;
  require(grid_of(a) == grid_of(b), field, "must be on one grid");
  require(a.scale == b.scale, field, "must have one scale");
}

}  // namespace tidbit::internal
