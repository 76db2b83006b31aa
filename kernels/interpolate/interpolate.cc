#include "kernels/interpolate/interpolate.h"

#include "kernels/interpolate/tiers.h"

namespace tidbit::kernels {

void interpolate(const Between& pixel, const Grid& grid, double scale, int32_t channels, double* out,
                 Isa isa) noexcept {
  tier_of(isa, interpolate_tiers::kTiers).of_codes(pixel, grid, scale, channels, out);
}

}  // namespace tidbit::kernels
