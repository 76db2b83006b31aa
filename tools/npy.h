// NumPy's .npy files, of the two types that the command needs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tidbit::tools {

/// A dense row-major array.
template <class T>
struct Array {
  std::vector<int64_t> shape;
  std::vector<T> data;
};

/// Reads an array of float32, or, as int64, one of int64, int32 or uint8. Throws Error that names the file, what was
/// expected and what was found; allocates by the measure of what the file holds.
template <class T>
Array<T> read_npy(const std::string& path);

extern template Array<float> read_npy<float>(const std::string& path);
extern template Array<int64_t> read_npy<int64_t>(const std::string& path);

/// As write_file: whole or not at all. Throws Error.
void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> data);

/// "[1, 3, 32, 32]"
std::string to_string(std::span<const int64_t> shape);

}  // namespace tidbit::tools
