// The parts of a .tbit file that models and operators are made of.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "compiler/emit/tail.h"
#include "compiler/graph.h"
#include "schema/tidbit_generated.h"

namespace tidbit::compiler {

template <class To, class From>
std::vector<To> converted(const std::vector<From>& values) {
  std::vector<To> result;
  result.reserve(values.size());
  for (const From& value : values) result.push_back(static_cast<To>(value));
  return result;
}

/// Writes parts to a flatbuffer and its tail. Those that repeat from node to node (names, shapes, grids, windows) are
/// written once and pointed at: they are most of what a small network's file holds besides weights.
class FileParts {
 public:
  template <class T>
  using Offset = flatbuffers::Offset<T>;

  /// The tensors of a file are the values that the graph and its nodes refer to, in the order in which they are made.
  explicit FileParts(const Graph&);
  const std::vector<ValueId>& tensors() const { return tensors_; }
  uint32_t tensor_index(ValueId id) const { return index_[static_cast<size_t>(id)]; }

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }
  const std::vector<std::byte>& tail() const { return tail_.bytes(); }

  Offset<flatbuffers::Vector<uint32_t>> vector(const std::vector<uint32_t>&);
  Offset<flatbuffers::Vector<uint32_t>> tensor_indices(const std::vector<ValueId>&);
  Offset<file::Grid> grid(const Grid&);
  Offset<file::Window> window(const Window&);
  Offset<file::Weights> weights(const op::Weights&);
  Offset<file::Epilogue> epilogue(const op::Epilogue&, bool integer_sums);

  /// Blobs that count as reals, and as an epilogue's.
  template <class T>
  file::Blob reals(const std::vector<T>& values) {
    return counted(values, real_bytes_);
  }
  template <class T>
  file::Blob parameters(const std::vector<T>& values) {
    return counted(values, epilogue_bytes_);
  }

  size_t weight_bytes() const { return weight_bytes_; }
  size_t epilogue_bytes() const { return epilogue_bytes_; }
  size_t real_bytes() const { return real_bytes_; }

 private:
  template <class T>
  using Written = std::map<std::vector<uint32_t>, Offset<T>>;

  /// The part that `fields` tell apart, which `write` writes the first time.
  template <class T>
  static Offset<T> shared(Written<T>& written, std::vector<uint32_t> fields, std::invocable auto write) {
    const auto [found, is_new] = written.try_emplace(std::move(fields));
    if (is_new) found->second = write();
    return found->second;
  }

  template <class T>
  file::Blob counted(const std::vector<T>& values, size_t& bytes) {
    const file::Blob blob = tail_.add(values);
    bytes += blob.size();
    return blob;
  }

  file::Blob weight_data(const op::Weights&);
  Offset<file::Epilogue> form(const op::Thresholds&, bool integer_sums);
  Offset<file::Epilogue> form(const op::Affine&, bool integer_sums);
  Offset<file::Epilogue> form(const op::FixedPoint&, bool integer_sums);
  Offset<file::FixedPointLine> line(const op::FixedPointLine&);
  Offset<file::Epilogue> form(const op::RealAffine&, bool integer_sums);

  flatbuffers::FlatBufferBuilder builder_;
  Tail tail_;
  Written<flatbuffers::Vector<uint32_t>> vectors_;
  Written<file::Grid> grids_;
  Written<file::Window> windows_;
  std::vector<uint32_t> index_;   // of the tensor that each value is
  std::vector<ValueId> tensors_;  // the value that each tensor is
  size_t weight_bytes_ = 0, epilogue_bytes_ = 0, real_bytes_ = 0;
};

}  // namespace tidbit::compiler
