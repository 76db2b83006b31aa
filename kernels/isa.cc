#include "kernels/isa.h"

#include <cpuinfo.h>
#if defined(__aarch64__) || defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

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

#if defined(__x86_64__)
Isa detect() {
  if (!cpuinfo_initialize()) return Isa::Scalar;
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
}
#elif defined(__aarch64__) || defined(__arm__)
// Cpuinfo knows cores whose kernel does not tell what they have; the kernel knows cores that are younger than cpuinfo,
// or where /proc is closed.
#if defined(__aarch64__)
bool kernel_names_neon(uint64_t hwcap) { return (hwcap & HWCAP_ASIMD) != 0; }
bool kernel_names_dot(uint64_t hwcap) { return (hwcap & HWCAP_ASIMDDP) != 0; }
#else
bool kernel_names_neon(uint64_t hwcap) { return (hwcap & HWCAP_NEON) != 0 && (hwcap & HWCAP_VFPv4) != 0; }
bool kernel_names_dot(uint64_t hwcap) { return (hwcap & uint64_t{1} << 24) != 0; }  // HWCAP_ASIMDDP, since Linux 6.2
#endif

Isa detect() {
  const bool known = cpuinfo_initialize();
  const uint64_t hwcap = getauxval(AT_HWCAP);
  const bool neon = (known && cpuinfo_has_arm_neon() && cpuinfo_has_arm_neon_fma()) || kernel_names_neon(hwcap);
  if (!neon) return Isa::Scalar;
  return (known && cpuinfo_has_arm_neon_dot()) || kernel_names_dot(hwcap) ? Isa::NeonDot : Isa::Neon;
}
#else
Isa detect() { return Isa::Scalar; }
#endif

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
