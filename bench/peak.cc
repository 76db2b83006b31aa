#include "bench/peak.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tidbit::bench {
namespace {

using kernels::Family;
using kernels::Isa;

constexpr int kIterations = 2000;

#if defined(__x86_64__)

// Each mix repeats its step on independent sums (kSums of them hide every latency), its operands in L1.
constexpr int kSums = 12;
alignas(64) uint8_t operands[2048];
alignas(64) uint8_t kept[64];

#define TIDBIT_TARGET_AVX2 __attribute__((target("avx2")))
#define TIDBIT_TARGET_AVXVNNI __attribute__((target("avx2,avxvnni")))
#define TIDBIT_TARGET_AMX __attribute__((target("amx-tile,amx-int8")))
#define TIDBIT_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vpopcntdq")))

/// Defines run_NAME(iterations): an iteration loads b and does `sum = STEP` for each sum, with an `a` in a register.
/// The empty asm makes the compiler believe that the sum and a have changed, so that it hoists nothing.
#define TIDBIT_MIX(NAME, TARGET, VEC, STEP)                                                                  \
  TARGET void run_##NAME(int iterations) {                                                                   \
    VEC sums[kSums], a;                                                                                      \
    std::memcpy(&a, operands, sizeof a);                                                                     \
    _Pragma("GCC unroll 12") for (int s = 0; s < kSums; ++s) std::memcpy(&sums[s], operands + 64, sizeof a); \
    for (int i = 0; i < iterations; ++i) {                                                                   \
      VEC b;                                                                                                 \
      std::memcpy(&b, operands + i % 16 * 64, sizeof b);                                                     \
      _Pragma("GCC unroll 12") for (int s = 0; s < kSums; ++s) {                                             \
        const VEC sum = sums[s];                                                                             \
        sums[s] = STEP;                                                                                      \
        asm volatile("" : "+v"(sums[s]), "+v"(a));                                                           \
      }                                                                                                      \
    }                                                                                                        \
    _Pragma("GCC unroll 12") for (int s = 0; s < kSums; ++s) std::memcpy(kept, &sums[s], sizeof a);          \
  }

TIDBIT_MIX(vpdpbusd, TIDBIT_TARGET_AVX512, __m512i, _mm512_dpbusd_epi32(sum, a, b))
TIDBIT_MIX(pmaddwd_512, TIDBIT_TARGET_AVX512, __m512i, _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)))
TIDBIT_MIX(pmaddubsw_512, TIDBIT_TARGET_AVX512, __m512i, _mm512_add_epi16(sum, _mm512_maddubs_epi16(a, b)))
TIDBIT_MIX(vpopcntq, TIDBIT_TARGET_AVX512, __m512i, _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(a, b))))
TIDBIT_MIX(vpermb, TIDBIT_TARGET_AVX512, __m512i, _mm512_add_epi8(sum, _mm512_permutexvar_epi8(a, b)))
TIDBIT_MIX(vpdpbusd_256, TIDBIT_TARGET_AVXVNNI, __m256i, _mm256_dpbusd_avx_epi32(sum, a, b))
TIDBIT_MIX(pmaddwd, TIDBIT_TARGET_AVX2, __m256i, _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)))
TIDBIT_MIX(pmaddubsw, TIDBIT_TARGET_AVX2, __m256i, _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, b)))
TIDBIT_MIX(pshufb, TIDBIT_TARGET_AVX2, __m256i, _mm256_add_epi8(sum, _mm256_shuffle_epi8(a, b)))

TIDBIT_TARGET_AVX2 inline __attribute__((always_inline)) __m256i nibble_popcount(__m256i bits, __m256i counts) {
  const __m256i low = _mm256_and_si256(bits, _mm256_set1_epi8(15));
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bits, 4), _mm256_set1_epi8(15));
  return _mm256_add_epi8(_mm256_shuffle_epi8(counts, low), _mm256_shuffle_epi8(counts, high));
}
TIDBIT_MIX(pshufb_popcount, TIDBIT_TARGET_AVX2, __m256i,
           _mm256_add_epi8(sum, nibble_popcount(_mm256_and_si256(b, sum), a)))

#undef TIDBIT_MIX

