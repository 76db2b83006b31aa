#include <algorithm>
#include <cstring>

#include "kernels/dot/family.h"

namespace tidbit::kernels::dot {
namespace {

/// Packs a block of codes; returns the end of its bytes.
std::byte* pack_block(const uint8_t* codes, int32_t count, int32_t bits, int32_t codes_per_byte, std::byte* packed) {
  const int32_t bytes = (count + codes_per_byte - 1) / codes_per_byte;
  for (int32_t i = 0; i < bytes; ++i) {
    uint32_t byte = 0;
    for (int32_t code = i, shift = 0; code < count; code += bytes, shift += bits) {
      byte |= uint32_t{codes[code]} << shift;
    }
    packed[i] = static_cast<std::byte>(byte);
  }
  return packed + bytes;
}

}  // namespace

void pack_weights(const GemmProblem& problem, const uint8_t* codes, int32_t row_begin, int32_t row_count,
                  std::byte* packed) noexcept {
  const Layout layout = dot::layout(problem, 1);
  const int64_t runs = int64_t{row_count} * layout.image.kernel_rows * layout.image.row_runs;
  packed += row_begin * layout.row_bytes;
  for (int64_t run = 0; run < runs; ++run) {
    for (int32_t left = layout.run_codes; left > 0; left -= kBlock) {
      const int32_t count = std::min(left, kBlock);
      packed = pack_block(codes, count, problem.weights.bits, layout.codes_per_byte, packed);
      codes += count;
    }
  }
}

template <class Value>
void pack_image(const GemmProblem& problem, const uint8_t* codes, ptrdiff_t pixel_stride, int32_t row_begin,
                int32_t row_end, std::byte* packed) noexcept {
  const Layout layout = dot::layout(problem, sizeof(Value));
  const Grid grid = problem.activations;
  const auto pack_pixel = [&](const uint8_t* pixel, std::byte* out) {
    if (pixel == nullptr) {
      std::memset(out, 0, layout.image.pixel_bytes);
      return;
    }
    auto* values = reinterpret_cast<Value*>(out);
    for (int32_t c = 0; c < problem.shape.channels; ++c) values[c] = static_cast<Value>(grid.value(pixel[c]));
  };
  pack_rows(problem.shape, layout.image, codes, pixel_stride, row_begin, row_end, packed, pack_pixel);
}

template void pack_image<int16_t>(const GemmProblem&, const uint8_t*, ptrdiff_t, int32_t, int32_t, std::byte*) noexcept;
template void pack_image<int32_t>(const GemmProblem&, const uint8_t*, ptrdiff_t, int32_t, int32_t, std::byte*) noexcept;

}  // namespace tidbit::kernels::dot
