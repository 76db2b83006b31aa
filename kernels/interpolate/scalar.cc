// Interpolation in portable C++.
#include "kernels/interpolate/loop.h"

namespace tidbit::kernels::interpolate_tiers {

constinit const Tier kScalar = {across, down};

}  // namespace tidbit::kernels::interpolate_tiers
