// Reads fields that cannot be trusted. Every complaint names the part of the file and the field.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "runtime/container.h"
#include "runtime/failure.h"
#include "runtime/sizes.h"
#include "schema/grid.h"

namespace tidbit::internal {

/// Reads the fields of one part of the file: a node, a tensor.
class Reader {
 public:
  Reader(std::string where, std::span<const std::byte> tail) : where_(std::move(where)), tail_(tail) {}

  template <class... Parts>
  [[noreturn]] void fail(std::string_view field, const Parts&... parts) const {
    throw Failure{StatusCode::InvalidFile, text(where_, ": ", field, " ", parts...)};
  }

  template <class... Parts>
  void require(bool holds, std::string_view field, const Parts&... parts) const {
    if (!holds) fail(field, parts...);
  }

  /// A range of the tail.
  std::span<const std::byte> blob(const file::Blob* blob, std::string_view field) const;

  /// A blob of exactly `count` elements.
  template <class T>
  std::span<const T> array(const file::Blob* field_blob, std::string_view field, uint64_t count) const {
    const std::span<const std::byte> bytes = blob(field_blob, field);
    const uint64_t wanted = product({count, sizeof(T)});
    require(bytes.size() == wanted, field, "has ", bytes.size(), " bytes, must have ", wanted);
    return elements<T>(bytes);
  }

  /// A blob with an array for each of `channels`, or one for all: `count` elements each.
  template <class T>
  std::span<const T> per_channel(const file::Blob* field_blob, std::string_view field, uint64_t channels,
                                 uint64_t count = 1) const {
    const std::span<const std::byte> bytes = blob(field_blob, field);
    const uint64_t one = product({count, sizeof(T)}), all = product({one, channels});
    require(bytes.size() == one || bytes.size() == all, field, "has ", bytes.size(), " bytes, must have ", one,
            " or, for ", channels, " channels, ", all);
    return elements<T>(bytes);
  }

  Grid grid(const file::Grid* grid, std::string_view field) const;

 private:
  template <class T>
  static std::span<const T> elements(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  std::string where_;
  std::span<const std::byte> tail_;
};

/// Grids have integer values within this, far more than trained networks use: sums of a few never overflow.
constexpr int32_t kLargestGridBase = 1 << 20;

inline Grid grid_of(const TensorInfo& tensor) {
  return {.bits = tensor.bits, .step = tensor.step, .base = tensor.base};
}

inline size_t element_bytes(const TensorInfo& tensor) { return tensor.is_real ? sizeof(float) : sizeof(uint8_t); }

/// Of a sample.
inline size_t tensor_bytes(const TensorInfo& tensor) { return tensor.elements() * element_bytes(tensor); }

/// The extent of the last axis; 1 for a scalar.
inline size_t channels_of(const TensorInfo& tensor) {
  return tensor.shape.empty() ? 1 : static_cast<size_t>(tensor.shape.back());
}

}  // namespace tidbit::internal
