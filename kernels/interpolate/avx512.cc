// Interpolation in AVX-512.
#include "kernels/interpolate/loop.h"

namespace tidbit::kernels::interpolate_tiers {

constinit const Tier kAvx512 = {across, down};

}  // namespace tidbit::kernels::interpolate_tiers
