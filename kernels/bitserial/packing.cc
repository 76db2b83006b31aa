#include <algorithm>
#include <cstring>

#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {
namespace {

constexpr uint64_t kEachByte = 0x0101010101010101;

/// The codes of up to eight channels, one a byte, with the bits of `flipped` flipped; zero past `count`.
uint64_t load_codes(const uint8_t* codes, int32_t count, int32_t flipped) {
  uint64_t group = 0;
  if (count <= 0) return group;
  std::memcpy(&group, codes, static_cast<size_t>(std::min(count, 8)));
  const uint64_t valid = count >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * count) - 1;
  return group ^ (static_cast<uint64_t>(flipped) * kEachByte & valid);
}

/// Bit `plane` of eight codes; code i gives bit i. (The product moves bit 8*i to bit 56 + i.)
std::byte plane_of(uint64_t group, int32_t plane) {
  return static_cast<std::byte>((group >> plane & kEachByte) * 0x0102040810204080 >> 56);
}

/// Calls store(byte, plane, value) for all bytes of a pixel.
template <class Store>
void pack_pixel(int32_t byte_channels, const uint8_t* codes, int32_t channels, int32_t flipped, int32_t planes,
                const Store& store) {
  if (byte_channels == 8) {
    for (int32_t channel = 0; channel < channels; channel += 8) {
      const uint64_t group = load_codes(codes + channel, channels - channel, flipped);
      for (int32_t plane = 0; plane < planes; ++plane) store(channel / 8, plane, plane_of(group, plane));
    }
    return;
  }
  const int32_t bytes = (channels + byte_channels - 1) / byte_channels;
  for (int32_t first = 0; first < bytes; first += 8) {
    const int32_t count = std::min(8, bytes - first);
    uint64_t groups[4];
    for (int32_t k = 0; k < 4; ++k) {
      const int32_t channel = k * bytes + first;
      groups[k] = load_codes(codes + channel, std::min(count, channels - channel), flipped);
    }
    for (int32_t plane = 0; plane < planes; ++plane) {
      uint64_t packed = 0;
      for (int32_t k = 0; k < 4; ++k) packed |= (groups[k] >> plane & kEachByte) << k;
      for (int32_t i = 0; i < count; ++i) store(first + i, plane, static_cast<std::byte>(packed >> 8 * i));
    }
  }
}

/// One row of codes [tap][channel] to its lane of a panel that is zero so far.
void pack_row(const GemmProblem& problem, const Form& form, const Layout& layout, const uint8_t* codes, int32_t width,
              std::byte* lane) {
  const int32_t channels = problem.shape.channels, word_bytes = form.word_bytes;
  const int32_t flipped = layout.top_flipped ? 1 << (layout.weight_planes - 1) : 0;
  const size_t word_step = static_cast<size_t>(width) * word_bytes;
  const size_t run_step = layout.words * word_step;
  const size_t plane_step = layout.plane_bytes * width;
  for (int32_t tap = 0; tap < problem.shape.window.taps(); ++tap) {
    std::byte* run = lane + tap / layout.image.run_taps * run_step;
    const auto begin = static_cast<int32_t>(tap % layout.image.run_taps * layout.image.pixel_bytes);
    pack_pixel(form.byte_channels, codes, channels, flipped, layout.weight_planes,
               [&](int32_t byte, int32_t plane, std::byte value) {
                 const int32_t at = begin + byte;
                 run[plane * plane_step + at / word_bytes * word_step + at % word_bytes] = value;
               });
    codes += channels;
  }
}

/// bx*V of one row.
uint32_t constant_of(const GemmProblem& problem, const uint8_t* codes) {
  const auto depth = static_cast<size_t>(problem.shape.depth());
  uint32_t sum = 0;
  for (size_t k = 0; k < depth; ++k) sum += codes[k];
  const uint32_t values = static_cast<uint32_t>(problem.weights.step) * sum +
                          static_cast<uint32_t>(problem.weights.base) * static_cast<uint32_t>(depth);
  return static_cast<uint32_t>(problem.activations.base) * values;
}

