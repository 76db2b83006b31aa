// Blocks of pixels x vectors of channels, for the loops over panels: all of it in an anonymous namespace, so that no
// tier shares code with another. A Mode is what a tier multiplies with:
//   Vec, kLanes, kVectors, kPixels   registers; a block of kPixels x kVectors of them holds sums
//   kLonePixels                      the same of blocks of one vector of channels, where pixels are even
//   kValueBytes, Value               of a and b (dot/panels.h); a's type
//   kGroupBytes                      of a group of a
//   kImageBits, kStrip               image_bits and strip of the form (dot/panels.h)
//   kTileGroups                      tile_groups of the form, which has a loop of its own
//   kNarrow                          acc() are pairs of int16 sums, which widen() adds up in pairs
//   load, store, zero, broadcast (a group), add (int32), mac(sums, a, b), widen, load_sums
//   multiply<kEdge, P, V>            what a block does, where multiply() below is not it, up to `limit(problem)` sums
//   packed (loads vector_bytes), codes(packed, shift, mask), values<Slots, slot>(packed, Unpacking), operand(codes)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/dot/panels.h"

namespace tidbit::kernels::dot {
namespace {

template <class Mode>
constexpr PanelForm kForm = {.lanes = Mode::kLanes,
                             .vectors = Mode::kVectors,
                             .value_bytes = Mode::kValueBytes,
                             .group_bytes = Mode::kGroupBytes,
                             .signed_activations = std::is_same_v<typename Mode::Value, int8_t>,
                             .image_bits = Mode::kImageBits,
                             .strip = Mode::kStrip,
                             .tile_groups = Mode::kTileGroups};

constexpr int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
constexpr int32_t larger(int32_t a, int32_t b) { return a < b ? b : a; }

/// Neighbouring groups of a run: where they are in the window and among the groups of the chunk.
struct Segment {
  ptrdiff_t x;
  int32_t first;  // in the chunk
  int32_t row;    // of the kernel
  int32_t begin;  // the first group's number in the run
  int32_t groups;
};

/// A block's kernel rows, and a run's groups that its first pixel, and that its last one does without.
struct Block {
  int32_t row_begin, row_end;
  int32_t left_end;
  int32_t right_begin;
};

/// Sums of a block: where they start from and where they go. Passed by reference: copying one as a vector would wait
/// for the stores of its members, and so for all stores of sums before them.
struct Sums {
  const int32_t* from;
  ptrdiff_t from_stride;
  int32_t* to;
  ptrdiff_t stride;
};

/// body(constant) for all of [kBegin, kEnd): g++ keeps an array in registers where its indices are constants.
template <int32_t kBegin, int32_t kEnd, class Body>
[[gnu::always_inline]] inline void unroll(const Body& body) {
  if constexpr (kBegin < kEnd) {
    body(std::integral_constant<int32_t, kBegin>{});
    unroll<kBegin + 1, kEnd>(body);
  }
}

/// Adds the products of a chunk's segments for P pixels and V vectors of channels. `limit`: how many narrow sums fit.
/// kEdge: the first pixel or the last one does without some groups.
template <class Mode, bool kEdge, int32_t P, int32_t V>
void multiply(const Segment* segments, int32_t count, const uint8_t* weights, const uint8_t* const* windows,
              const Block& block, const Sums& of_block, [[maybe_unused]] int32_t limit) {
  using Vec = typename Mode::Vec;
  Sums sums = {of_block.from, of_block.from_stride, of_block.to, of_block.stride};
  Vec acc[P][V];
  const uint8_t* x[P];
#pragma GCC unroll 16
  for (int32_t p = 0; p < P; ++p) {
    x[p] = windows[p];
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) {
      acc[p][v] = Mode::kNarrow ? Mode::zero() : Mode::load(sums.from + p * sums.from_stride + v * Mode::kLanes);
    }
  }
  const auto flush = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int32_t p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) {
        const Vec from = Mode::load(sums.from + p * sums.from_stride + v * Mode::kLanes);
        Mode::store(sums.to + p * sums.stride + v * Mode::kLanes, Mode::add(from, Mode::widen(acc[p][v])));
        acc[p][v] = Mode::zero();
      }
    }
    sums.from = sums.to;
    sums.from_stride = sums.stride;
  };
  [[maybe_unused]] int32_t left = limit;
  // `groups` groups for the pixels [first, end).
  const auto add = [&](auto first, auto end, ptrdiff_t& at, const uint8_t*& w, int32_t groups)
      __attribute__((always_inline)) {
    for (const ptrdiff_t stop = at + Mode::kGroupBytes * ptrdiff_t{groups}; at < stop;
         at += Mode::kGroupBytes, w += V * sizeof(Vec)) {
      Vec b[V];
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) b[v] = Mode::load(w + v * sizeof(Vec));
      unroll<decltype(first)::value, decltype(end)::value>([&](auto p) __attribute__((always_inline)) {
        const Vec a = Mode::broadcast(x[p] + at);
#pragma GCC unroll 4
        for (int32_t v = 0; v < V; ++v) acc[p][v] = Mode::mac(acc[p][v], a, b[v]);
      });
    }
  };
  const auto add_flushing = [&](auto first, auto end, ptrdiff_t& at, const uint8_t*& w, int32_t groups)
      __attribute__((always_inline)) {
    if constexpr (!Mode::kNarrow) {
      add(first, end, at, w, groups);
    } else {
      while (groups > 0) {
        const int32_t now = smaller(groups, left);
        add(first, end, at, w, now);
        groups -= now;
        left -= now;
        if (left > 0) continue;
        flush();
        left = limit;
      }
    }
  };
  constexpr std::integral_constant<int32_t, 0> kFirst{};
  constexpr std::integral_constant<int32_t, P> kEnd{};
  for (const Segment* segment = segments; segment < segments + count; ++segment) {
    if (segment->row < block.row_begin || segment->row >= block.row_end) continue;
    const uint8_t* w = weights + segment->first * V * sizeof(Vec);
    ptrdiff_t at = segment->x;
    if constexpr (!kEdge) {
      add_flushing(kFirst, kEnd, at, w, segment->groups);
      continue;
    }
    const int32_t before = smaller(larger(block.left_end - segment->begin, 0), segment->groups);
    const int32_t inside = smaller(larger(block.right_begin - segment->begin, before), segment->groups);
    if constexpr (P == 1) {
      at += Mode::kGroupBytes * ptrdiff_t{before};
      w += before * V * sizeof(Vec);
      add_flushing(kFirst, kEnd, at, w, inside - before);
    } else {
      if (before > 0) add_flushing(std::integral_constant<int32_t, 1>{}, kEnd, at, w, before);
      add_flushing(kFirst, kEnd, at, w, inside - before);
      const int32_t after = segment->groups - inside;
      if (after > 0) add_flushing(kFirst, std::integral_constant<int32_t, P - 1>{}, at, w, after);
    }
  }
  if constexpr (Mode::kNarrow) {
    flush();
  } else {
#pragma GCC unroll 16
    for (int32_t p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) Mode::store(sums.to + p * sums.stride + v * Mode::kLanes, acc[p][v]);
    }
  }
}

