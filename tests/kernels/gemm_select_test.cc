// Which kernel runs what: coverage of the families, and the choice for named layers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "kernels/gemm.h"
#include "tests/support/gemm_runner.h"

namespace tidbit::kernels {
namespace {

using test::convolution_shape;
using test::grids_of;
using test::kWindow3x3;

constexpr Grid unsigned_grid(int32_t bits) { return {.bits = bits}; }
constexpr Grid signed_grid(int32_t bits) { return {.bits = bits, .base = -(1 << (bits - 1))}; }
constexpr Grid bipolar_grid(int32_t bits) { return {.bits = bits, .step = 2, .base = 1 - (1 << bits)}; }

bool has(const GemmProblem& problem, Family family) {
  return std::ranges::any_of(usable_gemm_kernels(problem, Isa::Scalar),
                             [=](const GemmKernel* kernel) { return kernel->family == family; });
}

std::string_view selected(const GemmProblem& problem, std::optional<Family> family = std::nullopt) {
  const GemmKernel* kernel = select_gemm_kernel(problem, Isa::Scalar, family);
  return kernel != nullptr ? kernel->name : "none";
}

const ConvolutionShape kResNet = convolution_shape(56, 56, 64, 64, kWindow3x3);
const ConvolutionShape kFullyConnected = convolution_shape(1, 1, 512, 1000);

TEST(GemmKernels, HaveUniqueNamesOfFamilyAndTier) {
  std::set<std::string_view> names;
  for (const GemmKernel* kernel : gemm_kernels()) {
    EXPECT_TRUE(names.insert(kernel->name).second) << kernel->name;
    EXPECT_TRUE(
        kernel->name.starts_with(std::string(name(kernel->family)) + "_" + std::string(name(kernel->isa)) + "_"))
        << kernel->name;
  }
}

TEST(GemmKernels, FamiliesAreNamed) {
  for (const Family family : {Family::BitSerial, Family::Lut, Family::Dot}) {
    EXPECT_EQ(family_named(name(family)), family);
  }
  EXPECT_EQ(family_named("bitserials"), std::nullopt);
  EXPECT_EQ(family_named(""), std::nullopt);
}

TEST(GemmKernels, EveryFamilyRunsLowBits) {
  for (int32_t weight_bits = 1; weight_bits <= 4; ++weight_bits) {
    for (int32_t activation_bits = 1; activation_bits <= 4; ++activation_bits) {
      for (const Grid& weights : grids_of(weight_bits)) {
        for (const Grid& activations : grids_of(activation_bits)) {
          const GemmProblem problem = {convolution_shape(4, 4, 10, 4), weights, activations};
          for (const Family family : {Family::BitSerial, Family::Lut, Family::Dot}) {
            EXPECT_TRUE(has(problem, family)) << name(family) << ' ' << testing::PrintToString(problem);
          }
        }
      }
    }
  }
}

TEST(GemmKernels, BitSerialRunsWideActivations) {
  for (int32_t bits = 5; bits <= 8; ++bits) {
    EXPECT_TRUE(has({kResNet, signed_grid(2), unsigned_grid(bits)}, Family::BitSerial));
  }
}

TEST(GemmKernels, LookupsLeaveOutTablesThatOverflow) {
  // An entry is a byte, in units of what all products are multiples of.
  EXPECT_TRUE(has({kResNet, {.bits = 1, .step = 500, .base = -500}, {.bits = 1, .step = 100}}, Family::Lut));
  EXPECT_TRUE(has({kResNet, {.bits = 4, .base = -17}, unsigned_grid(4)}, Family::Lut));
  EXPECT_FALSE(has({kResNet, {.bits = 4, .base = -18}, unsigned_grid(4)}, Family::Lut));
}

TEST(GemmKernels, OneAlwaysRuns) {
  for (int32_t bits = 1; bits <= 8; ++bits) {
    for (const Grid& weights : grids_of(bits)) {
      for (const Grid& activations : grids_of(9 - bits)) {
        EXPECT_NE(selected({kResNet, weights, activations}), "none");
        EXPECT_TRUE(has({kResNet, weights, activations}, Family::Dot));
      }
    }
  }
}

TEST(GemmKernels, OnlyDotPadsWithAZeroOffTheGrid) {
  for (int32_t bits = 1; bits <= 8; ++bits) {
    for (const Grid& activations : {bipolar_grid(bits), Grid{.bits = bits, .base = 1}}) {
      const GemmProblem problem = {kResNet, signed_grid(2), activations};
      EXPECT_FALSE(has(problem, Family::BitSerial));
      EXPECT_FALSE(has(problem, Family::Lut));
      EXPECT_EQ(selected(problem), "dot_scalar_8x4");
    }
  }
}

TEST(GemmKernels, AreListedCheapestFirst) {
  const GemmProblem problem = {kResNet, signed_grid(2), unsigned_grid(2)};
  const auto usable = usable_gemm_kernels(problem, host_isa());
  EXPECT_TRUE(std::ranges::is_sorted(usable, {}, [&](const GemmKernel* kernel) { return kernel->cost(problem); }));
  for (const GemmKernel* kernel : usable_gemm_kernels(problem, Isa::Scalar)) EXPECT_EQ(kernel->isa, Isa::Scalar);
}

TEST(GemmTiling, FewChannelsLeaveATileMorePixels) {
  constexpr Window kWindow1x1 = {};
  GemmKernel kernel = {};
  kernel.tile_pixels = 4;
  kernel.tile_channels = kernel.operator_channels = 16;
  const auto tiling = [&](int32_t size) {
    const Window& window = size > 1 ? kWindow3x3 : kWindow1x1;
    const GemmTiling cut = gemm_tiling(kernel, convolution_shape(size, size, 64, 256, window));
    return std::pair(cut.pixels, cut.channels);
  };
  EXPECT_EQ(tiling(56), std::pair(4 * 56, 16));
  EXPECT_EQ(tiling(14), std::pair(14 * 14, 16));
  EXPECT_EQ(tiling(7), std::pair(7 * 7, 64)) << "all pixels have room beside more channels";
  EXPECT_EQ(tiling(1), std::pair(1, 64));
}

TEST(GemmSelection, LowBitsRunBitSerial) {
  EXPECT_EQ(selected({kResNet, bipolar_grid(1), unsigned_grid(1)}), "bitserial_scalar_1x4");
  EXPECT_EQ(selected({kResNet, bipolar_grid(1), unsigned_grid(2)}), "bitserial_scalar_1x4");
  EXPECT_EQ(selected({kResNet, signed_grid(2), unsigned_grid(2)}), "bitserial_scalar_1x4");
  EXPECT_EQ(selected({kFullyConnected, signed_grid(2), unsigned_grid(2)}), "bitserial_scalar_1x4");
}

TEST(GemmSelection, WideBitsRunDot) {
  EXPECT_EQ(selected({kResNet, signed_grid(4), unsigned_grid(4)}), "dot_scalar_8x4");
  EXPECT_EQ(selected({kResNet, signed_grid(8), unsigned_grid(8)}), "dot_scalar_8x4");
  EXPECT_EQ(selected({convolution_shape(224, 224, 3, 64, kWindow3x3), signed_grid(2), unsigned_grid(8)}),
            "dot_scalar_8x4");
}

TEST(GemmSelection, ValuesBeyondInt16RunWideDot) {
  for (const Grid& wide : {Grid{.bits = 8, .base = -40000}, Grid{.bits = 8, .step = 200}}) {
    EXPECT_EQ(selected({kResNet, wide, unsigned_grid(8)}), "dot_scalar_wide_8x4");
    EXPECT_EQ(selected({convolution_shape(9, 9, 9, 9), unsigned_grid(8), wide}), "dot_scalar_wide_8x4");
  }
}

TEST(GemmSelection, AFamilyCanBeForced) {
  const GemmProblem problem = {kResNet, signed_grid(2), unsigned_grid(2)};
  EXPECT_EQ(selected(problem, Family::Lut), "lut_scalar_1x4");
  EXPECT_EQ(selected(problem, Family::Dot), "dot_scalar_8x4");
  EXPECT_EQ(selected(problem, Family::BitSerial), "bitserial_scalar_1x4");
}

TEST(GemmSelection, AFamilyThatCannotRunLeavesTheChoiceToTheOthers) {
  EXPECT_EQ(selected({kResNet, signed_grid(8), unsigned_grid(8)}, Family::Lut), "dot_scalar_8x4");
  EXPECT_EQ(selected({kResNet, signed_grid(2), bipolar_grid(2)}, Family::BitSerial), "dot_scalar_8x4");
}

#if defined(__aarch64__) || defined(__arm__)
/// The kind of core is detected once, so each has a process of its own.
class GemmSelectionDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "fast"; }

