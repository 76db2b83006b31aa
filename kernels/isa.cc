#include "kernels/isa.h"

#include <cpuinfo.h>
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) || defined(__arm__)
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
    "avx2",   "avxvnni", "avx512", "avx512vnni", "amx",
#elif defined(__aarch64__) || defined(__arm__)
    "neon",
    "neondot",
    "neoni8mm",
#endif
};

#if defined(__x86_64__)
// Debian's cpuinfo does not know it.
bool has_avxvnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & 1u << 4) != 0;
}

bool has_amx() {
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kTile) != 0 && (edx & kInt8) != 0;
}

/// Linux fails the request where the system does not save tiles.
bool permits_tiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

/// The processor's; not yet whether Linux permits tiles.
Isa detect() {
  if (!cpuinfo_initialize()) return Isa::Scalar;
  if (!cpuinfo_has_x86_avx2() || !cpuinfo_has_x86_fma3()) return Isa::Scalar;
  if (!cpuinfo_has_x86_avx512f() || !cpuinfo_has_x86_avx512bw() || !cpuinfo_has_x86_avx512dq() ||
      !cpuinfo_has_x86_avx512vl()) {
    return has_avxvnni() ? Isa::AvxVnni : Isa::Avx2;
  }
  if (!cpuinfo_has_x86_avx512vnni() || !cpuinfo_has_x86_avx512vbmi() || !cpuinfo_has_x86_avx512vpopcntdq() ||
      !cpuinfo_has_x86_avx512bitalg()) {
    return Isa::Avx512;
  }
  return has_amx() ? Isa::Amx : Isa::Avx512Vnni;
}
#elif defined(__aarch64__) || defined(__arm__)
// Cpuinfo knows cores whose kernel does not tell what they have; the kernel knows cores that are younger than cpuinfo,
// or where /proc is closed.
#if defined(__aarch64__)
bool kernel_names_neon(uint64_t hwcap) { return (hwcap & HWCAP_ASIMD) != 0; }
bool kernel_names_dot(uint64_t hwcap) { return (hwcap & HWCAP_ASIMDDP) != 0; }
bool kernel_names_i8mm() { return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#else
bool kernel_names_neon(uint64_t hwcap) { return (hwcap & HWCAP_NEON) != 0 && (hwcap & HWCAP_VFPv4) != 0; }
bool kernel_names_dot(uint64_t hwcap) { return (hwcap & uint64_t{1} << 24) != 0; }  // HWCAP_ASIMDDP, since Linux 6.2
bool kernel_names_i8mm() { return false; }                                          // no kernel here has a use for it
#endif

Isa detect() {
  const bool known = cpuinfo_initialize();
  const uint64_t hwcap = getauxval(AT_HWCAP);
  const bool neon = (known && cpuinfo_has_arm_neon() && cpuinfo_has_arm_neon_fma()) || kernel_names_neon(hwcap);
  if (!neon) return Isa::Scalar;
  const bool dot = (known && cpuinfo_has_arm_neon_dot()) || kernel_names_dot(hwcap);
  if (!dot) return Isa::Neon;
  // Packaged cpuinfo does not know it; kernels that run on cores with it do.
  return kernel_names_i8mm() ? Isa::NeonI8mm : Isa::NeonDot;
}
#else
Isa detect() { return Isa::Scalar; }
#endif

Isa capped(Isa isa) {
  const char* cap = std::getenv("TIDBIT_ISA");
  if (cap == nullptr) return isa;
  const auto* named = std::ranges::find(kNames, std::string_view(cap));
  if (named == std::end(kNames)) return Isa::Scalar;
  const auto tier = static_cast<Isa>(named - std::begin(kNames));
#if defined(__x86_64__)
  if (tier == Isa::AvxVnni && isa > tier && !has_avxvnni()) return Isa::Avx2;
#endif
  return std::min(isa, tier);
}

Isa permitted(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::Amx && !permits_tiles()) return Isa::Avx512Vnni;
#endif
  return isa;
}

}  // namespace

std::string_view name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa host_isa() {
  static const Isa isa = permitted(capped(detect()));
  return isa;
}

bool host_executes(Isa tier) {
#if defined(__x86_64__)
  if (tier == Isa::AvxVnni) return host_isa() >= tier && has_avxvnni();
#endif
  return tier <= host_isa();
}

namespace {

// In the order of Core.
constexpr std::string_view kCores[] = {
#if defined(__x86_64__)
    "zen",
    "cove",
#elif defined(__aarch64__) || defined(__arm__)
    "a53",
    "a72",
    "a76",
#else
    "any",
#endif
};

#if defined(__x86_64__)
// By the vendor: cpuinfo may be older than the core.
Core detect_core() {
  const bool intel = cpuinfo_initialize() && cpuinfo_get_core(0)->vendor == cpuinfo_vendor_intel;
  return intel ? Core::Cove : Core::Zen;
}
#elif defined(__aarch64__) || defined(__arm__)
bool is_in_order(cpuinfo_uarch uarch) {
  switch (uarch) {
    case cpuinfo_uarch_cortex_a5:
    case cpuinfo_uarch_cortex_a7:
    case cpuinfo_uarch_cortex_a8:
    case cpuinfo_uarch_cortex_a32:
    case cpuinfo_uarch_cortex_a35:
    case cpuinfo_uarch_cortex_a53:
    case cpuinfo_uarch_cortex_a55r0:
    case cpuinfo_uarch_cortex_a55:
      return true;
    default:
      return false;
  }
}

Core detect_core() {
  if (cpuinfo_initialize()) {
    bool in_order = cpuinfo_get_uarchs_count() > 0;
    for (uint32_t i = 0; i < cpuinfo_get_uarchs_count(); ++i) {
      in_order = in_order && is_in_order(cpuinfo_get_uarch(i)->uarch);
    }
    if (in_order) return Core::A53;
  }
  return detect() >= Isa::NeonDot ? Core::A76 : Core::A72;
}
#else
Core detect_core() { return Core::Any; }
#endif

Core named_core() {
  if (const char* named = std::getenv("TIDBIT_CORE"); named != nullptr) {
    const auto* core = std::ranges::find(kCores, std::string_view(named));
    if (core != std::end(kCores)) return static_cast<Core>(core - std::begin(kCores));
  }
  return detect_core();
}

}  // namespace

Core host_core() {
  static const Core core = named_core();
  return core;
}

}  // namespace tidbit::kernels
