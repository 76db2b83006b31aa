#include "kernels/dot/family.h"

#include <cmath>
#include <limits>

namespace tidbit::kernels::dot {

std::span<const std::span<const GemmKernel>> tiers() {
  static const std::span<const GemmKernel> all[] = {
    kScalar,
#if defined(__x86_64__)
    kAvx2,
    kAvxVnni,
    kAvx512,
    kAvx512Vnni,
    kAmx,
#elif defined(__aarch64__)
    kNeon,
    kNeonDot,
    kNeonI8mm,
#elif defined(__arm__)
    kNeon,
#endif
  };
  return all;
}

bool fits_int16(const Grid& grid) noexcept {
  constexpr int64_t kLimit = std::numeric_limits<int16_t>::max();
  const int64_t highest = int64_t{grid.step} * (grid.levels() - 1) + grid.base;
  return grid.base >= -kLimit && highest <= kLimit;
}

Layout layout(const GemmProblem& problem, size_t value_bytes) noexcept {
  const ConvolutionShape& shape = problem.shape;
  Layout layout = {};
  layout.image = packed_image(shape, 1, shape.channels * value_bytes, value_bytes);
  layout.run_codes = layout.image.run_taps * shape.channels;
  layout.codes_per_byte = 8 / problem.weights.bits;
  layout.run_bytes = static_cast<size_t>((layout.run_codes + layout.codes_per_byte - 1) / layout.codes_per_byte);
  layout.row_bytes = layout.run_bytes * layout.image.kernel_rows * layout.image.row_runs;
  layout.weight_bytes = layout.row_bytes * shape.out_channels;
  return layout;
}

double cost(const GemmProblem& problem, size_t value_bytes, const Cycles& cycles) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Layout sizes = layout(problem, value_bytes);
  const auto pixels = static_cast<double>(shape.pixels()), depth = static_cast<double>(shape.depth());
  const int32_t run_blocks = (sizes.run_codes + kBlock - 1) / kBlock;
  const int32_t blocks = sizes.image.kernel_rows * sizes.image.row_runs * run_blocks;
  const double unpacking = depth * shape.out_channels * std::ceil(pixels / kUnpackPixels) * cycles.unpack;
  const double packing = static_cast<double>(sizes.image.bytes) / static_cast<double>(value_bytes) * cycles.pack;
  return pixels * shape.out_channels * (cycles.block * blocks + cycles.mac * depth) + unpacking + packing;
}

PackedSizes packed_sizes(const GemmProblem& problem, size_t value_bytes) noexcept {
  const Layout sizes = layout(problem, value_bytes);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

}  // namespace tidbit::kernels::dot
