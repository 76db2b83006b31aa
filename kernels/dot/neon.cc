// Multiplication of bytes with SMULL and SMLAL: sums of products stay in 16 bits for as long as the grids let them fit.
#include "kernels/dot/neon_modes.h"

namespace tidbit::kernels::dot {
namespace {

constexpr PanelForm kSignedForm = {.lanes = 4, .vectors = 4, .value_bytes = 1, .signed_activations = true};

/// How many products fit 16 bits.
int32_t fitting_products(const GemmProblem& problem) {
  return INT16_MAX / std::max(1, highest_product(problem, kSignedForm, false));
}

int16x8_t multiply_low(int8x16_t a, int8x16_t b) { return vmull_s8(vget_low_s8(a), vget_low_s8(b)); }
int16x8_t multiply_low(int16x8_t sums, int8x16_t a, int8x16_t b) {
  return vmlal_s8(sums, vget_low_s8(a), vget_low_s8(b));
}
#if defined(__aarch64__)
int16x8_t multiply_high(int8x16_t a, int8x16_t b) { return vmull_high_s8(a, b); }
int16x8_t multiply_high(int16x8_t sums, int8x16_t a, int8x16_t b) { return vmlal_high_s8(sums, a, b); }
#else
int16x8_t multiply_high(int8x16_t a, int8x16_t b) { return vmull_s8(vget_high_s8(a), vget_high_s8(b)); }
int16x8_t multiply_high(int16x8_t sums, int8x16_t a, int8x16_t b) {
  return vmlal_s8(sums, vget_high_s8(a), vget_high_s8(b));
}
#endif

int8x16_t broadcast_bytes(const uint8_t* bytes) { return vreinterpretq_s8_u8(broadcast_word(bytes)); }

/// Sums in 16 bits of many products.
struct Many : SignedProducts {
  static constexpr int32_t kStep = 1, kLeast = 5;
  static constexpr bool kLimited = true;

  struct Sums {
    int16x8_t low, high;  // four products' of each channel
  };
  static Sums begin(int32x4_t) { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static int32x4_t end(const Sums& sums, int32x4_t from) {
    return vaddq_s32(from, add_pairs(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high)));
  }

  template <int32_t kFirst, int32_t kEnd, int32_t G, int32_t P, int32_t V>
  [[gnu::always_inline]] static void add(Sums (&sums)[P][V], const uint8_t* const (&x)[P], ptrdiff_t at,
                                         const uint8_t* w) {
    int8x16_t b[V];
    unroll<0, V>([&](auto v) __attribute__((always_inline)) { b[v] = load_weights(w + v * 16); });
    unroll<kFirst, kEnd>([&](auto p) __attribute__((always_inline)) {
      const int8x16_t a = broadcast_bytes(x[p] + at);
      unroll<0, V>([&](auto v) __attribute__((always_inline)) {
        sums[p][v].low = multiply_low(sums[p][v].low, a, b[v]);
        sums[p][v].high = multiply_high(sums[p][v].high, a, b[v]);
      });
    });
  }
  static int32_t limit(const GemmProblem& problem) { return fitting_products(problem); }
};

/// Sums in 32 bits, to which one product or two are added at a time.
template <int32_t kProducts>
struct Few : SignedProducts {
  static constexpr int32_t kStep = kProducts, kLeast = kProducts;
  static constexpr bool kLimited = false;

  struct Sums {
    int32x4_t low, high;  // two of each channel
  };
  static Sums begin(int32x4_t) { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static int32x4_t end(const Sums& sums, int32x4_t from) { return vaddq_s32(from, add_pairs(sums.low, sums.high)); }

  template <int32_t kFirst, int32_t kEnd, int32_t G, int32_t P, int32_t V>
  [[gnu::always_inline]] static void add(Sums (&sums)[P][V], const uint8_t* const (&x)[P], ptrdiff_t at,
                                         const uint8_t* w) {
    int8x16_t a[P][G];
    unroll<kFirst * G, kEnd * G>([&](auto i) __attribute__((always_inline)) {
      a[i / G][i % G] = broadcast_bytes(x[i / G] + at + 4 * (i % G));
    });
    unroll<0, V>([&](auto v) __attribute__((always_inline)) {
      int8x16_t b[G];
      unroll<0, G>([&](auto g) __attribute__((always_inline)) { b[g] = load_weights(w + (g * V + v) * 16); });
      unroll<kFirst, kEnd>([&](auto p) __attribute__((always_inline)) {
        int16x8_t low = multiply_low(a[p][0], b[0]), high = multiply_high(a[p][0], b[0]);
        if constexpr (G > 1) {
          low = multiply_low(low, a[p][1], b[1]);
          high = multiply_high(high, a[p][1], b[1]);
        }
        sums[p][v].low = vpadalq_s16(sums[p][v].low, low);
        sums[p][v].high = vpadalq_s16(sums[p][v].high, high);
      });
    });
  }
  static int32_t limit(const GemmProblem&) { return INT32_MAX; }
};

#if defined(__aarch64__)
constexpr int32_t kPixels = 2, kVectors = 4;
#else
constexpr int32_t kPixels = 2, kVectors = 2;
#endif

template <class Products>
bool supports(const GemmProblem& problem) noexcept {
  return fits_bytes(problem) && fitting_products(problem) >= Products::kLeast;
}

/// `widening`: cycles besides multiplication, for each vector, pixel and group.
double cost_of(const GemmProblem& problem, double widening) {
  const NeonCycles cycles = neon_cycles(host_core());
  const double group = 2 * cycles.multiply + cycles.broadcast / kVectors + widening;
  return dot::cost(problem, kForm<SignedBytes<Many, kPixels, kVectors>>, panel_cycles(cycles, group, 6));
}

double many_cost(const GemmProblem& problem) noexcept {
  return cost_of(problem, (6 * neon_cycles(host_core()).simple + 2) / fitting_products(problem));
}

template <int32_t kProducts>
double few_cost(const GemmProblem& problem) noexcept {
  return cost_of(problem, 2 * neon_cycles(host_core()).simple / kProducts);
}

template <class Products>
constexpr GemmKernel kernel(std::string_view name, double (*cost)(const GemmProblem&) noexcept) {
  using Mode = SignedBytes<Products, kPixels, kVectors>;
  GemmKernel kernel = panel_kernel<Mode>(name, Isa::Neon, cost, Mode::kLanes * kVectors);
  kernel.supports = supports<Products>;
  return kernel;
}

#if defined(__aarch64__)
#define TIDBIT_DOT_TILE "2x16"
#else
#define TIDBIT_DOT_TILE "2x8"
#endif

constexpr GemmKernel kTable[] = {
    kernel<Many>("dot_neon_many_" TIDBIT_DOT_TILE, many_cost),
    kernel<Few<2>>("dot_neon_pair_" TIDBIT_DOT_TILE, few_cost<2>),
    kernel<Few<1>>("dot_neon_" TIDBIT_DOT_TILE, few_cost<1>),
};

}  // namespace

constinit const std::span<const GemmKernel> kNeon = kTable;

}  // namespace tidbit::kernels::dot
