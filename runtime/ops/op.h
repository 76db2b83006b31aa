// What a node becomes: an operator that can run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/gemm.h"
#include "runtime/reader.h"
#include "runtime/threads.h"
#include "runtime/tuning.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::internal {

struct RealForm;

/// What an operator runs on.
struct Frame {
  std::span<std::byte* const> tensors;  // where each tensor's samples begin
  std::byte* scratch;                   // as large as scratch_bytes() said, aligned to 64 bytes
  size_t batch;                         // samples
  const Threads& threads;

  template <class T>
  T* tensor(size_t index) const {
    return reinterpret_cast<T*>(tensors[index]);
  }
};

/// Made from a node of the file by a function of the operator table, which checks all that the file says of the node.
/// Immutable after prepare(), and shared by sessions.
class Op {
 public:
  virtual ~Op() = default;

  /// Packs weights: all that an operator allocates by the measure of the file's data.
  virtual void prepare() {}

  /// Adds to what is known about the node; packed_bytes before they are packed.
  virtual void describe(NodeInfo&) const {}

  /// Saturates.
  virtual uint64_t scratch_bytes(size_t /*batch*/, size_t /*threads*/) const { return 0; }

  /// The largest batch that run() can count.
  virtual size_t largest_batch() const { return SIZE_MAX; }

  /// Asked where no quantizer sees the results: whether it computes them in float32 from now on, on our own kernels,
  /// with packed weights of at most so many bytes.
  virtual bool take_float32(uint64_t /*most_bytes*/) { return false; }

  /// Whether the output is the input's memory.
  virtual bool aliases() const { return false; }

  /// Whether it rounds reals to codes: then they must be those of exact sums.
  virtual bool quantizes() const { return false; }

  /// What a library of float32 operators may run in place of this; none where that is not all it does, or would need
  /// copies of weights larger than `most_bytes`.
  virtual std::optional<RealForm> real_form(uint64_t most_bytes) const;

  /// Allocates nothing.
  virtual void run(const Frame&) const noexcept = 0;
};

struct OpOptions {
  std::optional<kernels::Family> family;  // instead of the tuning
  Tuning tuning;
};

/// A node while its operator is made. Indices of tensors are already checked.
class NodeReader : public Reader {
 public:
  NodeReader(std::string where, const FileView& view, const file::Node& node, std::span<const TensorInfo> tensors)
      : Reader(std::move(where), view.tail), node_(node), tensors_(tensors) {}

  /// The operator's table. Every file of a known version has it.
  template <class Table>
  const Table& op() const {
    const Table* const table = node_.op_as<Table>();
    require(table != nullptr, "op", "is missing");
    return *table;
  }

  size_t input_count() const { return node_.inputs() ? node_.inputs()->size() : 0; }
  size_t output_count() const { return node_.outputs() ? node_.outputs()->size() : 0; }
  size_t input_index(size_t i) const { return node_.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)); }
  size_t output_index(size_t i) const { return node_.outputs()->Get(static_cast<flatbuffers::uoffset_t>(i)); }
  const TensorInfo& input(size_t i) const { return tensors_[input_index(i)]; }
  const TensorInfo& output(size_t i) const { return tensors_[output_index(i)]; }

  void require_arity(size_t inputs, size_t outputs) const {
    require(input_count() == inputs, "inputs", "has ", input_count(), " tensors, must have ", inputs);
    require(output_count() == outputs, "outputs", "has ", output_count(), " tensors, must have ", outputs);
  }

  void require_real(const TensorInfo& tensor, std::string_view field) const {
    require(tensor.is_real, field, "must be real");
  }
  void require_codes(const TensorInfo& tensor, std::string_view field) const {
    require(!tensor.is_real, field, "must be codes");
  }
  void require_shape(const TensorInfo& tensor, std::span<const int64_t> shape, std::string_view field) const;
  /// Both real, or both codes that mean the same.
  void require_same_elements(const TensorInfo& a, const TensorInfo& b, std::string_view field) const;

 private:
  const file::Node& node_;
  std::span<const TensorInfo> tensors_;
};

}  // namespace tidbit::internal
