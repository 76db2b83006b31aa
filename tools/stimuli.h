// Inputs that provoke a network: random ones of several sizes, and extreme ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

/// One sample: a vector of values an input of the model.
using Sample = std::vector<std::vector<float>>;

/// Amplitudes from a quarter to 255; every other sample lies on sixteenths, where quantizers meet ties.
std::vector<Sample> random_samples(const Model& model, size_t count, uint64_t seed);

/// All 0, all at a limit (of images, of 8-bit values, far beyond any quantizer's), of either sign and alternating.
std::vector<Sample> extreme_samples(const Model& model);

}  // namespace tidbit::tools
