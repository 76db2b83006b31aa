// A copy of a .tbit file's bytes where Model::load can use them in place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace tidbit::tools {

class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::byte> bytes) : size_(bytes.size()), lines_(size_ / sizeof(Line) + 1) {
    std::ranges::copy(bytes, data());
  }

  std::byte* data() { return lines_.front().bytes; }
  std::span<const std::byte> span() const { return {lines_.front().bytes, size_}; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  size_t size_;
  std::vector<Line> lines_;
};

}  // namespace tidbit::tools