/// The same for the groups at [x, end) of windows that are `step` apart: no pointer for each pixel, no segments.
template <class Mode, int32_t P, int32_t V>
void multiply_even(const ptrdiff_t* x, const ptrdiff_t* end, const uint8_t* weights, const uint8_t* window,
                   ptrdiff_t step, const Sums& sums) {
  using Vec = typename Mode::Vec;
  constexpr int32_t kReach = 7;  // pixels of a base: 0, 1, 2, 3, 4, 5 and 6 steps are what addresses can express
  ptrdiff_t step3 = 3 * step, step5 = 5 * step, reach = kReach * step;
  asm("" : "+r"(step3), "+r"(step5), "+r"(reach));  // else g++ makes a pointer for each pixel of them
  Vec acc[P][V];
  unroll<0, P>([&](auto p) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) acc[p][v] = Mode::load(sums.from + p * sums.from_stride + v * Mode::kLanes);
  });
  for (; x < end; ++x, weights += V * sizeof(Vec)) {
    Vec b[V];
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) b[v] = Mode::load(weights + v * sizeof(Vec));
    const uint8_t* base = window + *x;
    unroll<0, P>([&](auto p) __attribute__((always_inline)) {
      constexpr int32_t kSteps = decltype(p)::value % kReach;
      if constexpr (kSteps == 0 && p != 0) base += reach;
      const uint8_t* at = kSteps == 3   ? base + step3
                          : kSteps == 5 ? base + step5
                          : kSteps == 6 ? base + 2 * step3
                                        : base + kSteps * step;
      const Vec a = Mode::broadcast(at);
#pragma GCC unroll 4
      for (int32_t v = 0; v < V; ++v) acc[p][v] = Mode::mac(acc[p][v], a, b[v]);
    });
  }
  unroll<0, P>([&](auto p) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int32_t v = 0; v < V; ++v) Mode::store(sums.to + p * sums.stride + v * Mode::kLanes, acc[p][v]);
  });
}