  struct Choice {
    Grid weights, activations;
    Family family;
  };

  static void exit_unless(const char* core, Isa isa, std::initializer_list<Choice> choices) {
    setenv("TIDBIT_CORE", core, 1);
    for (const auto& [weights, activations, family] : choices) {
      const GemmKernel& kernel = *select_gemm_kernel({kResNet, weights, activations}, isa);
      if (kernel.family != family || kernel.isa == Isa::Scalar) std::exit(1);
      if (family == Family::Dot && kernel.isa != isa) std::exit(1);
    }
    std::exit(0);
  }
};

TEST_F(GemmSelectionDeathTest, OnCoresInOrder) {
  EXPECT_EXIT(exit_unless("a53", Isa::Neon,
                          {{bipolar_grid(1), unsigned_grid(1), Family::BitSerial},
                           {bipolar_grid(1), unsigned_grid(2), Family::Lut},
                           {signed_grid(2), unsigned_grid(2), Family::Lut},
                           {signed_grid(3), unsigned_grid(3), Family::Dot},
                           {signed_grid(8), unsigned_grid(8), Family::Dot}}),
              testing::ExitedWithCode(0), "");
}

TEST_F(GemmSelectionDeathTest, OnCoresOutOfOrder) {
  EXPECT_EXIT(exit_unless("a72", Isa::Neon,
                          {{bipolar_grid(1), unsigned_grid(1), Family::BitSerial},
                           {bipolar_grid(1), unsigned_grid(2), Family::BitSerial},
                           {signed_grid(2), unsigned_grid(2), Family::BitSerial},
                           {signed_grid(4), unsigned_grid(4), Family::Dot},
                           {signed_grid(8), unsigned_grid(8), Family::Dot}}),
              testing::ExitedWithCode(0), "");
}

#if defined(__aarch64__)
TEST_F(GemmSelectionDeathTest, OnCoresWithDotProduct) {
  EXPECT_EXIT(exit_unless("a76", Isa::NeonDot,
                          {{bipolar_grid(1), unsigned_grid(1), Family::BitSerial},
                           {bipolar_grid(1), unsigned_grid(2), Family::Lut},
                           {signed_grid(2), unsigned_grid(2), Family::Dot},
                           {signed_grid(8), unsigned_grid(8), Family::Dot}}),
              testing::ExitedWithCode(0), "");
}

TEST_F(GemmSelectionDeathTest, OnCoresWithMatrixProduct) {
  EXPECT_EXIT(exit_unless("a76", Isa::NeonI8mm,
                          {{bipolar_grid(1), unsigned_grid(1), Family::BitSerial},
                           {bipolar_grid(1), unsigned_grid(2), Family::Dot},
                           {signed_grid(2), unsigned_grid(2), Family::Dot},
                           {signed_grid(8), unsigned_grid(8), Family::Dot}}),
              testing::ExitedWithCode(0), "");
}
#endif
#endif

}  // namespace
}  // namespace tidbit::kernels
