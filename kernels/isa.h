// Ordered tiers of instruction sets. A kernel is usable when its tier is not above the host's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidbit::kernels {

/// Per architecture the tiers form a chain: each includes all before it, but for the branch AvxVnni. A build has only
/// its own architecture's.
enum class Isa : uint8_t {
  Scalar,
#if defined(__x86_64__)
  Avx2,        // AVX2 and FMA
  AvxVnni,     // and AVX-VNNI, VPDPBUSD of 256 bits: a branch, as processors with AVX-512 may lack it (Ice Lake, Zen 4)
  Avx512,      // F, BW, DQ, VL
  Avx512Vnni,  // and VNNI, VBMI, VPOPCNTDQ, BITALG
  Amx,         // and AMX-TILE, AMX-INT8, with Linux's permission (host_isa)
#elif defined(__aarch64__) || defined(__arm__)
  Neon,      // AArch64: all have it; ARMv7: with VFPv4
  NeonDot,   // SDOT, UDOT
  NeonI8mm,  // and USMMLA, USDOT, in AArch64
#endif
};

std::string_view name(Isa isa);

/// Whether a processor of tier `isa` runs the kernels of `tier`.
constexpr bool includes(Isa isa, Isa tier) {
#if defined(__x86_64__)
  if (tier == Isa::AvxVnni) return isa == tier;
#endif
  return tier <= isa;
}

/// The host's tier, capped by the environment variable TIDBIT_ISA (a tier's name, as name() gives it). Detected once.
/// An unknown name caps at scalar: a typing error must not run a tier that was meant to be kept out.
///
/// Where processor and cap admit Amx, Linux is asked to let this process use tiles, once and until exec. From then on
/// an alternate signal stack must have room for them, 8 KiB and more (getauxval(AT_MINSIGSTKSZ)), or sigaltstack()
/// fails. Where a thread has a smaller one already, Linux refuses, and the tier is Avx512Vnni. Capped there, nothing is
/// asked.
Isa host_isa();

/// Whether this host, as it is capped, can execute kernels of `tier`: on its chain or not.
bool host_executes(Isa tier);

/// The table of a tier, among those that a group of functions has in the order of the chain: the last serves all above
/// it, and AvxVnni has Avx2's.
template <class Tier, size_t kCount>
const Tier* tier_of(Isa isa, const Tier* const (&tiers)[kCount]) {
  auto index = static_cast<size_t>(isa);
#if defined(__x86_64__)
  if (isa >= Isa::AvxVnni) --index;
#endif
  return tiers[index < kCount ? index : kCount - 1];
}

/// Kinds of cores, by one of each: what is fast differs between them, and so do the costs of kernels.
enum class Core : uint8_t {
#if defined(__x86_64__)
  Zen,   // AMD: shuffles and popcounts of 512 bits take as long as multiplies of 512 bits
  Cove,  // Intel since Sunny Cove: two of these multiplies a cycle, but one such shuffle or popcount, on port 5
#elif defined(__aarch64__) || defined(__arm__)
  A53,       // in order: A7, A53, A55
  A72,       // out of order, without dot product
  A76,       // out of order, with it: Neoverse N1, ...
#else
  Any,
#endif
};

/// The host's, which is that of its fastest cores; or what the environment variable TIDBIT_CORE names: zen, cove; a53,
/// a72, a76. Detected once.
Core host_core();

}  // namespace tidbit::kernels
