// Which kernel the x86 tiers choose for the layers of bench/layers.h. What is pinned here was the
// fastest, or as fast as it, on Zen 4 ("zen") and on Emerald Rapids ("cove").
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <string_view>

#include "kernels/gemm.h"
#include "tests/support/gemm_runner.h"

#if defined(__x86_64__)

namespace tidbit::kernels {
namespace {

using test::convolution_shape;

constexpr Window square(int32_t kernel, int32_t stride) {
  const int32_t pad = kernel / 2;
  return {.kernel_height = kernel,
          .kernel_width = kernel,
          .stride_height = stride,
          .stride_width = stride,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

struct Layer {
  const char* name;
  ConvolutionShape shape;
};

const Layer kLayers[] = {
    {"r18_56x56x64_3x3", convolution_shape(56, 56, 64, 64, square(3, 1))},
    {"r18_28x28x128_3x3", convolution_shape(28, 28, 128, 128, square(3, 1))},
    {"r18_14x14x256_3x3", convolution_shape(14, 14, 256, 256, square(3, 1))},
    {"r18_7x7x512_3x3", convolution_shape(7, 7, 512, 512, square(3, 1))},
    {"r18_56x56x64_128_1x1s2", convolution_shape(56, 56, 64, 128, square(1, 2))},
    {"r50_56x56x256_64_1x1", convolution_shape(56, 56, 256, 64)},
    {"r50_14x14x1024_256_1x1", convolution_shape(14, 14, 1024, 256)},
    {"stem_224x224x3_64_7x7s2", convolution_shape(224, 224, 3, 64, square(7, 2))},
    {"thin_32x32x16_3x3", convolution_shape(32, 32, 16, 16, square(3, 1))},
    {"fc_4096x4096_m1", convolution_shape(1, 1, 4096, 4096)},
    {"fc_4096x4096_m64", convolution_shape(1, 64, 4096, 4096)},
};

/// The kind of core is detected once, so each has a process of its own.
class GemmSelectionX86DeathTest : public testing::Test {
 protected:
  using Expected = std::string_view (*)(std::string_view layer);

  void SetUp() override { testing::FLAGS_gtest_death_test_style = "fast"; }

  struct Width {
    int32_t weight_bits, activation_bits;
    Expected expected;
  };

  /// Expects the kernels' names for all layers, of two's complement weights and unsigned activations.
  static void expect_selected(const char* core, Isa isa, std::initializer_list<Width> widths) {
    EXPECT_EXIT(exit_unless_selected(core, isa, widths), testing::ExitedWithCode(0), "") << core;
  }

 private:
  static void exit_unless_selected(const char* core, Isa isa, std::initializer_list<Width> widths) {
    setenv("TIDBIT_CORE", core, 1);
    bool as_expected = true;
    for (const auto& [weight_bits, activation_bits, expected] : widths) {
      for (const Layer& layer : kLayers) {
        const GemmProblem problem = {
            layer.shape, {.bits = weight_bits, .base = -(1 << (weight_bits - 1))}, {.bits = activation_bits}};
        const std::string_view selected = select_gemm_kernel(problem, isa)->name;
        if (selected == expected(layer.name)) continue;
        as_expected = false;
        std::cerr << layer.name << " w" << weight_bits << 'a' << activation_bits << " at " << name(isa) << ": "
                  << selected << ", not " << expected(layer.name) << '\n';
      }
    }
    std::exit(as_expected ? 0 : 1);
  }
};

std::string_view lut_avx2(std::string_view) { return "lut_avx2_8x32"; }
std::string_view narrow_avx2(std::string_view) { return "dot_avx2_narrow_6x16"; }
std::string_view dot_avx2(std::string_view) { return "dot_avx2_6x16"; }
std::string_view dot_vnni_256(std::string_view) { return "dot_avxvnni_6x16"; }
std::string_view narrow_avx512(std::string_view) { return "dot_avx512_narrow_14x32"; }
std::string_view dot_avx512(std::string_view) { return "dot_avx512_14x32"; }
std::string_view dot_vnni(std::string_view) { return "dot_avx512vnni_14x32"; }

/// lut_avx2, but for thin layers.
std::string_view lut_or_bitserial(std::string_view layer) {
  return layer.starts_with("thin") ? "bitserial_avx2_4x16" : lut_avx2(layer);
}
std::string_view lut_or_narrow_avx2(std::string_view layer) {
  return layer.starts_with("thin") ? narrow_avx2(layer) : lut_avx2(layer);
}
std::string_view lut_or_vnni_256(std::string_view layer) {
  return layer.starts_with("thin") ? dot_vnni_256(layer) : lut_avx2(layer);
}
std::string_view lut_or_narrow_avx512(std::string_view layer) {
  return layer.starts_with("thin") ? narrow_avx512(layer) : lut_avx2(layer);
}

std::string_view w2a2_vnni(std::string_view layer) {
  if (layer.starts_with("thin")) return dot_vnni(layer);
  return layer == "fc_4096x4096_m1" ? "bitserial_avx512vnni_4x64" : "lut_avx512vnni_8x64";
}

std::string_view lut_vnni(std::string_view) { return "lut_avx512vnni_8x64"; }
std::string_view bit_serial_vnni(std::string_view) { return "bitserial_avx512vnni_4x64"; }
std::string_view amx_or_bit_serial(std::string_view layer) {
  return layer == "fc_4096x4096_m1" ? bit_serial_vnni(layer) : "dot_amx_256x32";
}
std::string_view amx_or_dot(std::string_view layer) {
  return layer == "fc_4096x4096_m1" ? dot_vnni(layer) : "dot_amx_256x32";
}

TEST_F(GemmSelectionX86DeathTest, Avx2) {
  for (const char* core : {"zen", "cove"}) {
    expect_selected(core, Isa::Avx2,
                    {{1, 1, lut_or_bitserial},
                     {1, 2, lut_avx2},
                     {2, 2, lut_or_narrow_avx2},
                     {4, 4, narrow_avx2},
                     {2, 8, narrow_avx2},
                     {4, 8, narrow_avx2},
                     {8, 8, dot_avx2}});
  }
}

TEST_F(GemmSelectionX86DeathTest, AvxVnni) {
  for (const char* core : {"zen", "cove"}) {
    expect_selected(core, Isa::AvxVnni,
                    {{1, 1, lut_or_vnni_256},
                     {1, 2, lut_or_vnni_256},
                     {2, 2, lut_or_vnni_256},
                     {4, 4, dot_vnni_256},
                     {2, 8, dot_vnni_256},
                     {4, 8, dot_vnni_256},
                     {8, 8, dot_vnni_256}});
  }
}

TEST_F(GemmSelectionX86DeathTest, Avx512) {
  for (const char* core : {"zen", "cove"}) {
    expect_selected(core, Isa::Avx512,
                    {{1, 1, lut_or_bitserial},
                     {1, 2, lut_or_narrow_avx512},
                     {2, 2, lut_or_narrow_avx512},
                     {4, 4, narrow_avx512},
                     {2, 8, narrow_avx512},
                     {4, 8, narrow_avx512},
                     {8, 8, dot_avx512}});
  }
}

TEST_F(GemmSelectionX86DeathTest, Avx512VnniOnZen) {
  expect_selected("zen", Isa::Avx512Vnni,
                  {{1, 1,
                    [](std::string_view layer) -> std::string_view {
                      const bool lut = layer == "r50_14x14x1024_256_1x1" || layer == "r18_56x56x64_128_1x1s2";
                      return lut ? "lut_avx512vnni_8x64" : "bitserial_avx512vnni_4x64";
                    }},
                   {1, 2,
                    [](std::string_view layer) -> std::string_view {
                      const bool few = layer.starts_with("thin") || layer == "fc_4096x4096_m1";
                      return few ? "bitserial_avx512vnni_4x64" : "lut_avx512vnni_8x64";
                    }},
                   {2, 2, w2a2_vnni},
                   {4, 4, dot_vnni},
                   {2, 8, dot_vnni},
                   {4, 8, dot_vnni},
                   {8, 8, dot_vnni}});
}

TEST_F(GemmSelectionX86DeathTest, Avx512VnniOnCove) {
  expect_selected("cove", Isa::Avx512Vnni,
                  {{1, 1,
                    [](std::string_view layer) -> std::string_view {
                      if (layer.starts_with("thin") || layer.starts_with("stem")) return "dot_avx512vnni_14x32";
                      const bool lut = layer == "r50_14x14x1024_256_1x1" || layer == "r18_56x56x64_128_1x1s2" ||
                                       layer == "fc_4096x4096_m64";
                      return lut ? "lut_avx512vnni_8x64" : "bitserial_avx512vnni_4x64";
                    }},
                   {1, 2,
                    [](std::string_view layer) -> std::string_view {
                      if (layer.starts_with("thin") || layer.starts_with("stem")) return "dot_avx512vnni_14x32";
                      return layer == "fc_4096x4096_m1" ? "bitserial_avx512vnni_4x64" : "lut_avx512vnni_8x64";
                    }},
                   {2, 2,
                    [](std::string_view layer) {
                      const bool one_panel = layer.starts_with("stem") || layer == "r50_56x56x256_64_1x1";
                      return one_panel ? dot_vnni(layer) : w2a2_vnni(layer);
                    }},
                   {3, 3, dot_vnni},
                   {4, 4, dot_vnni},
                   {2, 8, dot_vnni},
                   {4, 8, dot_vnni},
                   {8, 8, dot_vnni}});
}

TEST_F(GemmSelectionX86DeathTest, AmxOnCove) {
  expect_selected("cove", Isa::Amx,
                  {{1, 1,
                    [](std::string_view layer) {
                      if (layer == "r18_56x56x64_128_1x1s2") return lut_vnni(layer);
                      return layer == "r18_7x7x512_3x3" ? bit_serial_vnni(layer) : amx_or_bit_serial(layer);
                    }},
                   {1, 2,
                    [](std::string_view layer) {
                      return layer == "r18_56x56x64_128_1x1s2" ? lut_vnni(layer) : amx_or_bit_serial(layer);
                    }},
                   {2, 2, amx_or_bit_serial},
                   {4, 4, amx_or_dot},
                   {2, 8, amx_or_dot},
                   {4, 8, amx_or_dot},
                   {8, 8, amx_or_dot}});
}

TEST(DotX86, RunsSinglePixelsOnTheCodesThemselves) {
  const ConvolutionShape shape = test::convolution_shape(4, 5, 64, 16, {.stride_width = 2});
  const ConvolutionShape odd = test::convolution_shape(4, 5, 63, 16);
  for (const GemmKernel* kernel : gemm_kernels()) {
    if (kernel->family != Family::Dot || kernel->isa == Isa::Scalar) continue;
    const bool in_bytes = std::ranges::any_of(std::array{"vnni", "narrow", "amx"}, [&](std::string_view part) {
      return kernel->name.find(part) != kernel->name.npos;
    });
    const auto packs = [&](const ConvolutionShape& of, const Grid& activations) {
      return kernel->packed_sizes({of, {.bits = 4, .base = -8}, activations}).image != 0;
    };
    EXPECT_EQ(packs(shape, {.bits = 4, .base = -8}), !in_bytes) << kernel->name;
    EXPECT_TRUE(packs(odd, {.bits = 4})) << kernel->name;
    EXPECT_TRUE(packs(shape, {.bits = 4, .step = 2})) << kernel->name;
    EXPECT_TRUE(packs(test::convolution_shape(4, 5, 64, 16, test::kWindow3x3), {.bits = 4})) << kernel->name;
  }
}

}  // namespace
}  // namespace tidbit::kernels

#endif
