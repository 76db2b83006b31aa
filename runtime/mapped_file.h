// A file as read-only memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tidbit::internal {

class MappedFile {
 public:
  MappedFile() = default;
  /// Throws Failure, which names the file and the system's reason.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tidbit::internal
