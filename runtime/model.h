// The inside of a Model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/mapped_file.h"
#include "runtime/ops/op.h"
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
  std::vector<std::unique_ptr<Op>> ops;  // one a node
  size_t file_bytes;
  size_t packed_bytes = 0;

 private:
  MappedFile mapped_;
};

}  // namespace tidbit::internal
