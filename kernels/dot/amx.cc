// TDPBUSD: tiles of up to 16 pixels x 64 bytes of K, by as many bytes of 16 channels.
#include "kernels/dot/modes.h"
#include "kernels/dot/panels_run.h"
#include "kernels/dot/zmm.h"

#if defined(__has_feature)
#define TIDBIT_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TIDBIT_HAS_FEATURE(feature) 0
#endif

namespace tidbit::kernels::dot {
namespace {

constexpr int32_t kTilePixels = 16;
constexpr int32_t kWeightBytes = 36864;  // of unpacked weights, or of those multiplied where they are: they stay in L1
constexpr int32_t kMaxSteps = kWeightBytes / 64;

// What the compilers' intrinsics do, but that g++'s do not tell which memory they read.
#define TIDBIT_TILE_LOAD(tile, from, stride) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"(ptrdiff_t{stride}) : "memory")
#define TIDBIT_TILE_STORE(tile, to, stride) \
  asm volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"(ptrdiff_t{stride}) : "memory")
#define TIDBIT_TILE_DOT(sums, a, b) asm volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #sums ::)

// Tiles 0 to 3 are sums [2 tiles of pixels][2 vectors of channels], 4 and 5 are of the image, 6 and 7 of weights.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// How tiles are configured: not at all, until needed. Threads must not leave them so.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() {
    if (pixels_ != 0) asm volatile("tilerelease" ::: "memory");
  }

  void configure(int32_t pixels, int32_t groups) {
    if (pixels == pixels_) return;
    pixels_ = pixels;
    TileConfiguration configuration;
    for (int32_t tile = 0; tile < 8; ++tile) {
      configuration.rows[tile] = static_cast<uint8_t>(tile < 6 ? pixels : groups);
      configuration.row_bytes[tile] = static_cast<uint16_t>(tile == 4 || tile == 5 ? 4 * groups : 64);
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }

 private:
  int32_t pixels_ = 0;
};

/// The tiles of K that are multiplied at a time, each of all vectors of a panel.
struct Steps {
  ptrdiff_t x[kMaxSteps];  // of a window
  int32_t row[kMaxSteps];  // of the kernel
  int32_t count;
  const uint8_t* weights;
  size_t bytes;  // of a step's weights
};

/// A block's part of the steps, and its sums.
struct Part {
  const uint8_t* window;
  int32_t begin, end;
  Sums sums;
};

#if defined(__SANITIZE_ADDRESS__) || TIDBIT_HAS_FEATURE(address_sanitizer)
/// AddressSanitizer does not see what tiles read.
void touch(const Part& part, const Steps& steps, ptrdiff_t stride, int32_t pixels, int32_t tile_bytes) {
  for (int32_t step = part.begin; step < part.end; ++step) {
    for (int32_t p = 0; p < pixels; ++p) {
      const volatile uint8_t* row = part.window + steps.x[step] + p * stride;
      static_cast<void>(row[0]);
      static_cast<void>(row[tile_bytes - 1]);
    }
  }
}
#endif

/// Adds the products of the steps for one or two blocks (of the same steps) and one or two vectors of channels.
template <int32_t kBlocks, int32_t kVectors>
void multiply_tiles(const Part* parts, const Steps& steps, ptrdiff_t pixel_step) {
  const Part& first = parts[0];
  const Part& second = parts[kBlocks - 1];
  const ptrdiff_t first_from = first.sums.from_stride * 4, second_from = second.sums.from_stride * 4;
  TIDBIT_TILE_LOAD(0, first.sums.from, first_from);
  if constexpr (kVectors > 1) TIDBIT_TILE_LOAD(1, first.sums.from + 16, first_from);
  if constexpr (kBlocks > 1) TIDBIT_TILE_LOAD(2, second.sums.from, second_from);
  if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_LOAD(3, second.sums.from + 16, second_from);
  const uint8_t* weights = steps.weights + first.begin * steps.bytes;
  constexpr ptrdiff_t kGroupBytes = kVectors * 64;
  for (int32_t step = first.begin; step < first.end; ++step, weights += steps.bytes) {
    TIDBIT_TILE_LOAD(6, weights, kGroupBytes);
    TIDBIT_TILE_LOAD(4, first.window + steps.x[step], pixel_step);
    TIDBIT_TILE_DOT(0, 4, 6);
    if constexpr (kBlocks > 1) {
      TIDBIT_TILE_LOAD(5, second.window + steps.x[step], pixel_step);
      TIDBIT_TILE_DOT(2, 5, 6);
    }
    if constexpr (kVectors > 1) {
      TIDBIT_TILE_LOAD(7, weights + 64, kGroupBytes);
      TIDBIT_TILE_DOT(1, 4, 7);
    }
    if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_DOT(3, 5, 7);
  }
  const ptrdiff_t stride = first.sums.stride * 4;
  TIDBIT_TILE_STORE(0, first.sums.to, stride);
  if constexpr (kVectors > 1) TIDBIT_TILE_STORE(1, first.sums.to + 16, stride);
  if constexpr (kBlocks > 1) TIDBIT_TILE_STORE(2, second.sums.to, stride);
  if constexpr (kBlocks > 1 && kVectors > 1) TIDBIT_TILE_STORE(3, second.sums.to + 16, stride);
}

struct Amx : Bytes<Zmm> {
  static constexpr bool kNarrow = false;
  static constexpr int32_t kPixels = kTilePixels, kTileGroups = 16, kStrip = 256;

