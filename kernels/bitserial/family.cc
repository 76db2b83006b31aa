#include "kernels/bitserial/family.h"

#include <algorithm>

namespace tidbit::kernels::bitserial {
namespace {

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

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

bool supports(const GemmProblem& problem) noexcept {
  return problem.weights.bits <= kMaxBits && problem.activations.bits <= kMaxBits &&
         (!problem.padded() || problem.activations.zero_code() >= 0);
}

PackedImage image_layout(const GemmProblem& problem, const Form& form) noexcept {
  const int32_t pixel_bytes = (problem.shape.channels + form.byte_channels - 1) / form.byte_channels;
  return packed_image(problem.shape, problem.activations.bits, static_cast<size_t>(pixel_bytes),
                      static_cast<size_t>(form.word_bytes));
}

Layout layout(const GemmProblem& problem, const Form& form) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Grid& weights = problem.weights;
  const auto activation_step = static_cast<uint32_t>(problem.activations.step);
  const auto word_bytes = static_cast<size_t>(form.word_bytes);
  const auto out_channels = static_cast<size_t>(shape.out_channels);

  Layout layout = {};
  layout.image = image_layout(problem, form);
  layout.out_channels = shape.out_channels;
  layout.weight_planes = weights.bits;
  layout.activation_planes = problem.activations.bits;
  const size_t words = round_up(layout.image.run_bytes, word_bytes) / word_bytes;
  layout.words = static_cast<int32_t>(words);
  layout.last_word = ~uint64_t{0} >> (64 - 8 * (layout.image.run_bytes - word_bytes * (words - 1)));

  const size_t runs = static_cast<size_t>(layout.image.kernel_rows) * layout.image.row_runs;
  const size_t packed_channels = round_up(out_channels, form.vector);
  layout.panels = round_up(packed_channels * sizeof(int32_t), 64);
  layout.plane_bytes = runs * words * word_bytes;
  layout.panel_bytes = weights.bits * layout.plane_bytes * form.tile;
  layout.weight_bytes = layout.panels + weights.bits * layout.plane_bytes * packed_channels;

  const int32_t top = weights.bits - 1;
  const int64_t flipped_base = weights.base + (int64_t{weights.step} << top);
  layout.top_flipped = flipped_base == 0;
  layout.step = activation_step * static_cast<uint32_t>(weights.step);
  for (int32_t plane = 0; plane < weights.bits; ++plane) {
    const uint32_t factor = layout.step << plane;
    layout.plane_factor[plane] = layout.top_flipped && plane == top ? 0 - factor : factor;
  }
  layout.window_factor = layout.top_flipped ? 0 : activation_step * static_cast<uint32_t>(weights.base);
  return layout;
}

int32_t panel_width(const Layout& layout, const Form& form, int32_t first_channel) noexcept {
  const auto left = static_cast<size_t>(layout.out_channels - first_channel);
  return std::min(form.tile, static_cast<int32_t>(round_up(left, form.vector)));
}

int32_t plane_pairs(const Layout& layout, PlanePair (&pairs)[kMaxBits * kMaxBits]) noexcept {
  const int32_t top = layout.weight_planes - 1;
  int32_t count = 0;
  bool negative = layout.top_flipped;
  for (int32_t exponent = top + layout.activation_planes - 1; exponent >= 0; --exponent) {
    const int32_t begin = count;
    for (const bool sign : {negative, !negative}) {
      for (int32_t plane = 0; plane < layout.weight_planes; ++plane) {
        const int32_t activations = exponent - plane;
        if (activations < 0 || activations >= layout.activation_planes) continue;
        if ((layout.top_flipped && plane == top) != sign) continue;
        pairs[count++] = {.weights = plane, .activations = activations, .exponent = exponent, .negative = sign};
      }
    }
    if (count > begin) negative = pairs[count - 1].negative;
  }
  return count;
}

double cost(const GemmProblem& problem, const Form& form, const Cycles& cycles) noexcept {
  const ConvolutionShape& shape = problem.shape;
  const Layout sizes = layout(problem, form);
  const auto pixels = static_cast<double>(shape.pixels());
  const int32_t runs = sizes.image.kernel_rows * sizes.image.row_runs;
  const int32_t vectors = (shape.out_channels + form.vector - 1) / form.vector;
  const int32_t pairs = sizes.weight_planes * sizes.activation_planes;
  const double word = shape.pixels() < 4 ? cycles.lone_word : cycles.word;
  const InsideShare inside = problem.activations.zero_code() == 0 ? inside_share(shape) : InsideShare{1, 1};
  const bool whole_taps = sizes.image.row_runs == 1 && sizes.image.pixel_bytes % form.word_bytes == 0;
  const double share = (cycles.skips_rows ? inside.rows : 1) * (cycles.skips_taps && whole_taps ? inside.taps : 1);
  const double vector = cycles.vector + pairs * (cycles.pair + word * share * runs * sizes.words);
  const double window = sizes.window_factor != 0 ? cycles.window * runs * sizes.activation_planes : 0;
  const size_t packed_pixels = sizes.image.bytes / sizes.image.row_bytes * sizes.image.columns;
  const double packing = cycles.pack_pixel + cycles.pack_byte * static_cast<double>(sizes.image.pixel_bytes);
  const int32_t panels = (shape.out_channels + form.tile - 1) / form.tile;
  return pixels * (vectors * vector + panels * cycles.panel + window) +
         static_cast<double>(packed_pixels * sizes.activation_planes) * packing;
}

PackedSizes packed_sizes(const GemmProblem& problem, const Form& form) noexcept {
  const Layout sizes = layout(problem, form);
  return {.weights = sizes.weight_bytes, .image = sizes.image.bytes};
}

}  // namespace tidbit::kernels::bitserial
