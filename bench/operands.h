// Operands of benchmarks: random, the same in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/convolution.h"
#include "schema/grid.h"

namespace tidbit::bench {

struct alignas(64) CacheLine {
  std::byte bytes[64];
};

/// Memory on a cache line, zero to begin with.
class Buffer {
 public:
  explicit Buffer(size_t size) : lines_((size + 63) / 64 + 1) {}
  std::byte* data() { return lines_.data()->bytes; }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data());
  }

 private:
  std::vector<CacheLine> lines_;
};

inline std::vector<uint8_t> random_codes(size_t count, const Grid& grid) {
  std::mt19937 random(1);
  std::vector<uint8_t> codes(count);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random() % static_cast<uint32_t>(grid.levels()));
  return codes;
}

inline size_t in_elements(const kernels::ConvolutionShape& shape) {
  return static_cast<size_t>(shape.height) * shape.width * shape.channels;
}

inline size_t out_elements(const kernels::ConvolutionShape& shape) {
  return static_cast<size_t>(shape.pixels()) * shape.out_channels;
}

}  // namespace tidbit::bench
