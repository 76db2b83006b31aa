// What lies behind the flatbuffer in a .tbit file.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "schema/container.h"
#include "schema/tidbit_generated.h"

namespace tidbit::compiler {

/// The blobs behind the flatbuffer. Small ones go where the alignment of large ones left room.
class Tail {
 public:
  template <class T>
  file::Blob add(const std::vector<T>& values) {
    const size_t size = values.size() * sizeof(T);
    const size_t offset = place(size, container::blob_alignment(size));
    if (!values.empty()) std::memcpy(bytes_.data() + offset, values.data(), size);
    return {offset, size};
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  static size_t aligned(size_t offset, size_t alignment) { return (offset + alignment - 1) / alignment * alignment; }

  size_t place(size_t size, size_t alignment) {
    const size_t in_gap = aligned(gap_begin_, alignment);
    if (in_gap + size <= gap_end_) {
      gap_begin_ = in_gap + size;
      return in_gap;
    }
    const size_t end = bytes_.size(), offset = aligned(end, alignment);
    if (offset - end > gap_end_ - gap_begin_) gap_begin_ = end, gap_end_ = offset;
    bytes_.resize(offset + size);
    return offset;
  }

  std::vector<std::byte> bytes_;
  size_t gap_begin_ = 0, gap_end_ = 0;  // the widest that is left
};

}  // namespace tidbit::compiler
