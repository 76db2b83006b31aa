// Lookups with TBL: 16 channels in tables of 16 entries.
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels/lut/tiles.h"
#include "kernels/neon_cycles.h"
#include "kernels/neon_vectors.h"

namespace tidbit::kernels::lut {
namespace {

struct Tier {
  static constexpr Form kForm = {.tile = 16, .weight_bits = 4, .activation_bits = 8, .least_group = 2, .split = true};
  static constexpr int32_t kVectors = kNeonRegisters / 2, kPanels = 4;

  using Vector = uint8x16_t;

  template <size_t kEntries>
  static Vector table(const uint8_t* entries) {
    return vld1q_u8(entries);
  }
  static Vector load(const std::byte* bytes) { return load_bytes(bytes); }
  static Vector zero() { return vdupq_n_u8(0); }
  static Vector lookup(Vector table, Vector indices) { return look_up_bytes(table, indices); }
  static Vector add8(Vector a, Vector b) { return vaddq_u8(a, b); }
  static void add_lookups(Vector& a, Vector table_a, Vector indices_a, Vector& b, Vector table_b, Vector indices_b) {
    a = add8(a, lookup(table_a, indices_a));
    b = add8(b, lookup(table_b, indices_b));
    keep(a);
    keep(b);
  }
  static Vector add16(Vector a, Vector b) {
    return vreinterpretq_u8_u16(vaddq_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }
  static Vector odd(Vector bytes) { return vreinterpretq_u8_u16(vshrq_n_u16(vreinterpretq_u16_u8(bytes), 8)); }

  static void store(Vector all, Vector odd, uint32_t scale, const int32_t* base, int32_t* sums, int32_t channels) {
    const uint16x8_t odds = vreinterpretq_u16_u8(odd);
    const uint16x8_t evens = vsubq_u16(vreinterpretq_u16_u8(all), vshlq_n_u16(odds, 8));
    const uint16x4_t parts[] = {vget_low_u16(evens), vget_high_u16(evens), vget_low_u16(odds), vget_high_u16(odds)};
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t left = channels - i * 4;
      if (left <= 0) return;
      uint32_t from[4] = {};
      std::memcpy(from, base + i * 4, left >= 4 ? sizeof(from) : static_cast<size_t>(left) * sizeof(int32_t));
      const uint32x4_t total = vmlaq_n_u32(vld1q_u32(from), vmovl_u16(parts[i]), scale);
      if (left >= 4) {
        vst1q_s32(sums + i * 4, vreinterpretq_s32_u32(total));
      } else {
        std::memcpy(sums + i * 4, &total, static_cast<size_t>(left) * sizeof(int32_t));
      }
    }
  }

  /// The groups [0, 16) from `codes` on, all of whose slots are channels; or 8 of them.
  template <int32_t kGroup>
  static void pack_16(const uint8_t* codes, int32_t groups, int32_t bits, Vector mask, uint8_t* out) {
    Vector packed = vld1q_u8(codes);
    for (int32_t slot = 1; slot < kGroup; ++slot) {
      const Vector part = vld1q_u8(codes + slot * groups);
      packed = vorrq_u8(packed, vshlq_u8(part, vdupq_n_s8(static_cast<int8_t>(slot * bits))));
    }
    vst1q_u8(out, vandq_u8(packed, mask));
  }

  template <int32_t kGroup>
  static void pack_8(const uint8_t* codes, int32_t groups, int32_t bits, Vector mask, uint8_t* out) {
    uint8x8_t packed = vld1_u8(codes);
    for (int32_t slot = 1; slot < kGroup; ++slot) {
      const uint8x8_t part = vld1_u8(codes + slot * groups);
      packed = vorr_u8(packed, vshl_u8(part, vdup_n_s8(static_cast<int8_t>(slot * bits))));
    }
    vst1_u8(out, vand_u8(packed, vget_low_u8(mask)));
  }

  template <int32_t kGroup>
  static void pack_group(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                         ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const int32_t groups = layout.groups;
    const int32_t full = channels - (kGroup - 1) * groups;  // groups without fillers; the last block of them overlaps
    const int32_t mask = (1 << layout.activation_bits) - 1;
    const Vector masks = vdupq_n_u8(static_cast<uint8_t>(mask));
    for (int32_t p = 0; p < count; ++p, codes += pixel_stride, indices += groups) {
      int32_t c = 0;
      for (; c + 16 <= full; c += 16) pack_16<kGroup>(codes + c, groups, bits, masks, indices + c);
      if (full >= 8) {
        for (; c + 8 <= full; c += 8) pack_8<kGroup>(codes + c, groups, bits, masks, indices + c);
        if (c < full) {
          pack_8<kGroup>(codes + full - 8, groups, bits, masks, indices + full - 8);
          c = full;
        }
      }
      for (; c < groups; ++c) {
        int32_t packed = 0;
        for (int32_t slot = 0; slot < kGroup; ++slot) {
          const int32_t channel = slot * groups + c;
          packed |= (channel < channels ? codes[channel] : layout.activation_filler) << slot * bits;
        }
        indices[c] = static_cast<uint8_t>(packed & mask);
      }
    }
  }

  static void pack_pixels(const Layout& layout, int32_t bits, int32_t channels, const uint8_t* codes,
                          ptrdiff_t pixel_stride, int32_t count, uint8_t* indices) {
    const auto pack = layout.group == 4 ? pack_group<4> : layout.group == 3 ? pack_group<3> : pack_group<2>;
    pack(layout, bits, channels, codes, pixel_stride, count, indices);
  }
};

double cost(const GemmProblem& problem) noexcept {
  const NeonCycles cycles = neon_cycles(host_core());
  const double index = cycles.lookup + cycles.simple;
  return lut::cost(
      problem, Tier::kForm,
      {.index = index, .alone = index, .widen = 2 * cycles.simple + 4, .panel = 24, .pack = 12 * cycles.simple});
}

constexpr GemmKernel kTable[] = {{
#if defined(__aarch64__)
    .name = "lut_neon_4x16",
#else
    .name = "lut_neon_2x16",
#endif
    .family = Family::Lut,
    .isa = Isa::Neon,
    .tile_pixels = Tier::kVectors,
    .tile_channels = Tier::kForm.tile,
    .supports = Tiles<Tier>::supports,
    .cost = cost,
    .packed_sizes = Tiles<Tier>::packed_sizes,
    .pack_weights = Tiles<Tier>::pack_weights,
    .pack_image = Tiles<Tier>::pack_image,
    .run = Tiles<Tier>::run,
}};

}  // namespace

constinit const std::span<const GemmKernel> kNeon = kTable;

}  // namespace tidbit::kernels::lut
