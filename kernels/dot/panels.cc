#include "kernels/dot/panels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace tidbit::kernels::dot {
namespace {

constexpr size_t kAlignment = 64;

constexpr int32_t quotient_up(int32_t a, int32_t b) { return (a + b - 1) / b; }
constexpr size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t highest(const Grid& grid) { return int64_t{grid.step} * (grid.levels() - 1) + grid.base; }

bool within(const Grid& grid, int64_t low, int64_t high) { return grid.base >= low && highest(grid) <= high; }

/// The values that the image holds.
struct Range {
  int64_t low, high;
};

Range stored_range(const GemmProblem& problem) {
  const Grid& grid = problem.activations;
  if (!problem.padded()) return {grid.base, highest(grid)};
  return {std::min<int64_t>(grid.base, 0), std::max<int64_t>(highest(grid), 0)};
}

/// a, g and l of bytes: values less the lowest, or codes where those outgrow a byte; less 128 where a is signed and
/// would outgrow it.
void set_activations(const GemmProblem& problem, bool is_signed, Panels& panels, uint32_t& scale) {
  const Grid& grid = problem.activations;
  const Range range = stored_range(problem);
  if (range.high - range.low <= UINT8_MAX) {
    const int64_t least = is_signed && range.high - range.low > INT8_MAX ? range.low - INT8_MIN : range.low;
    panels.a = {grid.step, static_cast<int32_t>(grid.base - least)};
    panels.padding = problem.padded() ? static_cast<int32_t>(-least) : 0;
    panels.constant_factor = static_cast<uint32_t>(least);
    scale = 1;
  } else {
    const int32_t least = is_signed && grid.levels() > 1 + INT8_MAX ? -INT8_MIN : 0;
    panels.a = {1, -least};
    panels.padding = std::max(0, grid.zero_code()) - least;
    panels.constant_factor = static_cast<uint32_t>(int64_t{grid.step} * least + grid.base);
    scale = static_cast<uint32_t>(grid.step);
  }
}

/// b, h and c of bytes: values, or codes less their middle where those outgrow a byte.
void set_weights(const Grid& grid, uint32_t activation_scale, Panels& panels) {
  if (within(grid, INT8_MIN, INT8_MAX)) {
    panels.b = {grid.step, grid.base};
    panels.factor = activation_scale;
    panels.sum_factor = 0;
  } else {
    const int32_t middle = grid.levels() / 2;
    panels.b = {1, -middle};
    panels.factor = activation_scale * static_cast<uint32_t>(grid.step);
    panels.sum_factor = activation_scale * static_cast<uint32_t>(grid.value(middle));
  }
}

void set_numbers(const GemmProblem& problem, const PanelForm& form, Panels& panels) {
  uint32_t scale = 1;
  if (form.value_bytes == 1) {
    set_activations(problem, form.signed_activations, panels, scale);
    set_weights(problem.weights, scale, panels);
  } else {
    panels.a = {problem.activations.step, problem.activations.base};
    panels.b = {problem.weights.step, problem.weights.base};
    panels.factor = 1;
  }
  panels.code_factor = scale * static_cast<uint32_t>(problem.weights.step);
  panels.code_sum_factor = scale * static_cast<uint32_t>(problem.weights.base);
}

/// Whether packed weights are b itself.
bool packs_values(const Panels& panels, const PanelForm& form) { return form.value_bytes == 1 && panels.slots == 1; }

/// One channel's weights: `packed` is the place of its lane in the first block, whose vectors of all channels of the
/// panel take block_bytes. Returns the sum of its codes.
uint32_t pack_row(const Panels& panels, const uint8_t* codes, const uint8_t (&stored)[256], size_t block_bytes,
                  std::byte* packed) {
  uint32_t sum = 0;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  for (int32_t run = 0; run < runs; ++run) {
    for (int32_t block = 0, value = 0; block < panels.run_blocks; ++block, packed += block_bytes) {
      uint64_t bytes = 0;
      for (int32_t slot = 0; slot < panels.slots; ++slot) {
        for (int32_t i = 0; i < panels.group_values && value < panels.run_values; ++i, ++value, ++codes) {
          sum += *codes;
          bytes |= uint64_t{stored[*codes]} << (slot * panels.slot_bits + 8 * i);
        }
      }
      std::memcpy(packed, &bytes, static_cast<size_t>(panels.group_values));
    }
  }
  return sum;
}

}  // namespace

