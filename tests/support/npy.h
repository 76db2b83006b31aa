// Reads the .npy files that tests compare with: little-endian float32 and int64, in C order.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidbit::test {

struct Npy {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

template <class Stored>
void read_npy_values(const std::string& bytes, size_t at, Npy& array) {
  for (; at + sizeof(Stored) <= bytes.size(); at += sizeof(Stored)) {
    Stored value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    array.values.push_back(static_cast<double>(value));
  }
}

inline Npy read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 10 || bytes.substr(1, 5) != "NUMPY") throw std::runtime_error("no .npy file: " + path);
  const size_t length = static_cast<uint8_t>(bytes[8]) + 256U * static_cast<uint8_t>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  Npy array;
  const size_t open = header.find('('), close = header.find(')');
  std::istringstream extents(header.substr(open + 1, close - open - 1));
  for (std::string extent; std::getline(extents, extent, ',');) {
    if (extent.find_first_not_of(' ') != std::string::npos) array.shape.push_back(std::stoll(extent));
  }
  if (header.find("'fortran_order': False") == std::string::npos) throw std::runtime_error("not in C order: " + path);
  if (header.find("<f4") != std::string::npos) {
    read_npy_values<float>(bytes, 10 + length, array);
  } else if (header.find("<i8") != std::string::npos) {
    read_npy_values<int64_t>(bytes, 10 + length, array);
  } else {
    throw std::runtime_error("neither float32 nor int64: " + path);
  }
  return array;
}

}  // namespace tidbit::test
