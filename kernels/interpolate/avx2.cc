// Interpolation in AVX2.
#include "kernels/interpolate/loop.h"

namespace tidbit::kernels::interpolate_tiers {

constinit const Tier kAvx2 = {of_codes};

}  // namespace tidbit::kernels::interpolate_tiers
