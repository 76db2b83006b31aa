// Interpolation in portable C++.
#include "kernels/interpolate/loop.h"

namespace tidbit::kernels::interpolate_tiers {

constinit const Tier kScalar = {of_codes};

}  // namespace tidbit::kernels::interpolate_tiers
