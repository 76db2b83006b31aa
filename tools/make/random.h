// Random parameters in the spirit of trained ones.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tidbit::tools::make {

/// Numbers that follow from a seed and the name of what they are for, whatever else a network holds.
class Random {
 public:
  Random(uint64_t seed, std::string_view purpose);

  /// In (0, 1).
  double uniform();
  /// Of mean 0 and variance 1 (Box and Muller, 1958).
  double normal();

 private:
  uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// The step of the uniform quantizer with 2^bits levels that has the least squared error on normal values of variance
/// 1 (J. Max, "Quantizing for Minimum Distortion", 1960, table II). bits is 1 to 9.
double normal_step(int bits);

/// The same with three levels.
constexpr double kTernaryStep = 1.2240;

}  // namespace tidbit::tools::make
