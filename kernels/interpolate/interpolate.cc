#include "kernels/interpolate/interpolate.h"

#include "kernels/interpolate/tiers.h"

namespace tidbit::kernels {

void interpolate_across(const Between& pixel, const Grid& grid, double scale, int32_t channels, double* out,
                        Isa isa) noexcept {
  tier_of(isa, interpolate_tiers::kTiers)->across(pixel, grid, scale, channels, out);
}

void interpolate_down(const double* above, const double* below, double down, int32_t count, double* out,
                      Isa isa) noexcept {
  tier_of(isa, interpolate_tiers::kTiers)->down(above, below, down, count, out);
}

}  // namespace tidbit::kernels