/// Fills `pixels` neighbouring pixels with one code.
void pack_padding(const GemmProblem& problem, const Form& form, const PackedImage& layout, int32_t pixels,
                  std::byte* out) {
  const int32_t channels = problem.shape.channels, code = problem.activations.zero_code();
  const auto pixel_bytes = static_cast<int32_t>(layout.pixel_bytes);
  for (int32_t plane = 0; plane < problem.activations.bits; ++plane, out += layout.line_bytes) {
    if (pixels == 0) continue;
    const size_t bytes = pixels * layout.pixel_bytes;
    std::memset(out, 0, bytes);
    if ((code >> plane & 1) == 0) continue;
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t byte = form.byte_channels == 8 ? channel / 8 : channel % pixel_bytes;
      const int32_t bit = form.byte_channels == 8 ? channel % 8 : channel / pixel_bytes;
      out[byte] |= static_cast<std::byte>(1 << bit);
    }
    for (size_t at = layout.pixel_bytes; at < bytes; at += layout.pixel_bytes) {
      std::memcpy(out + at, out, layout.pixel_bytes);
    }
  }
}

}  // namespace

void pack_weights(const GemmProblem& problem, const Form& form, const uint8_t* codes, int32_t row_begin,
                  int32_t row_count, std::byte* packed) noexcept {
  const Layout layout = bitserial::layout(problem, form);
  const auto depth = static_cast<ptrdiff_t>(problem.shape.depth());
  for (int32_t first = 0; first < row_count; first += form.tile) {
    const int32_t width = panel_width(layout, form, row_begin + first);
    uint32_t constants[kMaxTile] = {};
    std::byte* panel = packed + layout.panels + (row_begin + first) / form.tile * layout.panel_bytes;
    std::memset(panel, 0, layout.weight_planes * layout.plane_bytes * width);
    for (int32_t lane = 0; lane < std::min(width, row_count - first); ++lane) {
      const uint8_t* row = codes + (first + lane) * depth;
      pack_row(problem, form, layout, row, width, panel + ptrdiff_t{lane} * form.word_bytes);
      constants[lane] = constant_of(problem, row);
    }
    std::memcpy(packed + (row_begin + first) * sizeof(uint32_t), constants, width * sizeof(uint32_t));
    if (row_begin + first + width >= layout.out_channels) {
      const size_t end = (row_begin + first + width) * sizeof(uint32_t);
      std::memset(packed + end, 0, layout.panels - end);
    }
  }
}

void pack_image(const GemmProblem& problem, const Form& form, PackPixels pack_pixels, const uint8_t* codes,
                ptrdiff_t pixel_stride, int32_t row_begin, int32_t row_end, std::byte* packed) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const PackedImage layout = image_layout(problem, form);
  const int32_t width = layout.columns, left = layout.left_pad, inside = layout.inside;
  const size_t used = static_cast<size_t>(width) * layout.pixel_bytes;
  for (int32_t row = row_begin; row < row_end; ++row) {
    if (row % layout.row_step != 0) continue;
    std::byte* out = packed + static_cast<size_t>(row / layout.row_step) * layout.row_bytes;
    const int32_t y = row - shape.window.pad_top;
    for (size_t line = 0; line < layout.row_bytes; line += layout.line_bytes) {
      std::memset(out + line + used, 0, layout.line_bytes - used);
    }
    if (y < 0 || y >= shape.height) {
      pack_padding(problem, form, layout, width, out);
      continue;
    }
    pack_padding(problem, form, layout, left, out);
    if (inside > 0) {
      pack_pixels({.codes = codes + (ptrdiff_t{y} * shape.width + layout.first_inside) * pixel_stride,
                   .pixel_stride = layout.column_step * pixel_stride,
                   .pixels = inside,
                   .channels = shape.channels,
                   .planes = problem.activations.bits,
                   .packed = out + left * layout.pixel_bytes,
                   .pixel_bytes = layout.pixel_bytes,
                   .line_bytes = layout.line_bytes});
    }
    pack_padding(problem, form, layout, width - left - inside, out + (left + inside) * layout.pixel_bytes);
  }
}

void pack_pixels(const PixelRow& row) noexcept {
  for (int32_t pixel = 0; pixel < row.pixels; ++pixel) {
    std::byte* out = row.packed + pixel * row.pixel_bytes;
    pack_pixel(8, row.codes + pixel * row.pixel_stride, row.channels, 0, row.planes,
               [&](int32_t byte, int32_t plane, std::byte value) { out[plane * row.line_bytes + byte] = value; });
  }
}

}  // namespace tidbit::kernels::bitserial
