#include "kernels/isa.h"

#include <cpuinfo.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace tidbit::kernels {
namespace {

// In the order of Isa.
constexpr std::string_view kNames[] = {
    "scalar",
#if defined(__x86_64__)
    "avx2",
    "avx512",
    "avx512vnni",
#elif defined(__aarch64__) || defined(__arm__)
    "neon",
    "neondot",
#endif
};

Isa detect() {
  if (!cpuinfo_initialize()) return Isa::Scalar;
#if defined(__x86_64__)
  if (!cpuinfo_has_x86_avx2() || !cpuinfo_has_x86_fma3()) return Isa::Scalar;
  if (!cpuinfo_has_x86_avx512f() || !cpuinfo_has_x86_avx512bw() || !cpuinfo_has_x86_avx512dq() ||
      !cpuinfo_has_x86_avx512vl()) {
    return Isa::Avx2;
  }
  if (!cpuinfo_has_x86_avx512vnni() || !cpuinfo_has_x86_avx512vbmi() || !cpuinfo_has_x86_avx512vpopcntdq() ||
      !cpuinfo_has_x86_avx512bitalg()) {
    return Isa::Avx512;
  }
  return Isa::Avx512Vnni;
#elif defined(__aarch64__) || defined(__arm__)
  if (!cpuinfo_has_arm_neon()) return Isa::Scalar;
  return cpuinfo_has_arm_neon_dot() ? Isa::NeonDot : Isa::Neon;
#else
  return Isa::Scalar;
#endif
}

Isa capped(Isa isa) {
  const char* cap = std::getenv("TIDBIT_ISA");
  if (cap == nullptr) return isa;
  const auto* named = std::ranges::find(kNames, std::string_view(cap));
  return named == std::end(kNames) ? Isa::Scalar : std::min(isa, static_cast<Isa>(named - std::begin(kNames)));
}

}  // namespace

std::string_view name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa host_isa() {
  static const Isa isa = capped(detect());
  return isa;
}

}  // namespace tidbit::kernels
