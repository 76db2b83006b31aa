// Walks over an index space by several operands, each with its own strides (transposed, broadcast).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidbit::internal {

/// Tensors have no more axes.
constexpr size_t kLargestRank = 8;

/// Elements between neighbours along each axis; 0 along an axis that repeats.
using Strides = std::array<size_t, kLargestRank>;

/// The strides of a dense row-major tensor, its shape extended to `rank` axes by leading ones, that repeats where its
/// extent is 1.
inline Strides broadcast_strides(std::span<const int64_t> shape, size_t rank) {
  Strides strides{};
  size_t stride = 1;
  for (size_t i = 1; i <= shape.size(); ++i) {
    const auto extent = static_cast<size_t>(shape[shape.size() - i]);
    if (extent > 1) strides[rank - i] = stride;
    stride *= extent;
  }
  return strides;
}

/// An index space in row-major order, in as few axes as its operands allow, and at least one.
template <size_t Operands>
class Walk {
 public:
  Walk(std::span<const int64_t> shape, const std::array<Strides, Operands>& strides) {
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto extent = static_cast<size_t>(shape[axis]);
      if (extent == 1) continue;
      if (rank_ > 0 && continues(extent, axis, strides)) {
        extents_[rank_ - 1] *= extent;
      } else {
        extents_[rank_++] = extent;
      }
      for (size_t i = 0; i < Operands; ++i) strides_[i][rank_ - 1] = strides[i][axis];
    }
    if (rank_ == 0) extents_[rank_++] = 1;
  }

  /// The innermost axis, which callers loop over, and the number of times they do.
  size_t inner() const { return extents_[rank_ - 1]; }
  size_t inner_stride(size_t operand) const { return strides_[operand][rank_ - 1]; }
  /// The axis around it; of extent 1 and stride 0 where there is none.
  size_t next() const { return rank_ > 1 ? extents_[rank_ - 2] : 1; }
  size_t next_stride(size_t operand) const { return rank_ > 1 ? strides_[operand][rank_ - 2] : 0; }
  size_t outer() const {
    size_t count = 1;
    for (size_t axis = 0; axis + 1 < rank_; ++axis) count *= extents_[axis];
    return count;
  }

  /// Where each operand's inner axis begins, in elements, the `index`-th time.
  std::array<size_t, Operands> offsets(size_t index) const {
    std::array<size_t, Operands> result{};
    for (size_t axis = rank_ - 1; axis-- > 0; index /= extents_[axis]) {
      for (size_t i = 0; i < Operands; ++i) result[i] += index % extents_[axis] * strides_[i][axis];
    }
    return result;
  }

 private:
  /// Whether every operand walks `axis` as the end of the axis before it.
  bool continues(size_t extent, size_t axis, const std::array<Strides, Operands>& strides) const {
    for (size_t i = 0; i < Operands; ++i) {
      if (strides_[i][rank_ - 1] != extent * strides[i][axis]) return false;
    }
    return true;
  }

  size_t rank_ = 0;
  std::array<size_t, kLargestRank> extents_{};
  std::array<Strides, Operands> strides_{};
};

}  // namespace tidbit::internal