Panels panels(const GemmProblem& problem, const PanelForm& form) noexcept {
  const ConvolutionShape& shape = problem.shape;
  Panels panels = {};
  set_numbers(problem, form, panels);
  const int32_t bits = problem.weights.bits;
  // Images have pixels enough to be bound by multiplication: 4 bits, at twice the bytes, then need no unpacking.
  // (The height is no matter of the batch, unlike the width.)
  const bool bound_by_bytes = shape.out_height == 1;
  panels.slots = bits > (bound_by_bytes ? 4 : form.image_bits) ? 1 : bits == 1 ? 8 : bits == 2 ? 4 : 2;
  panels.slot_bits = 8 / panels.slots;
  const auto read_bytes = static_cast<size_t>(std::max(panels.slots, form.tile_groups)) * form.group_bytes;
  size_t pixel_bytes = static_cast<size_t>(shape.channels) * form.value_bytes;
  const bool alone = shape.window.taps() == 1;
  // Pixels a multiple of 4 KiB apart would share few sets of L1.
  const bool codes_are_a = form.value_bytes == 1 && panels.a.step == 1 && panels.a.base == 0;
  panels.in_place =
      alone && !problem.padded() && codes_are_a && pixel_bytes % read_bytes == 0 && pixel_bytes % 2048 != 0;
  if (alone && pixel_bytes % 1024 == 0) pixel_bytes += 64;
  panels.image = packed_image(shape, 1, pixel_bytes, read_bytes);
  if (panels.in_place) panels.image.bytes = 0;
  panels.group_values = form.group_bytes / form.value_bytes;
  panels.run_values = panels.image.run_taps * shape.channels;
  panels.run_groups = quotient_up(panels.run_values, panels.group_values);
  const int32_t tiles = form.tile_groups == 0 ? panels.run_groups : quotient_up(panels.run_groups, form.tile_groups);
  panels.tile_groups = quotient_up(quotient_up(panels.run_groups, tiles), panels.slots) * panels.slots;
  panels.run_blocks = quotient_up(panels.run_groups, panels.tile_groups) * (panels.tile_groups / panels.slots);
  panels.last_values = panels.run_values - (panels.run_groups - 1) * panels.group_values;

  const size_t blocks = static_cast<size_t>(panels.run_blocks) * panels.image.kernel_rows * panels.image.row_runs;
  const auto vectors = static_cast<size_t>(quotient_up(shape.out_channels, form.lanes));
  panels.vector_bytes = static_cast<size_t>(form.lanes) * panels.group_values;
  panels.constants_bytes = aligned(vectors * form.lanes * sizeof(int32_t));
  panels.panel_bytes = blocks * form.vectors * panels.vector_bytes;
  panels.weight_bytes = panels.constants_bytes + blocks * vectors * panels.vector_bytes;
  return panels;
}

bool fits_bytes(const GemmProblem& problem) noexcept {
  const Range range = stored_range(problem);
  return range.high - range.low <= UINT8_MAX || !problem.padded() || problem.activations.zero_code() >= 0;
}

int32_t highest_product(const GemmProblem& problem, const PanelForm& form, bool codes) noexcept {
  const Panels numbers = panels(problem, form);
  const auto highest = [](Line line, int32_t levels) {
    return std::max(std::abs(line.base), std::abs(line.step * (levels - 1) + line.base));
  };
  const int32_t a = std::max(highest(numbers.a, problem.activations.levels()), std::abs(numbers.padding));
  const int32_t levels = problem.weights.levels();
  return a * (codes ? levels - 1 : highest(numbers.b, levels));
}

