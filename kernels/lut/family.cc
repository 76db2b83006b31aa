#include "kernels/lut/family.h"

#include <algorithm>
#include <limits>

namespace tidbit::kernels::lut {
namespace {

/// How many codes of the wider grid fit an index.
int32_t group_of(const GemmProblem& problem) {
  return kIndexBits / std::max(problem.weights.bits, problem.activations.bits);
}

int64_t magnitude(const Grid& grid) {
  const int64_t highest = int64_t{grid.step} * (grid.levels() - 1) + grid.base;
  return std::max(std::abs(int64_t{grid.base}), std::abs(highest));
}

/// The code of 0, or any where 0 is not on the grid.
uint8_t filler_of(const Grid& grid) { return static_cast<uint8_t>(std::max(grid.zero_code(), 0)); }

}  // namespace

std::span<const std::span<const GemmKernel>> tiers() {
  static const std::span<const GemmKernel> all[] = {kScalar};
  return all;
}

bool supports(const GemmProblem& problem) noexcept {
  if (problem.weights.bits > 4 || problem.activations.bits > 4) return false;
  if (problem.padded() && problem.activations.zero_code() < 0) return false;
  const int64_t limit = std::numeric_limits<Entry>::max() / group_of(problem);
  const int64_t weight = magnitude(problem.weights), activation = magnitude(problem.activations);
  return weight <= limit && activation <= limit && weight * activation <= limit;
}

Layout layout(const GemmProblem& problem, int32_t tile) noexcept {
  const ConvolutionShape& shape = problem.shape;
  Layout layout = {};
  layout.group = group_of(problem);
  layout.groups = (shape.channels + layout.group - 1) / layout.group;
  layout.image = packed_image(shape, 1, static_cast<size_t>(layout.groups), 1);
  layout.panel_bytes = static_cast<size_t>(shape.window.taps()) * layout.groups * tile;
  layout.weight_bytes = sizeof(Tables) + (shape.out_channels + tile - 1) / tile * layout.panel_bytes;

  layout.weight_filler = filler_of(problem.weights);
  layout.activation_filler = filler_of(problem.activations);
  const int32_t fillers = shape.window.taps() * (layout.groups * layout.group - shape.channels);
  const int32_t product =
      problem.weights.value(layout.weight_filler) * problem.activations.value(layout.activation_filler);
  layout.correction = 0 - static_cast<uint32_t>(fillers) * static_cast<uint32_t>(product);
  return layout;
}

double cost(const GemmProblem& problem, int32_t tile, const Cycles& cycles) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Layout sizes = layout(problem, tile);
  const int32_t indices = shape.window.taps() * sizes.groups;
  const int32_t panels = (shape.out_channels + tile - 1) / tile;
  const double packing = static_cast<double>(sizes.image.bytes) * sizes.group * cycles.pack;
  return static_cast<double>(shape.pixels()) * panels * (cycles.panel + cycles.index * indices) + packing;
}

PackedSizes packed_sizes(const GemmProblem& problem, int32_t tile) noexcept {
  const Layout sizes = layout(problem, tile);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

}  // namespace tidbit::kernels::lut