  struct Unpacking : Bytes<Zmm>::Unpacking {
    Vec values;  // of codes whose higher bits are anything
    mutable Tiles tiles;
    Unpacking(const Panels& panels, const Grid& grid) : Bytes<Zmm>::Unpacking(panels, grid) {
      uint8_t bytes[64];
      for (int32_t i = 0; i < 64; ++i) {
        const int32_t code = i & (grid.levels() - 1);
        bytes[i] = static_cast<uint8_t>(panels.b.step * code + panels.b.base);
      }
      values = load(bytes);
    }
  };

  // Few pixels multiply codes by VPDPBUSD instead.
  static Vec mac(Vec sums, Vec a, Vec b) { return _mm512_dpbusd_epi32(sums, a, b); }
  static Vec widen(Vec sums) { return sums; }

  static void multiply_strip(const Strip& strip, const Unpacking& unpacking, int32_t* sums, ptrdiff_t stride);
};

/// Unpacks so many blocks to b.
template <int32_t kSlots>
void unpack_blocks(const uint8_t* packed, int32_t blocks, int32_t vectors, __m512i values, uint8_t* to) {
  const ptrdiff_t group_bytes = ptrdiff_t{vectors} * 64;
  for (; blocks > 0; --blocks, to += (kSlots - 1) * group_bytes) {
    for (int32_t v = 0; v < vectors; ++v, packed += 64, to += 64) {
      const __m512i codes = Amx::load(packed);
      unroll<0, kSlots>([&](auto slot) __attribute__((always_inline)) {
        const __m512i at = Amx::shifted(codes, slot * (8 / kSlots));
        Amx::store(to + slot * group_bytes, _mm512_permutexvar_epi8(at, values));
      });
    }
  }
}

/// Places past the run's end, in its groups [run_groups - 1, end), hold 0.
void clear_past_end(const Panels& panels, int32_t end, int32_t vectors, uint8_t* last) {
  const uint64_t lane = (uint64_t{1} << panels.last_values) - 1;
  const __mmask64 kept = lane * 0x1111111111111111u;
  for (int32_t v = 0; v < vectors; ++v, last += 64) Amx::store(last, _mm512_maskz_loadu_epi8(kept, last));
  std::memset(last, 0, static_cast<size_t>(end - panels.run_groups) * vectors * 64);
}

/// Fills in steps [begin, begin + count), whose weights are unpacked to the buffer or stay where they are.
void set_steps(const Strip& strip, __m512i values, int32_t begin, int32_t count, uint8_t* buffer, Steps& steps) {
  const Panels& panels = *strip.panels;
  const int32_t step_blocks = panels.tile_groups / panels.slots, run_steps = panels.run_blocks / step_blocks;
  const size_t packed_bytes = static_cast<size_t>(step_blocks) * strip.vectors * 64;
  const uint8_t* packed = strip.weights + begin * packed_bytes;
  steps.count = count;
  steps.bytes = static_cast<size_t>(panels.tile_groups) * strip.vectors * 64;
  steps.weights = panels.slots == 1 ? packed : buffer;
  const auto unpack = panels.slots == 2 ? unpack_blocks<2> : panels.slots == 4 ? unpack_blocks<4> : unpack_blocks<8>;
  for (int32_t done = 0; done < count;) {
    const int32_t run = (begin + done) / run_steps, from = (begin + done) % run_steps;
    const int32_t end = smaller(run_steps, from + count - done);
    const ptrdiff_t x = run_offset(panels, run);
    uint8_t* const to = buffer + done * steps.bytes;
    if (panels.slots > 1) {
      unpack(packed + done * packed_bytes, (end - from) * step_blocks, strip.vectors, values, to);
      if (end == run_steps) {
        const int32_t last = panels.run_groups - 1 - from * panels.tile_groups;
        clear_past_end(panels, end * panels.tile_groups, strip.vectors, to + ptrdiff_t{last} * strip.vectors * 64);
      }
    }
    for (int32_t step = from; step < end; ++step, ++done) {
      steps.x[done] = x + ptrdiff_t{4} * panels.tile_groups * step;
      steps.row[done] = run / panels.image.row_runs;
    }
  }
}

/// Multiplies the steps with all blocks of so many pixels, by twos where they have the same.
void multiply_blocks(const Strip& strip, int32_t pixels, const Steps& steps, bool first, int32_t* sums,
                     ptrdiff_t stride) {
  const auto pixel_step = static_cast<ptrdiff_t>(strip.panels->image.out_pixel_step);
  const bool wide = strip.vectors > 1;
  Part parts[2];
  int32_t waiting = 0;
  const auto multiply = [&]() {
    if (waiting == 2) {
      (wide ? multiply_tiles<2, 2> : multiply_tiles<2, 1>)(parts, steps, pixel_step);
    } else if (waiting == 1) {
      (wide ? multiply_tiles<1, 2> : multiply_tiles<1, 1>)(parts, steps, pixel_step);
    }
    waiting = 0;
  };
  for (const Block* block = strip.blocks; block < strip.blocks + strip.block_count; ++block) {
    if (block->pixels != pixels) continue;
    int32_t* const to = sums + block->first * stride;
    Part part = {
        strip.windows[block->first], 0, steps.count, {first ? strip.constants : to, first ? 0 : stride, to, stride}};
    while (part.begin < part.end && steps.row[part.begin] < block->row_begin) ++part.begin;
    while (part.end > part.begin && steps.row[part.end - 1] >= block->row_end) --part.end;
    if (waiting > 0 && (part.begin != parts[0].begin || part.end != parts[0].end)) multiply();
#if defined(__SANITIZE_ADDRESS__) || TIDBIT_HAS_FEATURE(address_sanitizer)
    touch(part, steps, pixel_step, pixels, 4 * strip.panels->tile_groups);
#endif
    parts[waiting++] = part;
    if (waiting == 2) multiply();
  }
  multiply();
}

void Amx::multiply_strip(const Strip& strip, const Unpacking& unpacking, int32_t* sums, ptrdiff_t stride) {
  const Panels& panels = *strip.panels;
  alignas(64) uint8_t buffer[kWeightBytes];
  Steps steps;
  const int32_t runs = panels.image.kernel_rows * panels.image.row_runs;
  const int32_t all = runs * panels.run_blocks / (panels.tile_groups / panels.slots);
  const int32_t most = kWeightBytes / (panels.tile_groups * strip.vectors * 64);
  int32_t chunks = (all + most - 1) / most;
  for (int32_t begin = 0; begin < all; --chunks) {
    const int32_t count = (all - begin + chunks - 1) / chunks;
    set_steps(strip, unpacking.values, begin, count, buffer, steps);
    // By their sizes, so that tiles are seldom configured anew.
    for (int32_t pixels = kTilePixels; pixels > 0;) {
      int32_t next = 0;
      bool some = false;
      for (const Block* block = strip.blocks; block < strip.blocks + strip.block_count; ++block) {
        some = some || block->pixels == pixels;
        if (block->pixels < pixels) next = larger(next, block->pixels);
      }
      if (some) {
        unpacking.tiles.configure(pixels, panels.tile_groups);
        multiply_blocks(strip, pixels, steps, begin == 0, sums, stride);
      }
      pixels = next;
    }
    begin += count;
  }
}

// Measured on Emerald Rapids, built by g++ 12: tiles take as long with fewer pixels.
double cost(const GemmProblem& problem) noexcept {
  constexpr double kMultiply = 22, kSums = 100;  // of a tile
  constexpr double kUnpack = 2.2, kByte = 0.06, kPack = 0.09;
  const ConvolutionShape& shape = problem.shape;
  const Panels sizes = panels(problem, kForm<Amx>);
  const int32_t most = shape.out_width < kLeastRow ? 1 : kTilePixels;
  const double strips = static_cast<double>((shape.pixels() + Amx::kStrip - 1) / Amx::kStrip);
  const double blocks = static_cast<double>(shape.out_height) * ((shape.out_width + most - 1) / most);
  const double vectors = (shape.out_channels + Amx::kLanes - 1) / Amx::kLanes;
  const double groups =
      static_cast<double>(sizes.run_blocks) * sizes.slots * sizes.image.kernel_rows * sizes.image.row_runs;
  const double share = sizes.padding == 0 ? inside_share(shape).rows : 1;
  const double multiplying = blocks * vectors * (groups / sizes.tile_groups * share * kMultiply + kSums);
  const double unpacking = sizes.slots == 1 ? 0 : strips * vectors * groups * kUnpack;
  const double reading = static_cast<double>(sizes.weight_bytes) * kByte;
  const double packing = static_cast<double>(sizes.image.bytes) * kPack;
  return (multiplying + unpacking < reading ? reading : multiplying + unpacking) + packing;
}

constexpr GemmKernel kTable[] = {{
    .name = "dot_amx_256x32",
    .family = Family::Dot,
    .isa = Isa::Amx,
    .tile_pixels = Amx::kStrip,
    .tile_channels = kForm<Amx>.lanes * kForm<Amx>.vectors,
    .supports = supports_panels<Amx>,
    .cost = cost,
    .packed_sizes = packed_panels_sizes<Amx>,
    .pack_weights = pack_panels_weights<Amx>,
    .pack_image = pack_panels_image<Amx, uint8_t>,
    .run = run_panels<Amx>,
}};

}  // namespace

constinit const std::span<const GemmKernel> kAmx = kTable;

}  // namespace tidbit::kernels::dot
