// The inside of a Model.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/arena.h"
#include "runtime/mapped_file.h"
#include "runtime/ops/op.h"
#include "runtime/ops/real_form.h"
#include "runtime/validate.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::internal {

class ModelImpl {
 public:
  /// Throws Failure. Blobs stay in `file`, which must outlive the model.
  ModelImpl(std::span<const std::byte> file, const LoadOptions&);
  /// The same of a file that the model keeps mapped.
  ModelImpl(MappedFile file, const LoadOptions&);

  Description description;
  std::vector<std::unique_ptr<Op>> ops;                // one a node
  std::vector<std::optional<RealForm>> xnnpack_forms;  // of the nodes that XNNPACK runs in place of their operators
  size_t file_bytes;
  size_t packed_bytes = 0;

  /// Of a node, for its operator.
  uint64_t scratch_bytes(size_t node, const ArenaOptions&) const;

 private:
  /// Lets nodes compute in float32 whose results no quantizer sees: themselves, or XNNPACK in their place.
  void choose_float32(uint64_t most_bytes);
  std::vector<bool> reach_quantizers() const;

  MappedFile mapped_;
};

}  // namespace tidbit::internal
