#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/bitserial/family.h"
#include "kernels/dot/family.h"
#include "kernels/lut/family.h"

namespace tidbit::kernels {
namespace {

/// Sums of an operator's tile: 16 KiB.
constexpr int32_t kTileSums = 4096;
constexpr int32_t kTileChannels = 64;

constexpr int32_t quotient_up(int32_t a, int32_t b) { return (a + b - 1) / b; }

constexpr Family kFamilies[] = {Family::BitSerial, Family::Lut, Family::Dot};

std::vector<const GemmKernel*> all_kernels() {
  std::vector<const GemmKernel*> kernels;
  for (const auto tiers : {bitserial::tiers(), lut::tiers(), dot::tiers()}) {
    for (const auto tier : tiers) {
      for (const GemmKernel& kernel : tier) kernels.push_back(&kernel);
    }
  }
  return kernels;
}

}  // namespace

std::string_view name(Family family) {
  switch (family) {
    case Family::BitSerial:
      return "bitserial";
    case Family::Lut:
      return "lut";
    case Family::Dot:
      return "dot";
  }
  return {};
}

std::optional<Family> family_named(std::string_view wanted) {
  for (const Family family : kFamilies) {
    if (name(family) == wanted) return family;
  }
  return std::nullopt;
}

std::span<const GemmKernel* const> gemm_kernels() {
  static const std::vector<const GemmKernel*> kernels = all_kernels();
  return kernels;
}

std::vector<const GemmKernel*> usable_gemm_kernels(const GemmProblem& problem, Isa isa) {
  std::vector<const GemmKernel*> usable;
  for (const GemmKernel* kernel : gemm_kernels()) {
    if (includes(isa, kernel->isa) && kernel->supports(problem)) usable.push_back(kernel);
  }
  std::ranges::stable_sort(usable, {}, [&](const GemmKernel* kernel) { return kernel->cost(problem); });
  return usable;
}

const GemmKernel* select_gemm_kernel(const GemmProblem& problem, Isa isa, std::optional<Family> family) {
  const std::vector<const GemmKernel*> usable = usable_gemm_kernels(problem, isa);
  const auto chosen =
      std::ranges::find_if(usable, [&](const GemmKernel* kernel) { return !family || kernel->family == *family; });
  if (chosen != usable.end()) return *chosen;
  return usable.empty() ? nullptr : usable.front();
}

GemmTiling gemm_tiling(const GemmKernel& kernel, const ConvolutionShape& shape) {
  // With more channels than this, tiles do not hold all pixels.
  const auto whole = static_cast<int32_t>(kTileSums / std::min<int64_t>(shape.pixels(), kTileSums));
  const int32_t roomy = std::min(kTileChannels, whole) / kernel.tile_channels * kernel.tile_channels;
  const int32_t wanted = std::max({kernel.operator_channels, kernel.tile_channels, roomy});
  const int32_t channels = quotient_up(std::min(wanted, shape.out_channels), kernel.tile_channels);
  GemmTiling tiling = {.pixels = 0, .channels = channels * kernel.tile_channels};
  const int32_t fitting = std::max(kTileSums / tiling.channels, kernel.tile_pixels);
  if (shape.out_width <= fitting) {
    const int32_t tiles = quotient_up(shape.out_height, std::min(shape.out_height, fitting / shape.out_width));
    tiling.pixels = quotient_up(shape.out_height, tiles) * shape.out_width;
    return tiling;
  }
  const int32_t even = quotient_up(shape.out_width, quotient_up(shape.out_width, fitting));
  const bool divides = shape.out_width % even == 0 || shape.out_height == 1;
  tiling.pixels = divides ? even : fitting / kernel.tile_pixels * kernel.tile_pixels;
  return tiling;
}

}  // namespace tidbit::kernels
