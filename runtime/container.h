// Opens a .tbit file: its container, and the structure of its flatbuffer. What the tables say is not yet checked.
#pragma once

#include <cstddef>
#include <span>

#include "schema/tidbit_generated.h"

namespace tidbit::internal {

struct FileView {
  const file::Model* model;
  size_t flatbuffer_bytes;
  std::span<const std::byte> tail;
};

/// Throws Failure. `file` is aligned to 64 bytes.
FileView open_container(std::span<const std::byte> file);

}  // namespace tidbit::internal
