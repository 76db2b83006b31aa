// Codes x quantized weights: a GEMM over the packed image, tile by tile, each followed by its epilogues.
#include <algorithm>

#include "kernels/gemm.h"
#include "runtime/aligned_buffer.h"
#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"
#include "runtime/ops/weights.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {
namespace {

/// Codes that are worth handing to another thread to pack.
constexpr int64_t kPackGrain = 16384;
/// Codes unpacked at a time on their way to packed weights.
constexpr size_t kUnpackedCodes = 65536;

/// How the output of one image and group is cut.
struct Tiling : kernels::GemmTiling {
  int64_t pixel_tiles, channel_tiles;

  Tiling(const kernels::GemmKernel& kernel, const kernels::ConvolutionShape& shape)
      : GemmTiling(kernels::gemm_tiling(kernel, shape)),
        pixel_tiles((shape.pixels() + pixels - 1) / pixels),
        channel_tiles((shape.out_channels + channels - 1) / channels) {}

  uint64_t sum_bytes() const { return aligned(sizeof(int32_t) * static_cast<uint64_t>(pixels) * channels); }
};

class Convolution final : public Op {
 public:
  Convolution(const NodeReader& node, const file::Convolution& table, const OpOptions& options)
      : geometry_(linear_geometry(node, table.window(), table.groups())),
        weights_(node, table.weights(), geometry_.weights_shape()),
        epilogues_(node, table.epilogues(), Sums::Integer),
        input_(node.input_index(0)) {
    node.require_codes(node.input(0), "inputs[0]");
    node.require(!weights_.real(), "weights.encoding", "is Real, which has no integer sums");
    node.require(table.weights()->scales() == nullptr, "weights.scales", "must be folded into the epilogue");
    problem_ = {.shape = geometry_.group_shape(), .weights = weights_.grid(), .activations = grid_of(node.input(0))};
    require_exact_sums(node);
    require_countable(node);
    const kernels::Isa isa = kernels::host_isa();
    if (!options.family) kernel_ = options.tuning.kernel(problem_, isa);
    if (kernel_ == nullptr) kernel_ = kernels::select_gemm_kernel(problem_, isa, options.family);
    node.require(kernel_ != nullptr, "weights.grid", "has no kernel that runs it");
    packed_sizes_ = kernel_->packed_sizes(problem_);
  }

  void prepare() override {
    packed_ = AlignedBuffer(static_cast<size_t>(packed_bytes()));
    const size_t group_rows = static_cast<size_t>(problem_.shape.out_channels);
    const size_t depth = static_cast<size_t>(problem_.shape.depth());
    const size_t granule = static_cast<size_t>(kernel_->tile_channels);
    const size_t block = std::min(group_rows, std::max<size_t>(1, kUnpackedCodes / depth / granule) * granule);
    const AlignedBuffer codes(block * depth);
    auto* const data = reinterpret_cast<uint8_t*>(codes.data());
    for (size_t group = 0; group < static_cast<size_t>(geometry_.groups); ++group) {
      for (size_t row = 0; row < group_rows; row += block) {
        const size_t count = std::min(block, group_rows - row);
        weights_.codes(group * group_rows + row, count, data);
        kernel_->pack_weights(problem_, data, static_cast<int32_t>(row), static_cast<int32_t>(count),
                              packed_weights(group));
      }
    }
  }

  void describe(NodeInfo& info) const override {
    info.weight_bits = weights_.bits();
    info.activation_bits = problem_.activations.bits;
    info.macs = geometry_.shape.macs() / geometry_.groups * geometry_.images;
    info.weight_bytes = weights_.file_bytes();
    info.packed_bytes = static_cast<size_t>(std::min<uint64_t>(packed_bytes(), SIZE_MAX));
    info.kernel = kernel_->name;
    info.layer = layer_key(problem_);
    for (const kernels::GemmKernel* kernel : kernels::usable_gemm_kernels(problem_, kernels::host_isa())) {
      info.candidates.emplace_back(kernel->name, kernel->cost(problem_));
    }
  }

  uint64_t scratch_bytes(size_t batch, size_t threads) const override {
    const Sized sized = of_batch(batch);
    return sum({sized.image_bytes, product({threads, sized.tiling.sum_bytes()})});
  }

  size_t largest_batch() const override {
    const uint64_t countable = geometry_.fully_connected ? PTRDIFF_MAX / largest_image(problem_.shape) : SIZE_MAX;
    return static_cast<size_t>(std::min<uint64_t>(geometry_.largest_batch(), countable));
  }

  void run(const Frame& frame) const noexcept override {
    const Sized sized = of_batch(frame.batch);
    for (int32_t image = 0; image < sized.geometry.images; ++image) {
      for (int32_t group = 0; group < geometry_.groups; ++group) {
        if (sized.image_bytes != 0) pack_image(frame, sized, image, group);
        multiply(frame, sized, image, group);
      }
    }
  }

 private:
  /// All that depends on the batch.
  struct Sized {
    Geometry geometry;
    kernels::GemmProblem problem;
    Tiling tiling;
    uint64_t image_bytes;
  };

  /// Sums of any order stay within int32: first by the grids, then, where that is too coarse, by the weights.
  void require_exact_sums(const NodeReader& node) const {
    const uint64_t activation = magnitude(problem_.activations), depth = static_cast<uint64_t>(problem_.shape.depth());
    node.require(depth <= INT32_MAX, "weights.channels", "makes ", depth, " products a sum, beyond ", INT32_MAX);
    if (product({magnitude(problem_.weights), activation, depth}) <= INT32_MAX) return;
    node.require(product({weights_.largest_row_magnitude(), activation}) <= INT32_MAX, "weights",
                 "can give sums beyond 32 bits");
  }

