// Which kernel the x86 tiers choose for the layers of bench/layers.h. What is pinned here was the fastest on Zen 4.
#include <gtest/gtest.h>

#include <string>
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

/// Expects the kernel's name for each layer, of two's complement weights and unsigned activations.
void expect_selected(Isa isa, int32_t weight_bits, int32_t activation_bits,
                     std::string_view (*expected)(std::string_view layer)) {
  for (const Layer& layer : kLayers) {
    const GemmProblem problem = {
        layer.shape, {.bits = weight_bits, .base = -(1 << (weight_bits - 1))}, {.bits = activation_bits}};
    EXPECT_EQ(select_gemm_kernel(problem, isa)->name, expected(layer.name))
        << layer.name << " w" << weight_bits << 'a' << activation_bits << " at " << name(isa);
  }
}

TEST(GemmSelectionX86, Avx2) {
  const auto lookup = [](std::string_view) -> std::string_view { return "lut_avx2_8x32"; };
  expect_selected(Isa::Avx2, 1, 1, [](std::string_view layer) -> std::string_view {
    return layer == "thin_32x32x16_3x3" ? "bitserial_avx2_4x16" : "lut_avx2_8x32";
  });
  expect_selected(Isa::Avx2, 1, 2, lookup);
  expect_selected(Isa::Avx2, 2, 2, [](std::string_view layer) -> std::string_view {
    return layer == "thin_32x32x16_3x3" ? "dot_avx2_narrow_6x16" : "lut_avx2_8x32";
  });
  const auto narrow = [](std::string_view) -> std::string_view { return "dot_avx2_narrow_6x16"; };
  expect_selected(Isa::Avx2, 4, 4, narrow);
  expect_selected(Isa::Avx2, 2, 8, narrow);
  expect_selected(Isa::Avx2, 4, 8, narrow);
  expect_selected(Isa::Avx2, 8, 8, [](std::string_view) -> std::string_view { return "dot_avx2_6x16"; });
}

TEST(GemmSelectionX86, Avx512) {
  expect_selected(Isa::Avx512, 1, 1, [](std::string_view layer) -> std::string_view {
    return layer == "thin_32x32x16_3x3" ? "bitserial_avx2_4x16" : "lut_avx2_8x32";
  });
  for (const int32_t weight_bits : {1, 2}) {
    expect_selected(Isa::Avx512, weight_bits, 2, [](std::string_view layer) -> std::string_view {
      return layer == "thin_32x32x16_3x3" ? "dot_avx512_narrow_14x32" : "lut_avx2_8x32";
    });
  }
  const auto narrow = [](std::string_view) -> std::string_view { return "dot_avx512_narrow_14x32"; };
  expect_selected(Isa::Avx512, 4, 4, narrow);
  expect_selected(Isa::Avx512, 2, 8, narrow);
  expect_selected(Isa::Avx512, 4, 8, narrow);
  expect_selected(Isa::Avx512, 8, 8, [](std::string_view) -> std::string_view { return "dot_avx512_14x32"; });
}

TEST(GemmSelectionX86, Avx512Vnni) {
  expect_selected(Isa::Avx512Vnni, 1, 1, [](std::string_view layer) -> std::string_view {
    return layer == "r50_14x14x1024_256_1x1" ? "lut_avx512vnni_8x64" : "bitserial_avx512vnni_4x64";
  });
  expect_selected(Isa::Avx512Vnni, 1, 2, [](std::string_view layer) -> std::string_view {
    const bool few = layer == "thin_32x32x16_3x3" || layer == "fc_4096x4096_m1";
    return few ? "bitserial_avx512vnni_4x64" : "lut_avx512vnni_8x64";
  });
  expect_selected(Isa::Avx512Vnni, 2, 2, [](std::string_view layer) -> std::string_view {
    if (layer == "thin_32x32x16_3x3") return "dot_avx512vnni_14x32";
    return layer == "fc_4096x4096_m1" ? "bitserial_avx512vnni_4x64" : "lut_avx512vnni_8x64";
  });
  const auto dot = [](std::string_view) -> std::string_view { return "dot_avx512vnni_14x32"; };
  expect_selected(Isa::Avx512Vnni, 4, 4, dot);
  expect_selected(Isa::Avx512Vnni, 2, 8, dot);
  expect_selected(Isa::Avx512Vnni, 4, 8, dot);
  expect_selected(Isa::Avx512Vnni, 8, 8, dot);
}

}  // namespace
}  // namespace tidbit::kernels

#endif
