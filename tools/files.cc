#include "tools/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tools/error.h"

namespace tidbit::tools {
namespace fs = std::filesystem;
namespace {

/// Where the bytes go first, and the name under which they end.
struct Destination {
  std::string first, final;
};

Destination destination(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) fail("{}: is a directory: name a file", path);
  if (!fs::exists(status)) return {fmt::format("{}.part{}", path, getpid()), path};
  if (!fs::is_regular_file(status)) return {path, path};
  const std::string target = fs::canonical(path, error).string();  // keeps a symbolic link
  if (error) fail("{}: cannot be written ({}): name another file", path, error.message());
  return {fmt::format("{}.part{}", target, getpid()), target};
}

bool write_all(const std::string& path, std::initializer_list<std::span<const std::byte>> parts) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return false;
  bool good = true;
  for (const auto& part : parts) good = good && (part.empty() || std::fwrite(part.data(), part.size(), 1, file) == 1);
  good = good && std::fflush(file) == 0;
  const int cause = errno;
  good = std::fclose(file) == 0 && good;
  if (!good && cause != 0) errno = cause;
  return good;
}

}  // namespace

void require_writable(const std::string& path) {
  const Destination to = destination(path);
  if (to.first == to.final) return;
  errno = 0;
  const bool writable = write_all(to.first, {});
  const std::string cause = std::strerror(errno);
  std::remove(to.first.c_str());
  if (!writable) fail("{}: cannot be written ({}): name another file or make room", path, cause);
}

void write_file(const std::string& path, std::initializer_list<std::span<const std::byte>> parts) {
  const Destination to = destination(path);
  const bool in_place = to.first == to.final;
  errno = 0;
  if (write_all(to.first, parts) && (in_place || std::rename(to.first.c_str(), to.final.c_str()) == 0)) return;
  const std::string cause = std::strerror(errno);
  if (!in_place) std::remove(to.first.c_str());
  fail("{}: cannot be written ({}): name another file or make room", path, cause);
}

std::string read_text(const std::string& path) {
  constexpr size_t kLargest = size_t{16} << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be read ({}): name a text file", path, std::strerror(errno));
  std::string text(kLargest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) fail("{}: cannot be read ({}): name a text file", path, std::strerror(errno));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kLargest) fail("{}: is larger than {} bytes: name a text file", path, kLargest);
  return text;
}

std::vector<std::string> read_labels(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail("{}: cannot be read ({}): name a text file with one label a line", path, std::strerror(errno));
  std::vector<std::string> labels;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    labels.push_back(line);
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) fail("{}: holds no label: write one a line", path);
  return labels;
}

std::string with_separators(size_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace tidbit::tools
