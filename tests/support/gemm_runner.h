// Runs GEMM kernels in tests: shapes, grids and codes to run them on, in buffers of exactly the declared sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/gemm.h"
#include "schema/grid.h"

namespace tidbit {

inline void PrintTo(const Grid& grid, std::ostream* out) {
  *out << grid.bits << " bits " << grid.step << "*u" << (grid.base < 0 ? "" : "+") << grid.base;
}

namespace kernels {

inline void PrintTo(const GemmKernel* kernel, std::ostream* out) { *out << kernel->name; }

inline void PrintTo(const GemmProblem& problem, std::ostream* out) {
  const ConvolutionShape& shape = problem.shape;
  const Window& window = shape.window;
  *out << shape.height << 'x' << shape.width << 'x' << shape.channels << " -> " << shape.out_height << 'x'
       << shape.out_width << 'x' << shape.out_channels << ", kernel " << window.kernel_height << 'x'
       << window.kernel_width << " stride " << window.stride_height << 'x' << window.stride_width << " dilation "
       << window.dilation_height << 'x' << window.dilation_width << " pads " << window.pad_top << ' ' << window.pad_left
       << ' ' << window.pad_bottom << ' ' << window.pad_right << ", weights ";
  PrintTo(problem.weights, out);
  *out << ", activations ";
  PrintTo(problem.activations, out);
}

}  // namespace kernels

namespace test {

/// The shape of a convolution whose output covers all of the padded image.
inline kernels::ConvolutionShape convolution_shape(int32_t height, int32_t width, int32_t channels,
                                                   int32_t out_channels, const kernels::Window& window = {}) {
  const int32_t kernel_height = (window.kernel_height - 1) * window.dilation_height + 1;
  const int32_t kernel_width = (window.kernel_width - 1) * window.dilation_width + 1;
  return {.height = height,
          .width = width,
          .channels = channels,
          .out_height = (height + window.pad_top + window.pad_bottom - kernel_height) / window.stride_height + 1,
          .out_width = (width + window.pad_left + window.pad_right - kernel_width) / window.stride_width + 1,
          .out_channels = out_channels,
          .window = window};
}

constexpr kernels::Window kWindow3x3 = {
    .kernel_height = 3, .kernel_width = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};

/// The forms of grids of one width: unsigned, zero points, two's complement, bipolar, and some without a 0.
inline std::vector<Grid> grids_of(int32_t bits) {
  const int32_t levels = 1 << bits;
  std::vector<Grid> grids = {
      {.bits = bits},                                        // unsigned
      {.bits = bits, .base = -levels / 2},                   // two's complement
      {.bits = bits, .step = 2, .base = 1 - levels},         // bipolar
      {.bits = bits, .base = 1 - levels},                    // zero point at the top
      {.bits = bits, .step = 2, .base = -2 * (levels / 2)},  // two's complement of twice the step
      {.bits = bits, .base = 1},                             // positive
      {.bits = bits, .base = -levels},                       // negative
  };
  if (bits > 1) grids.push_back({.bits = bits, .base = -1});  // a small zero point
  return grids;
}

enum class Fill { Random, Narrow, Highest, Lowest };

/// Codes in a buffer of exactly their size. Narrow leaves code 0 unused.
inline std::vector<uint8_t> codes_of(const Grid& grid, int64_t count, Fill fill, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> codes(static_cast<size_t>(count));
  const uint32_t levels = 1u << grid.bits;
  for (uint8_t& code : codes) {
    switch (fill) {
      case Fill::Random:
        code = static_cast<uint8_t>(random() % levels);
        break;
      case Fill::Narrow:
        code = static_cast<uint8_t>(1 + random() % (levels - 1));
        break;
      case Fill::Highest:
        code = static_cast<uint8_t>(levels - 1);
        break;
      case Fill::Lowest:
        code = 0;
        break;
    }
  }
  return codes;
}

/// Memory of exactly `size` bytes on a cache line, not zero to begin with.
class PackedBuffer {
 public:
  explicit PackedBuffer(size_t size) : size_(size), data_(::operator new(size, kAlignment)) {
    std::memset(data_.get(), 0xa5, size);
  }
  std::byte* data() const { return static_cast<std::byte*>(data_.get()); }
  friend bool operator==(const PackedBuffer& a, const PackedBuffer& b) {
    return a.size_ == b.size_ && std::memcmp(a.data(), b.data(), a.size_) == 0;
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* data) const { ::operator delete(data, kAlignment); }
  };
  size_t size_;
  std::unique_ptr<void, Free> data_;
};

/// A problem with its codes, whose pixels are `pixel_stride` apart (0: the channels).
struct GemmData {
  kernels::GemmProblem problem;
  ptrdiff_t pixel_stride;
  std::vector<uint8_t> codes, weight_codes;

  explicit GemmData(const kernels::GemmProblem& of, Fill activations = Fill::Random, Fill weights = Fill::Random,
                    ptrdiff_t stride = 0)
      : problem(of), pixel_stride(stride != 0 ? stride : of.shape.channels) {
    const kernels::ConvolutionShape& shape = of.shape;
    const int64_t last_pixel = int64_t{shape.height} * shape.width - 1;
    codes = codes_of(of.activations, last_pixel * pixel_stride + shape.channels, activations, 1);
    weight_codes = codes_of(of.weights, shape.depth() * shape.out_channels, weights, 2);
  }
};

/// Both operands, packed by one kernel.
struct PackedGemm {
  PackedBuffer weights, image;
  const std::byte* tile_image;  // the image, or the codes in its place

  PackedGemm(const kernels::GemmKernel& kernel, const GemmData& data)
      : weights(kernel.packed_sizes(data.problem).weights),
        image(kernel.packed_sizes(data.problem).image),
        tile_image(kernel.packed_sizes(data.problem).image == 0 ? reinterpret_cast<const std::byte*>(data.codes.data())
                                                                : image.data()) {
    const kernels::ConvolutionShape& shape = data.problem.shape;
    kernel.pack_weights(data.problem, data.weight_codes.data(), 0, shape.out_channels, weights.data());
    kernel.pack_image(data.problem, data.codes.data(), data.pixel_stride, 0, shape.covered_height(), image.data());
  }
};

}  // namespace test
}  // namespace tidbit
