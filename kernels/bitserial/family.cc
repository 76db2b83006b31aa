#include "kernels/bitserial/family.h"

namespace tidbit::kernels::bitserial {

std::span<const std::span<const GemmKernel>> tiers() {
  static const std::span<const GemmKernel> all[] = {kScalar};
  return all;
}

bool supports(const GemmProblem& problem) noexcept {
  return problem.weights.bits <= kMaxBits && problem.activations.bits <= kMaxBits &&
         (!problem.padded() || problem.activations.zero_code() >= 0);
}

PackedImage image_layout(const GemmProblem& problem) noexcept {
  const size_t pixel_bytes = (static_cast<size_t>(problem.shape.channels) + 7) / 8;
  return packed_image(problem.shape, problem.activations.bits, pixel_bytes, sizeof(uint64_t));
}

Layout layout(const GemmProblem& problem, int32_t tile) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Grid& weights = problem.weights;
  const auto activation_step = static_cast<uint32_t>(problem.activations.step);
  const size_t panels = (static_cast<size_t>(shape.out_channels) + tile - 1) / tile;

  Layout layout = {};
  layout.image = image_layout(problem);
  layout.tile = tile;
  layout.weight_planes = weights.bits;
  layout.words = static_cast<int32_t>((layout.image.run_bytes + 7) / 8);
  const size_t last_bytes = layout.image.run_bytes - 8 * (static_cast<size_t>(layout.words) - 1);
  layout.last_word = ~uint64_t{0} >> (64 - 8 * last_bytes);

  const size_t runs = static_cast<size_t>(layout.image.kernel_rows) * layout.image.row_runs;
  layout.panels = (panels * tile * sizeof(int32_t) + 63) / 64 * 64;
  layout.panel_bytes = weights.bits * runs * layout.words * tile * sizeof(uint64_t);
  layout.weight_bytes = layout.panels + panels * layout.panel_bytes;

  const int32_t top = weights.bits - 1;
  const int64_t flipped_base = weights.base + (int64_t{weights.step} << top);
  layout.top_flipped = flipped_base == 0;
  for (int32_t plane = 0; plane < weights.bits; ++plane) {
    const uint32_t factor = activation_step * static_cast<uint32_t>(weights.step) << plane;
    layout.plane_factor[plane] = layout.top_flipped && plane == top ? 0 - factor : factor;
  }
  layout.window_factor = layout.top_flipped ? 0 : activation_step * static_cast<uint32_t>(weights.base);
  return layout;
}

double cost(const GemmProblem& problem, int32_t tile, const Cycles& cycles) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Layout sizes = layout(problem, tile);
  const int32_t words = sizes.image.kernel_rows * sizes.image.row_runs * sizes.words;
  const int32_t panels = (shape.out_channels + tile - 1) / tile;
  const double pairs = problem.activations.bits * (cycles.pair + cycles.word * words);
  const double panel = sizes.weight_planes * (cycles.plane + pairs);
  const double window = sizes.window_factor != 0 ? pairs : 0;
  const double packing = static_cast<double>(sizes.image.bytes) / problem.activations.bits * cycles.pack_group;
  return static_cast<double>(shape.pixels()) * (panels * panel + window) + packing;
}

PackedSizes packed_sizes(const GemmProblem& problem, int32_t tile) noexcept {
  const Layout sizes = layout(problem, tile);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

}  // namespace tidbit::kernels::bitserial
