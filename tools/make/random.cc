#include "tools/make/random.h"

#include <array>
#include <cmath>
#include <numbers>

namespace tidbit::tools::make {

Random::Random(uint64_t seed, std::string_view purpose) : state_(0xCBF29CE484222325 ^ seed) {
  for (const char c : purpose) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001B3;  // FNV-1a
}

double Random::uniform() {
  // SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
  state_ += 0x9E3779B97F4A7C15;
  uint64_t mixed = state_;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
  mixed ^= mixed >> 31;
  return (static_cast<double>(mixed >> 12) + 0.5) * 0x1p-52;
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(uniform())), angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

double normal_step(int bits) {
  static constexpr std::array kSteps = {1.5958, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308, 0.0166};
  return kSteps.at(static_cast<size_t>(bits - 1));
}

}  // namespace tidbit::tools::make
