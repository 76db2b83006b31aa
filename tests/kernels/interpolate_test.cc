#include "kernels/interpolate/interpolate.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/every_isa.h"

namespace tidbit::kernels {
namespace {

class Interpolate : public test::IsaTest {};
TIDBIT_FOR_EVERY_ISA(Interpolate);

/// One operation at a time.
double between(double p, double q, double weight) {
  const volatile double rest = 1 - weight, of_p = p * rest, of_q = q * weight;
  const volatile double sum = of_p + of_q;
  return sum;
}

TEST_P(Interpolate, RoundsEveryOperation) {
  std::mt19937 random(5);
  constexpr double kWeights[] = {0, 1, 0.25, 0.5, 1.0 / 3, 0.7};
  for (const Grid& grid : {Grid{6, 1, 0}, Grid{8, 1, -128}, Grid{2, 2, -3}, Grid{1, 2, -1}}) {
    for (const int32_t channels : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100}) {
      const double scale = 0.01 + static_cast<double>(random() % 1000) / 777;
      std::vector<uint8_t> pixels[2];  // that end where their last code does
      for (std::vector<uint8_t>& pixel : pixels) {
        for (int32_t c = 0; c < channels; ++c) pixel.push_back(static_cast<uint8_t>(random() % grid.levels()));
      }
      const double across = kWeights[random() % std::size(kWeights)], down = kWeights[random() % std::size(kWeights)];
      std::vector<double> out(static_cast<size_t>(channels)), expected, above, below;
      for (size_t c = 0; c < out.size(); ++c) {
        const auto real = [&](int pixel) { return scale * grid.value(pixels[pixel][c]); };
        expected.push_back(between(real(0), real(1), across));
        above.push_back(real(1) + 0.1);
        below.push_back(0.3 * real(0));
      }
      interpolate_across({pixels[0].data(), pixels[1].data(), across}, grid, scale, channels, out.data(), isa());
      EXPECT_EQ(out, expected) << channels << " channels, " << grid.bits << " bits";
      for (size_t c = 0; c < out.size(); ++c) expected[c] = between(above[c], below[c], down);
      interpolate_down(above.data(), below.data(), down, channels, out.data(), isa());
      EXPECT_EQ(out, expected) << channels << " channels";
    }
  }
}

}  // namespace
}  // namespace tidbit::kernels
