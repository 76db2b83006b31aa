#include "tools/npy.h"

#include <fmt/ranges.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <type_traits>

#include "tools/error.h"
#include "tools/files.h"

namespace tidbit::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "'<f4' is copied as it is");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kHeaderAlignment = 64;

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the header's Python dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), rest_(text) {}

  Header parse() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        descr = true;
        if (next() == '[') fail("{}: holds records (a structured dtype): save a plain array", path_);
        header.descr = quoted();
      } else if (key == "fortran_order") {
        order = true;
        header.fortran_order = boolean();
      } else if (key == "shape") {
        shape = true;
        header.shape = tuple();
      } else {
        damaged();
      }
      if (!accept(',') && next() != '}') damaged();
    }
    if (!descr || !order || !shape) damaged();
    return header;
  }

 private:
  [[noreturn]] void damaged() const { fail("{}: not a .npy file (damaged header): save it with numpy.save", path_); }

  char next() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_.front();
  }
  bool accept(char c) {
    if (next() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) damaged();
  }
  bool accept(std::string_view word) {
    next();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string quoted() {
    expect('\'');
    const size_t end = rest_.find('\'');
    if (end == std::string_view::npos) damaged();
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    if (accept("True")) return true;
    if (!accept("False")) damaged();
    return false;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> extents;
    expect('(');
    while (!accept(')')) {
      next();
      int64_t extent = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      if (error != std::errc() || extent < 0) damaged();
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      extents.push_back(extent);
      if (!accept(',') && next() != ')') damaged();
    }
    return extents;
  }

  const std::string& path_;
  std::string_view rest_;
};

/// The text of the header; the stream then stands at the data.
std::string read_header(const std::string& path, std::ifstream& file, size_t file_bytes) {
  unsigned char start[12] = {};
  file.read(reinterpret_cast<char*>(start), 10);
  if (!file || std::memcmp(start, kMagic.data(), kMagic.size()) != 0) {
    fail("{}: not a .npy file: save it with numpy.save", path);
  }
  size_t length = start[8] | size_t{start[9]} << 8;
  if (start[6] > 1) {  // versions 2 and 3 have a 4-byte length
    file.read(reinterpret_cast<char*>(start) + 10, 2);
    length |= size_t{start[10]} << 16 | size_t{start[11]} << 24;
  }
  if (!file || length > file_bytes) fail("{}: truncated in its header: save it again", path);
  std::string text(length, '\0');
  file.read(text.data(), static_cast<std::streamsize>(length));
  if (!file) fail("{}: truncated in its header: save it again", path);
  return text;
}

/// The product of the extents, or the largest size_t where it does not fit.
size_t count(const std::vector<int64_t>& shape) {
  size_t total = 1;
  for (int64_t extent : shape) {
    if (__builtin_mul_overflow(total, extent, &total)) return SIZE_MAX;
  }
  return total;
}

}  // namespace

namespace {

template <class Stored, class T>
std::vector<T> read_elements(const std::string& path, std::ifstream& file, size_t file_bytes, const Header& header) {
  const size_t elements = count(header.shape);
  const size_t available = file_bytes - static_cast<size_t>(file.tellg());
  if (elements > available / sizeof(Stored) || elements * sizeof(Stored) != available) {
    fail("{}: expected the data of a {} array, found {} bytes: the file is damaged, save it again", path,
         to_string(header.shape), available);
  }
  std::vector<Stored> stored(elements);
  file.read(reinterpret_cast<char*>(stored.data()), static_cast<std::streamsize>(available));
  if (!file) fail("{}: cannot be read ({}): save it again", path, std::strerror(errno));
  if constexpr (std::is_same_v<Stored, T>) return stored;
  return {stored.begin(), stored.end()};
}

}  // namespace

template <class T>
Array<T> read_npy(const std::string& path) {
  std::error_code error;
  const size_t file_bytes = std::filesystem::file_size(path, error);
  if (error) fail("{}: cannot be read ({}): name a .npy file", path, error.message());
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be read ({}): name a .npy file", path, std::strerror(errno));

  const std::string text = read_header(path, file, file_bytes);
  const Header header = HeaderParser(path, text).parse();
  if (header.fortran_order && header.shape.size() > 1) {
    fail("{}: expected C order, found Fortran order: convert it with numpy.ascontiguousarray", path);
  }
  const std::string& descr = header.descr;
  if constexpr (std::is_same_v<T, float>) {
    if (descr == "<f4") return {header.shape, read_elements<float, T>(path, file, file_bytes, header)};
    fail("{}: expected float32 ('<f4'), found '{}': convert it with .astype(numpy.float32)", path, descr);
  } else {
    if (descr == "<i8") return {header.shape, read_elements<int64_t, T>(path, file, file_bytes, header)};
    if (descr == "<i4") return {header.shape, read_elements<int32_t, T>(path, file, file_bytes, header)};
    if (descr == "|u1") return {header.shape, read_elements<uint8_t, T>(path, file, file_bytes, header)};
    fail("{}: expected int64 ('<i8'), int32 or uint8, found '{}': convert it with .astype(numpy.int64)", path, descr);
  }
}

template Array<float> read_npy<float>(const std::string& path);
template Array<int64_t> read_npy<int64_t>(const std::string& path);

void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> data) {
  const std::string extents = fmt::format("{}{}", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  std::string text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", extents);
  const size_t prefix = kMagic.size() + 4;
  text.append(kHeaderAlignment - (prefix + text.size() + 1) % kHeaderAlignment, ' ');
  text += '\n';
  const auto length = static_cast<uint16_t>(text.size());
  std::string header(kMagic);
  header += {'\1', '\0', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  header += text;
  write_file(path, {std::as_bytes(std::span(header)), std::as_bytes(data)});
}

std::string to_string(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace tidbit::tools
