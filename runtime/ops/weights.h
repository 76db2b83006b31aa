// The weights of a linear layer as the file has them, checked, and read row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/ops/op.h"
#include "schema/grid.h"

namespace tidbit::internal {

struct WeightsShape {
  uint64_t rows, taps, channels;

  uint64_t row_elements() const { return product({taps, channels}); }
};

class Weights {
 public:
  /// Checks the table against the shape that the operator and its tensors call for.
  Weights(const NodeReader&, const file::Weights*, const WeightsShape&);

  bool real() const { return encoding_ == file::WeightEncoding::Real; }
  const Grid& grid() const { return grid_; }  // unless real()
  int bits() const { return real() ? 32 : grid_.bits; }
  size_t file_bytes() const { return data_.size(); }
  const WeightsShape& shape() const { return shape_; }

  /// Where codes are one a byte in the file: all of them, [row][tap][channel]. Else empty.
  std::span<const uint8_t> codes_in_place() const;

  /// Codes of rows, [row][tap][channel]. Not for real weights.
  void codes(size_t row_begin, size_t row_count, uint8_t* out) const noexcept;

  /// A real row. Only if real().
  std::span<const float> reals(size_t row) const;

  /// The sum of |v| over the row of codes with the largest such sum. Reads all weights.
  uint64_t largest_row_magnitude() const;

 private:
  size_t row_elements() const { return static_cast<size_t>(shape_.row_elements()); }

  WeightsShape shape_;
  file::WeightEncoding encoding_;
  Grid grid_;
  std::span<const std::byte> data_;
};

/// The largest |v| of a grid.
uint64_t magnitude(const Grid&);

}  // namespace tidbit::internal
