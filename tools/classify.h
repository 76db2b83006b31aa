// What a classifier's scores say.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tidbit::tools {

/// The scores themselves where they are probabilities already (in [0,1] with a sum of 1); else their softmax.
std::vector<double> probabilities(std::span<const float> scores);

/// The indices of the largest scores, largest first; of equal ones the lower index first.
std::vector<size_t> best(std::span<const float> scores, size_t count);

}  // namespace tidbit::tools