  /// The kernels count bytes of packed operands in size_t. No layout pads channels or rows beyond 64, or takes more
  /// than 8 bytes a code.
  void require_countable(const NodeReader& node) const {
    const kernels::ConvolutionShape& s = problem_.shape;
    const uint64_t rows = round_up(static_cast<uint64_t>(s.out_channels), 64);
    const uint64_t weights = product({rows, static_cast<uint64_t>(s.window.taps()), padded_pixel(s)});
    node.require(largest_image(s) <= PTRDIFF_MAX, "window", "makes the padded image too large for this machine");
    node.require(weights <= PTRDIFF_MAX, "weights", "is too large for this machine");
  }

  static uint64_t padded_pixel(const kernels::ConvolutionShape& s) {
    return 8 * round_up(static_cast<uint64_t>(s.channels), 64);
  }

  static uint64_t largest_image(const kernels::ConvolutionShape& s) {
    return product(
        {static_cast<uint64_t>(s.covered_height()), static_cast<uint64_t>(s.covered_width()), padded_pixel(s)});
  }

  Sized of_batch(size_t batch) const {
    const Geometry geometry = geometry_.of_batch(batch);
    kernels::GemmProblem problem = problem_;
    problem.shape = geometry.group_shape();
    return {geometry, problem, Tiling(*kernel_, problem.shape), aligned(kernel_->packed_sizes(problem).image)};
  }

  uint64_t packed_bytes() const {
    return product({static_cast<uint64_t>(geometry_.groups), aligned(packed_sizes_.weights)});
  }

  std::byte* packed_weights(size_t group) const {
    return packed_.data() + group * static_cast<size_t>(aligned(packed_sizes_.weights));
  }

  const uint8_t* codes_of(const Frame& frame, const Sized& sized, int32_t image, int32_t group) const noexcept {
    return frame.tensor<const uint8_t>(input_) + image * sized.geometry.in_elements() +
           int64_t{group} * problem_.shape.channels;
  }

  void pack_image(const Frame& frame, const Sized& sized, int32_t image, int32_t group) const noexcept {
    const kernels::GemmProblem& problem = sized.problem;
    const uint8_t* const codes = codes_of(frame, sized, image, group);
    const int64_t row_codes = std::max<int64_t>(1, int64_t{problem.shape.width} * problem.shape.channels);
    const auto rows = static_cast<size_t>(problem.shape.covered_height());
    const auto grain = static_cast<size_t>(std::max<int64_t>(1, kPackGrain / row_codes));
    frame.threads.parallel_ranges(rows, grain, [&](size_t begin, size_t end, size_t) {
      kernel_->pack_image(problem, codes, geometry_.shape.channels, static_cast<int32_t>(begin),
                          static_cast<int32_t>(end), frame.scratch);
    });
  }

  void multiply(const Frame& frame, const Sized& sized, int32_t image, int32_t group) const noexcept {
    const Tiling& tiling = sized.tiling;
    const kernels::ConvolutionShape& shape = sized.problem.shape;
    const auto tiles = static_cast<size_t>(tiling.pixel_tiles * tiling.channel_tiles);
    const std::byte* const packed_or_codes =
        sized.image_bytes != 0 ? frame.scratch
                               : reinterpret_cast<const std::byte*>(codes_of(frame, sized, image, group));
    frame.threads.parallel_for(tiles, [&](size_t tile, size_t thread) {
      const int64_t pixel = static_cast<int64_t>(tile) % tiling.pixel_tiles * tiling.pixels;
      const int64_t channel = static_cast<int64_t>(tile) / tiling.pixel_tiles * tiling.channels;
      const auto pixels = static_cast<int32_t>(std::min<int64_t>(tiling.pixels, shape.pixels() - pixel));
      const auto channels = static_cast<int32_t>(std::min<int64_t>(tiling.channels, shape.out_channels - channel));
      std::byte* const scratch = frame.scratch + sized.image_bytes + thread * tiling.sum_bytes();
      auto* const sums = reinterpret_cast<int32_t*>(scratch);
      kernel_->run({.problem = &sized.problem,
                    .weights = packed_weights(static_cast<size_t>(group)),
                    .image = packed_or_codes,
                    .pixel_begin = static_cast<int32_t>(pixel),
                    .pixel_count = pixels,
                    .channel_begin = static_cast<int32_t>(channel),
                    .channel_count = channels,
                    .sums = sums,
                    .sums_stride = channels,
                    .pixel_stride = geometry_.shape.channels});
      epilogues_.apply(frame,
                       SumBlock<int32_t>{.sums = sums,
                                         .stride = channels,
                                         .pixel = image * shape.pixels() + pixel,
                                         .pixels = pixels,
                                         .channel = static_cast<int32_t>(int64_t{group} * shape.out_channels + channel),
                                         .channels = channels});
    });
  }

  Geometry geometry_;
  Weights weights_;
  Epilogues epilogues_;
  size_t input_;
  kernels::GemmProblem problem_;  // one group, one sample
  const kernels::GemmKernel* kernel_ = nullptr;
  kernels::PackedSizes packed_sizes_{};
  AlignedBuffer packed_;
};

}  // namespace

std::unique_ptr<Op> make_convolution(const NodeReader& node, const OpOptions& options) {
  return std::make_unique<Convolution>(node, node.op<file::Convolution>(), options);
}

}  // namespace tidbit::internal