int32_t fitting_int16(const GemmProblem& problem, bool codes) noexcept {
  return INT16_MAX / std::max(1, 2 * highest_product(problem, {.lanes = 1, .vectors = 1, .value_bytes = 1}, codes));
}

double cost(const GemmProblem& problem, const PanelForm& form, const PanelCycles& cycles) noexcept {
  const Panels sizes = panels(problem, form);
  const auto pixels = static_cast<double>(problem.shape.pixels());
  const double vectors = quotient_up(problem.shape.out_channels, form.lanes);
  const double groups = static_cast<double>(sizes.run_groups) * sizes.image.kernel_rows * sizes.image.row_runs;
  const InsideShare inside = sizes.padding == 0 ? inside_share(problem.shape) : InsideShare{1, 1};
  const bool skips_taps = sizes.image.row_runs == 1 && problem.shape.channels % sizes.group_values == 0;
  const double share = inside.rows * (skips_taps ? inside.taps : 1);
  const bool direct = problem.shape.pixels() <= kDirectPixels;
  const double unpackings = direct ? pixels * cycles.direct : std::ceil(pixels / form.strip) * cycles.unpack;
  const double unpacking = packs_values(sizes, form) ? 0 : vectors * groups * unpackings;
  const double multiplying = pixels * vectors * (groups * share * cycles.group + cycles.sums);
  const double reading = static_cast<double>(sizes.weight_bytes) * cycles.byte;
  return std::max(multiplying + unpacking, reading) + static_cast<double>(sizes.image.bytes) * cycles.pack;
}

PackedSizes packed_sizes(const GemmProblem& problem, const PanelForm& form) noexcept {
  const Panels sizes = panels(problem, form);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

void pack_weights(const GemmProblem& problem, const PanelForm& form, const uint8_t* codes, int32_t row_begin,
                  int32_t row_count, std::byte* packed) noexcept {
  const Panels layout = panels(problem, form);
  uint8_t stored[256];
  for (int32_t code = 0; code < 256; ++code) {
    const int32_t value =
        packs_values(layout, form) ? layout.b.step * code + layout.b.base : code & (problem.weights.levels() - 1);
    stored[code] = static_cast<uint8_t>(value);
  }
  const int32_t tile = form.lanes * form.vectors, out_channels = problem.shape.out_channels;
  const auto depth = static_cast<uint32_t>(problem.shape.depth());
  for (int32_t panel = row_begin; panel < row_begin + row_count; panel += tile) {
    const int32_t channels = std::min(tile, out_channels - panel);
    const int32_t vectors = quotient_up(channels, form.lanes);
    const size_t block_bytes = vectors * layout.vector_bytes;
    const size_t blocks = layout.panel_bytes / (form.vectors * layout.vector_bytes);
    std::byte* bytes = packed + layout.constants_bytes + panel / tile * layout.panel_bytes;
    auto* constants = reinterpret_cast<uint32_t*>(packed) + panel;
    std::memset(bytes, 0, blocks * block_bytes);
    const bool last = panel + channels == out_channels;
    std::memset(constants, 0, last ? layout.constants_bytes - panel * sizeof(uint32_t) : tile * sizeof(uint32_t));
    for (int32_t c = 0; c < channels; ++c, codes += depth) {
      const uint32_t sum = pack_row(layout, codes, stored, block_bytes, bytes + ptrdiff_t{c} * layout.group_values);
      const auto step = static_cast<uint32_t>(problem.weights.step), base = static_cast<uint32_t>(problem.weights.base);
      constants[c] = layout.constant_factor * (step * sum + base * depth);
    }
  }
}

}  // namespace tidbit::kernels::dot
