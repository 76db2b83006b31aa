#include "kernels/lut/family.h"

#include <algorithm>
#include <numeric>

namespace tidbit::kernels::lut {
namespace {

constexpr int32_t kHighestEntry = 255;

/// How many codes of either grid fit its index.
int32_t group_of(const GemmProblem& problem, const Form& form) {
  return std::min(form.weight_bits / problem.weights.bits, form.activation_bits / problem.activations.bits);
}

/// An entry's share of a code pair is |v_w| * (u_x, or the steps that u_x lacks to the highest), in units of what all
/// |v_w| are multiples of.
struct Weights {
  int64_t unit = 0, highest = 0;

  explicit Weights(const Grid& grid) {
    for (int32_t code = 0; code < grid.levels(); ++code) {
      const int64_t value = std::abs(int64_t{grid.step} * code + grid.base);
      unit = std::gcd(unit, value);
      highest = std::max(highest, value);
    }
    unit = std::max<int64_t>(unit, 1);
    highest /= unit;
  }
};

int64_t highest_entry(const GemmProblem& problem, int32_t group) {
  return Weights(problem.weights).highest * (problem.activations.levels() - 1) * group;
}

/// The code of 0, or any where 0 is not on the grid.
uint8_t filler_of(const Grid& grid) { return static_cast<uint8_t>(std::max(grid.zero_code(), 0)); }

}  // namespace

std::span<const std::span<const GemmKernel>> tiers() {
  static const std::span<const GemmKernel> all[] = {
    kScalar,
#if defined(__x86_64__)
    kAvx2,
    kAvx512Vnni,
#elif defined(__aarch64__) || defined(__arm__)
    kNeon,
#endif
  };
  return all;
}

bool supports(const GemmProblem& problem, const Form& form) noexcept {
  if (problem.weights.bits > 4 || problem.activations.bits > 4) return false;
  if (problem.padded() && problem.activations.zero_code() < 0) return false;
  const int32_t group = group_of(problem, form);
  return group >= form.least_group && highest_entry(problem, group) <= kHighestEntry;
}

Layout layout(const GemmProblem& problem, const Form& form) noexcept {
  const ConvolutionShape& shape = problem.shape;
  Layout layout = {};
  layout.group = group_of(problem, form);
  layout.groups = (shape.channels + layout.group - 1) / layout.group;
  layout.weight_bits = layout.group * problem.weights.bits;
  layout.activation_bits = layout.group * problem.activations.bits;
  layout.image = packed_image(shape, 1, static_cast<size_t>(layout.groups), 1);
  layout.entries = form.weight_bits <= 4 ? 16 : 64;
  layout.table_bytes = std::max<size_t>(64, layout.entries << layout.activation_bits);
  const int32_t rows = problem.padded() ? shape.window.kernel_height : 0;
  layout.head_bytes = form.tile * (1 + rows) * sizeof(uint32_t);
  layout.panel_bytes = layout.head_bytes + static_cast<size_t>(shape.window.taps()) * layout.groups * form.tile;
  layout.weight_bytes = layout.table_bytes + (shape.out_channels + form.tile - 1) / form.tile * layout.panel_bytes;

  layout.weight_filler = filler_of(problem.weights);
  layout.activation_filler = filler_of(problem.activations);
  layout.highest = highest_entry(problem, layout.group);
  layout.scale = static_cast<uint32_t>(Weights(problem.weights).unit * problem.activations.step);
  const int32_t fillers = layout.groups * layout.group - shape.channels;
  const int64_t product =
      int64_t{problem.weights.value(layout.weight_filler)} * problem.activations.value(layout.activation_filler);
  layout.correction = 0 - static_cast<uint32_t>(fillers) * static_cast<uint32_t>(product);
  return layout;
}

double cost(const GemmProblem& problem, const Form& form, const Cycles& cycles) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Layout sizes = layout(problem, form);
  const bool shared = cycles.row > 0 && sizes.image.run_taps == kSharingTaps && shape.window.stride_width == 1 &&
                      shape.out_width >= kLeastRow && kHighestEntry / sizes.highest >= kSharingTaps;
  const double share = shared ? inside_share(shape).rows : 1;
  const double indices = share * shape.window.taps() * sizes.groups;
  // Where taps share tables a byte holds whole kernel rows.
  const auto byte_sums = static_cast<int32_t>(kHighestEntry / sizes.highest);
  const int32_t added = shared ? byte_sums / kSharingTaps * kSharingTaps : byte_sums;
  const double widenings = indices / added;
  const int32_t panels = (shape.out_channels + form.tile - 1) / form.tile;
  const double index = shared ? cycles.row : cycles.index;
  const double last = panels % 2 != 0 && !shared ? cycles.alone - cycles.index : 0;
  const double panel = cycles.panel + index * indices + cycles.widen * widenings;
  const double pixel = cycles.pack * sizes.group * (1 + sizes.groups / 64.0);
  const auto blocks = (shape.pixels() + cycles.pixels - 1) / cycles.pixels;
  const auto pixels = static_cast<double>(blocks * cycles.pixels);
  const size_t packed_pixels = sizes.image.bytes / sizes.image.row_bytes * sizes.image.columns;
  return pixels * (panels * panel + last * indices) + static_cast<double>(packed_pixels) * pixel;
}

PackedSizes packed_sizes(const GemmProblem& problem, const Form& form) noexcept {
  const Layout sizes = layout(problem, form);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

}  // namespace tidbit::kernels::lut
