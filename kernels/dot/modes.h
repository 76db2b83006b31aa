// What the loops over panels multiply with, over a tier's registers; for ISA files alone.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/dot/panels.h"

namespace tidbit::kernels::dot {
namespace {

template <class Register>
typename Register::Vec broadcast_four(const uint8_t* bytes) {
  uint32_t four;
  std::memcpy(&four, bytes, sizeof four);
  return Register::broadcast_value(four);
}

/// Operands in bytes; codes of up to 4 bits are looked up, by the nibble that they are in.
template <class Register>
struct Bytes : Register {
  using Vec = typename Register::Vec;
  using Packed = Vec;
  using Value = uint8_t;
  static constexpr int32_t kValueBytes = 1, kGroupBytes = 4, kImageBits = 3, kStrip = 64, kTileGroups = 0;

  struct Unpacking {
    Vec mask, nibble;
    Vec tables[4];  // of a nibble's first code, its second, ...
    Unpacking() = default;
    Unpacking(const Panels& panels, const Grid&)
        : mask(Register::broadcast_value(((1u << (panels.slot_bits % 8)) - 1) * 0x01010101u)),
          nibble(Register::broadcast_value(0x0f0f0f0f)) {
      for (int32_t place = 0; place < 4; ++place) {
        uint8_t values[sizeof(Vec)];
        for (int32_t i = 0; i < static_cast<int32_t>(sizeof(Vec)); ++i) {
          const int32_t code = i % 16 >> place * panels.slot_bits & ((1 << panels.slot_bits) - 1);
          values[i] = static_cast<uint8_t>(panels.b.step * code + panels.b.base);
        }
        tables[place] = Register::load(values);
      }
    }
  };
  static Vec broadcast(const uint8_t* bytes) { return broadcast_four<Register>(bytes); }
  static Vec load_sums(const int32_t* sums) { return Register::load(sums); }
  static Packed packed(const uint8_t* p) { return Register::load(p); }
  static Packed codes(Packed packed, int32_t shift, const Unpacking& unpacking) {
    return Register::both(Register::shifted(packed, shift), unpacking.mask);
  }
  template <int32_t Slots, int32_t slot>
  static Vec values(Packed packed, const Unpacking& unpacking) {
    constexpr int32_t kNibbleSlots = Slots > 1 ? Slots / 2 : 1;
    const Vec nibbles = slot < kNibbleSlots ? packed : Register::shifted(packed, 4);
    return Register::lookup(unpacking.tables[slot % kNibbleSlots], Register::both(nibbles, unpacking.nibble));
  }
  static Vec operand(Packed codes) { return codes; }
};

/// PMADDUBSW and sums in int16, for grids that let some of them fit.
template <class Register>
struct Narrow : Bytes<Register> {
  using Vec = typename Register::Vec;
  static constexpr bool kNarrow = true;
  static Vec mac(Vec sums, Vec a, Vec b) { return Register::add16(sums, Register::maddubs(a, b)); }
  static Vec widen(Vec sums) { return Register::madd(sums, Register::broadcast_value(0x00010001)); }
};

/// Operands in int16 and PMADDWD: any grid that fits.
template <class Register>
struct Wide : Register {
  using Vec = typename Register::Vec;
  using Packed = typename Register::Half;
  using Value = int16_t;
  static constexpr int32_t kValueBytes = 2, kGroupBytes = 4, kImageBits = 3, kStrip = 64, kTileGroups = 0;
  static constexpr bool kNarrow = false;

  struct Unpacking {
    Packed mask;
    Vec step, base;
    Unpacking() = default;
    Unpacking(const Panels& panels, const Grid& grid)
        : mask(Register::half_of(((1u << panels.slot_bits) - 1) * 0x01010101u)),
          step(Register::broadcast_value((static_cast<uint32_t>(grid.step) & 0xffff) * 0x00010001u)),
          base(Register::broadcast_value((static_cast<uint32_t>(grid.base) & 0xffff) * 0x00010001u)) {}
  };
  static Vec broadcast(const uint8_t* bytes) { return broadcast_four<Register>(bytes); }
  static Vec load_sums(const int32_t* sums) { return Register::load(sums); }
  static Packed packed(const uint8_t* p) { return Register::load_half(p); }
  static Packed codes(Packed packed, int32_t shift, const Unpacking& unpacking) {
    return Register::both(Register::shifted(packed, shift), unpacking.mask);
  }
  template <int32_t Slots, int32_t slot>
  static Vec values(Packed packed, const Unpacking& unpacking) {
    const Packed of_slot = codes(packed, slot * (8 / Slots), unpacking);
    return Register::add16(Register::mul16(Register::widened(of_slot), unpacking.step), unpacking.base);
  }
  static Vec operand(Packed codes) { return Register::widened(codes); }
  static Vec mac(Vec sums, Vec a, Vec b) { return Register::add(sums, Register::madd(a, b)); }
  static Vec widen(Vec sums) { return sums; }
};

}  // namespace
}  // namespace tidbit::kernels::dot
