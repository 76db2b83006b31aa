#include "runtime/ops/weights.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "schema/bitplanes.h"

namespace tidbit::internal {
namespace {

void require_count(const NodeReader& node, uint32_t has, uint64_t wants, std::string_view field) {
  node.require(has == wants, field, "is ", has, ", must be ", wants);
}

}  // namespace

Weights::Weights(const NodeReader& node, const file::Weights* table, const WeightsShape& shape) : shape_(shape) {
  node.require(table != nullptr, "weights", "is missing");
  require_count(node, table->rows(), shape.rows, "weights.rows");
  require_count(node, table->taps(), shape.taps, "weights.taps");
  require_count(node, table->channels(), shape.channels, "weights.channels");
  encoding_ = table->encoding();
  switch (encoding_) {
    case file::WeightEncoding::BitPlanes: {
      grid_ = node.grid(table->grid(), "weights.grid");
      node.require(grid_.bits <= 4, "weights.grid", "has ", grid_.bits, " bits, bit-planes have 1 to 4");
      const uint64_t tap_bytes = round_up(shape.channels, 8) / 8;
      data_ = node.array<std::byte>(table->data(), "weights.data",
                                    product({shape.rows, static_cast<uint64_t>(grid_.bits), shape.taps, tap_bytes}));
      return;
    }
    case file::WeightEncoding::Bytes: {
      grid_ = node.grid(table->grid(), "weights.grid");
      node.require(grid_.bits >= 5, "weights.grid", "has ", grid_.bits, " bits, weights in bytes have 5 to 8");
      data_ = node.array<std::byte>(table->data(), "weights.data", product({shape.rows, shape.row_elements()}));
      const std::span<const uint8_t> codes = codes_in_place();
      node.require(std::ranges::all_of(codes, [&](uint8_t code) { return code < grid_.levels(); }), "weights.data",
                   "has a code beyond its grid");
      return;
    }
    case file::WeightEncoding::Real:
      data_ = node.array<std::byte>(table->data(), "weights.data",
                                    product({shape.rows, shape.row_elements(), sizeof(float)}));
      return;
  }
  node.fail("weights.encoding", "is unknown: ", static_cast<int>(encoding_));
}

std::span<const uint8_t> Weights::codes_in_place() const {
  if (encoding_ != file::WeightEncoding::Bytes) return {};
  return {reinterpret_cast<const uint8_t*>(data_.data()), data_.size()};
}

void Weights::codes(size_t row_begin, size_t row_count, uint8_t* out) const noexcept {
  if (encoding_ == file::WeightEncoding::Bytes) {
    std::memcpy(out, data_.data() + row_begin * row_elements(), row_count * row_elements());
    return;
  }
  const size_t taps = static_cast<size_t>(shape_.taps), channels = static_cast<size_t>(shape_.channels);
  const size_t row_bytes = bitplanes::bytes_per_row(grid_.bits, taps, channels);
  const uint8_t* planes = reinterpret_cast<const uint8_t*>(data_.data()) + row_begin * row_bytes;
  for (size_t row = 0; row < row_count; ++row, planes += row_bytes, out += row_elements()) {
    bitplanes::unpack_row(planes, grid_.bits, taps, channels, out);
  }
}

std::span<const float> Weights::reals(size_t row) const {
  return {reinterpret_cast<const float*>(data_.data()) + row * row_elements(), row_elements()};
}

uint64_t Weights::largest_row_magnitude() const {
  uint64_t largest = 0;
  std::vector<uint8_t> row(row_elements());
  for (size_t i = 0; i < shape_.rows; ++i) {
    codes(i, 1, row.data());
    uint64_t total = 0;
    for (const uint8_t code : row) total += static_cast<uint64_t>(std::abs(grid_.value(code)));
    largest = std::max(largest, total);
  }
  return largest;
}

uint64_t magnitude(const Grid& grid) {
  return static_cast<uint64_t>(std::max(std::abs(grid.lowest()), std::abs(grid.highest())));
}

}  // namespace tidbit::internal
