#include <algorithm>
#include <cstring>

#include "kernels/lut/family.h"

namespace tidbit::kernels::lut {
namespace {

constexpr int32_t kMaxEntries = 64;

/// The dot product of the groups whose codes are in the indices.
int64_t dot(const GemmProblem& problem, int32_t group, int32_t w_index, int32_t x_index) {
  int64_t dot = 0;
  for (int32_t slot = 0; slot < group; ++slot) {
    const int32_t w = w_index >> slot * problem.weights.bits & (problem.weights.levels() - 1);
    const int32_t x = x_index >> slot * problem.activations.bits & (problem.activations.levels() - 1);
    dot += int64_t{problem.weights.value(w)} * problem.activations.value(x);
  }
  return dot;
}

/// The least dot product of a group of weights with any activations.
int64_t least_dot(const GemmProblem& problem, int32_t group, int32_t w_index) {
  int64_t least = 0;
  for (int32_t slot = 0; slot < group; ++slot) {
    const int32_t w = w_index >> slot * problem.weights.bits & (problem.weights.levels() - 1);
    const int64_t value = problem.weights.value(w);
    least += std::min(value * problem.activations.lowest(), value * problem.activations.highest());
  }
  return least;
}

struct LeastDots {
  uint32_t of[kMaxEntries] = {};

  LeastDots(const GemmProblem& problem, const Layout& layout) {
    for (int32_t w = 0; w < 1 << layout.weight_bits; ++w) {
      of[w] = static_cast<uint32_t>(least_dot(problem, layout.group, w));
    }
  }
};

void build_tables(const GemmProblem& problem, const Layout& layout, uint8_t* tables) {
  std::memset(tables, 0, layout.table_bytes);
  for (int32_t w = 0; w < 1 << layout.weight_bits; ++w) {
    const int64_t least = least_dot(problem, layout.group, w);
    for (int32_t x = 0; x < 1 << layout.activation_bits; ++x) {
      const int64_t rest = dot(problem, layout.group, w, x) - least;
      tables[static_cast<size_t>(x) * layout.entries + w] = static_cast<uint8_t>(rest / layout.scale);
    }
  }
}

int32_t lane_of(int32_t channel, const Form& form) {
  if (!form.split) return channel;
  return 2 * channel < form.tile ? 2 * channel : 2 * channel + 1 - form.tile;
}

/// `count` indices of one pixel or tap, from the group `first` on. Codes beyond the grid are cut to it: they must not
/// lead out of the tables.
void pack_indices(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes, uint8_t filler,
                  int32_t first, int32_t count, uint8_t* indices) {
  const int32_t mask = (1 << bits) - 1;
  std::memset(indices, 0, static_cast<size_t>(count));
  for (int32_t slot = 0; slot < layout.group; ++slot) {
    const int32_t begin = slot * layout.groups + first, shift = slot * bits;
    const int32_t present = std::clamp(channels - begin, 0, count);
    for (int32_t c = 0; c < present; ++c) {
      indices[c] = static_cast<uint8_t>(indices[c] | (codes[begin + c] & mask) << shift);
    }
    for (int32_t c = present; c < count; ++c) indices[c] = static_cast<uint8_t>(indices[c] | filler << shift);
  }
}

/// Packs the codes [tap][channel] of one output channel into its lane of a panel.
void pack_lane(const GemmProblem& problem, const Layout& layout, const LeastDots& least_dots, const Form& form,
               const uint8_t* codes, int32_t channel, std::byte* panel) {
  constexpr int32_t kRun = 64;  // indices that are made side by side, before they go to their lane
  const int32_t channels = problem.shape.channels;
  const Window& window = problem.shape.window;
  auto* indices = reinterpret_cast<uint8_t*>(panel) + layout.head_bytes + lane_of(channel, form);
  uint32_t correction = 0;
  for (ptrdiff_t row = 0; row < window.kernel_height; ++row) {
    uint32_t of_row = window.kernel_width * layout.correction;
    for (int32_t tap = 0; tap < window.kernel_width; ++tap) {
      for (int32_t first = 0; first < layout.groups; first += kRun) {
        uint8_t run[kRun];
        const int32_t count = std::min(kRun, layout.groups - first);
        pack_indices(layout, problem.weights.bits, channels, codes, layout.weight_filler, first, count, run);
        for (int32_t c = 0; c < count; ++c, indices += form.tile) {
          *indices = run[c];
          of_row += least_dots.of[run[c]];
        }
      }
      codes += channels;
    }
    correction += of_row;
    if (problem.padded())
      std::memcpy(panel + ((1 + row) * form.tile + channel) * sizeof(of_row), &of_row, sizeof(of_row));
  }
  std::memcpy(panel + channel * sizeof(correction), &correction, sizeof(correction));
}

}  // namespace

void pack_weights(const GemmProblem& problem, const Form& form, const uint8_t* codes, int32_t row_begin,
                  int32_t row_count, std::byte* packed) noexcept {
  const Layout layout = lut::layout(problem, form);
  const LeastDots least_dots(problem, layout);
  if (row_begin == 0) build_tables(problem, layout, reinterpret_cast<uint8_t*>(packed));
  for (int32_t first = 0; first < row_count; first += form.tile) {
    std::byte* panel = packed + layout.table_bytes + (row_begin + first) / form.tile * layout.panel_bytes;
    if (row_count - first < form.tile) std::memset(panel, 0, layout.panel_bytes);
    for (int32_t channel = 0; channel < std::min(form.tile, row_count - first); ++channel) {
      pack_lane(problem, layout, least_dots, form, codes, channel, panel);
      codes += problem.shape.depth();
    }
  }
}

void pack_pixels(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes, ptrdiff_t pixel_stride,
                 int32_t count, uint8_t* indices) {
  for (; count > 0; --count, codes += pixel_stride, indices += layout.groups) {
    pack_indices(layout, bits, channels, codes, layout.activation_filler, 0, layout.groups, indices);
  }
}

void pack_image(const GemmProblem& problem, const Form& form, PackPixels* pack, const uint8_t* codes,
                ptrdiff_t pixel_stride, int32_t row_begin, int32_t row_end, std::byte* packed) noexcept {
  const Layout layout = lut::layout(problem, form);
  const ConvolutionShape& shape = problem.shape;
  const PackedImage& image = layout.image;
  int32_t padding = 0;  // an index of fillers
  for (int32_t slot = 0; slot < layout.group; ++slot) {
    padding |= layout.activation_filler << slot * problem.activations.bits;
  }
  for (int32_t row = row_begin; row < row_end; ++row) {
    if (row % image.row_step != 0) continue;
    auto* line = reinterpret_cast<uint8_t*>(packed) + static_cast<size_t>(row / image.row_step) * image.row_bytes;
    const int32_t y = row - shape.window.pad_top;
    if (y < 0 || y >= shape.height) {
      std::memset(line, padding, image.row_bytes);
      continue;
    }
    uint8_t* pixels = line + static_cast<size_t>(image.left_pad) * layout.groups;
    uint8_t* right = pixels + static_cast<size_t>(image.inside) * layout.groups;
    std::memset(line, padding, static_cast<size_t>(pixels - line));
    pack(layout, problem.activations.bits, shape.channels,
         codes + (ptrdiff_t{y} * shape.width + image.first_inside) * pixel_stride, image.column_step * pixel_stride,
         image.inside, pixels);
    std::memset(right, padding, static_cast<size_t>(line + image.row_bytes - right));
  }
}

}  // namespace tidbit::kernels::lut
