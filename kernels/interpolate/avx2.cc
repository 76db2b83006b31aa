// Interpolation in AVX2.
#include "kernels/interpolate/loop.h"

namespace tidbit::kernels::interpolate_tiers {

constinit const Tier kAvx2 = {across, down};

}  // namespace tidbit::kernels::interpolate_tiers
