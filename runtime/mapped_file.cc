#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/failure.h"

namespace tidbit::internal {
namespace {

[[noreturn]] void fail(StatusCode code, const std::string& path, std::string_view doing, int error) {
  throw Failure{code, text(printable(path), ": cannot ", doing, ": ", std::generic_category().message(error))};
}

/// Closes the descriptor: a mapping lives on without it.
class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) fail(StatusCode::NotFound, path, "open the file", errno);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(fd_); }
  operator int() const { return fd_; }  // NOLINT(google-explicit-constructor)

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path);
  struct stat status;
  if (::fstat(file, &status) != 0) fail(StatusCode::InvalidFile, path, "read the file's size", errno);
  if (!S_ISREG(status.st_mode)) throw Failure{StatusCode::InvalidFile, text(printable(path), ": not a regular file")};
  if (status.st_size == 0) throw Failure{StatusCode::InvalidFile, text(printable(path), ": the file is empty")};
  if (static_cast<uint64_t>(status.st_size) > PTRDIFF_MAX) fail(StatusCode::OutOfMemory, path, "map the file", EFBIG);
  const size_t size = static_cast<size_t>(status.st_size);
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    fail(error == ENOMEM ? StatusCode::OutOfMemory : StatusCode::InvalidFile, path, "map the file", error);
  }
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace tidbit::internal