using Multiply = void (*)(const Segment*, int32_t, const uint8_t*, const uint8_t* const*, const Block&, const Sums&,
                          int32_t);

template <class Mode>
concept OwnLoop = requires {
  Mode::template multiply<false, 1, 1>;
};

template <class Mode, bool kEdge, int32_t P, int32_t V>
constexpr Multiply multiply_block() {
  if constexpr (OwnLoop<Mode>) {
    return Mode::template multiply<kEdge, P, V>;
  } else {
    return multiply<Mode, kEdge, P, V>;
  }
}

/// Where sums are narrow or blocks have a loop of their own, pixels are never even.
template <class Mode>
constexpr bool kHasEven = !Mode::kNarrow && !OwnLoop<Mode>;

template <class Mode>
constexpr int32_t even_pixels(int32_t vectors) {
  if constexpr (kHasEven<Mode>) return vectors == 1 ? Mode::kLonePixels : Mode::kPixels;
  return Mode::kPixels;
}

using MultiplyEven = void (*)(const ptrdiff_t*, const ptrdiff_t*, const uint8_t*, const uint8_t*, ptrdiff_t,
                              const Sums&);

/// [pixels - 1]
template <class Mode, int32_t V, class Pixels = std::make_integer_sequence<int32_t, even_pixels<Mode>(V)>>
struct EvenTable;
template <class Mode, int32_t V, int32_t... P>
struct EvenTable<Mode, V, std::integer_sequence<int32_t, P...>> {
  static constexpr MultiplyEven kEntries[] = {multiply_even<Mode, P + 1, V>...};
};

template <class Mode>
const MultiplyEven* even_table(int32_t vectors) {
  static_assert(Mode::kVectors == 2);
  return vectors == 2 ? EvenTable<Mode, 2>::kEntries : EvenTable<Mode, 1>::kEntries;
}

/// [pixels - 1]
template <class Mode, bool kEdge, int32_t V, class Pixels = std::make_integer_sequence<int32_t, Mode::kPixels>>
struct MultiplyTable;
template <class Mode, bool kEdge, int32_t V, int32_t... P>
struct MultiplyTable<Mode, kEdge, V, std::integer_sequence<int32_t, P...>> {
  static constexpr Multiply kEntries[] = {multiply_block<Mode, kEdge, P + 1, V>()...};
};

template <class Mode, bool kEdge>
const Multiply* multiply_table(int32_t vectors) {
  if constexpr (Mode::kVectors >= 4) {
    if (vectors == 4) return MultiplyTable<Mode, kEdge, 4>::kEntries;
    if (vectors == 3) return MultiplyTable<Mode, kEdge, 3>::kEntries;
  }
  return vectors == 2 ? MultiplyTable<Mode, kEdge, 2>::kEntries : MultiplyTable<Mode, kEdge, 1>::kEntries;
}

}  // namespace
}  // namespace tidbit::kernels::dot