/// Four tiles of sums; g++'s intrinsics do not tell what they read.
constexpr int kTileSums = 4;
TIDBIT_TARGET_AMX void run_tdpbusd(int iterations) {
  struct alignas(64) {
    uint8_t palette = 1, reserved[15] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
  } const configuration;
  asm volatile("ldtilecfg %0" ::"m"(configuration));
  const ptrdiff_t stride = 64;
  asm volatile("tileloadd (%0,%1,1), %%tmm4" ::"r"(operands), "r"(stride) : "memory");
  for (int i = 0; i < iterations; ++i) {
    asm volatile("tileloadd (%0,%1,1), %%tmm5" ::"r"(operands + i % 16 * 64), "r"(stride) : "memory");
    asm volatile("tdpbusd %tmm5, %tmm4, %tmm0");
    asm volatile("tdpbusd %tmm5, %tmm4, %tmm1");
    asm volatile("tdpbusd %tmm5, %tmm4, %tmm2");
    asm volatile("tdpbusd %tmm5, %tmm4, %tmm3");
  }
  asm volatile("tilerelease");
}

constexpr Mix kMixes[] = {
    {"dot_amx_tdpbusd", Isa::Amx, 16 * 16 * 64 * kTileSums, run_tdpbusd},
    {"dot_avx512vnni_vpdpbusd", Isa::Avx512Vnni, 64 * kSums, run_vpdpbusd},
    {"dot_avx512_pmaddwd", Isa::Avx512, 32 * kSums, run_pmaddwd_512},
    {"dot_avx512_narrow_pmaddubsw", Isa::Avx512, 64 * kSums, run_pmaddubsw_512},
    {"dot_avxvnni_vpdpbusd", Isa::AvxVnni, 32 * kSums, run_vpdpbusd_256},
    {"dot_avx2_pmaddwd", Isa::Avx2, 16 * kSums, run_pmaddwd},
    {"dot_avx2_narrow_pmaddubsw", Isa::Avx2, 32 * kSums, run_pmaddubsw},
    {"bitserial_avx512vnni_vpopcntq", Isa::Avx512Vnni, 512 * kSums, run_vpopcntq},
    {"bitserial_avx2_pshufb", Isa::Avx2, 256 * kSums, run_pshufb_popcount},
    {"lut_avx512vnni_vpermb", Isa::Avx512Vnni, 64 * kSums, run_vpermb},
    {"lut_avx2_pshufb", Isa::Avx2, 32 * kSums, run_pshufb},
};

std::span<const Mix> all_mixes() { return kMixes; }

#else

std::span<const Mix> all_mixes() { return {}; }

#endif

/// How many multiply-accumulates one product of the mix stands for.
double macs_of_product(const kernels::GemmKernel& kernel, const kernels::GemmProblem& problem) {
  const int32_t w = problem.weights.bits, a = problem.activations.bits;
  switch (kernel.family) {
    case Family::BitSerial:
      return 1.0 / (w * a);
    case Family::Lut:  // an index of 6 bits, or 4 without VPERMB
      return std::max(1, (kernel.name.find("avx2") != std::string_view::npos ? 4 : 6) / std::max(w, a));
    case Family::Dot:
      return 1;
  }
  return 0;
}

/// The mix whose name begins as the kernel's does, the longest.
const Mix* mix_of(const kernels::GemmKernel& kernel) {
  const Mix* best = nullptr;
  size_t matched = 0;
  for (const Mix& mix : mixes()) {
    const std::string_view stem = mix.name.substr(0, mix.name.rfind('_') + 1);
    if (kernel.name.starts_with(stem) && stem.size() > matched) {
      best = &mix;
      matched = stem.size();
    }
  }
  return best;
}

}  // namespace

std::span<const Mix> mixes() { return all_mixes(); }

double measured_peak(const Mix& mix) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int run = 0; run < 60; ++run) {
    const auto begin = Clock::now();
    mix.run(kIterations);
    const std::chrono::duration<double> taken = Clock::now() - begin;
    best = std::max(best, mix.products * kIterations / taken.count());
  }
  return best;
}

double peak_macs(const kernels::GemmKernel& kernel, const kernels::GemmProblem& problem) {
  static std::map<const Mix*, double> measured;
  const Mix* mix = mix_of(kernel);
  if (mix == nullptr) return 0;
  if (!measured.contains(mix)) measured[mix] = measured_peak(*mix);
  return measured[mix] * macs_of_product(kernel, problem);
}

}  // namespace tidbit::bench
