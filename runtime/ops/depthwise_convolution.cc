// One filter a channel, on codes.
#include <algorithm>

#include "kernels/depthwise/depthwise.h"
#include "runtime/aligned_buffer.h"
#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"
#include "runtime/ops/tiles.h"
#include "runtime/ops/weights.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {
namespace {

class DepthwiseConvolution final : public Op {
 public:
  DepthwiseConvolution(const NodeReader& node, const file::DepthwiseConvolution& table)
      : geometry_(linear_geometry(node, table.window())),
        weights_(node, table.weights(), weights_shape()),
        epilogues_(node, table.epilogues(), Sums::Integer),
        input_(node.input_index(0)) {
    const kernels::ConvolutionShape& shape = geometry_.shape;
    node.require_codes(node.input(0), "inputs[0]");
    node.require(shape.channels == shape.out_channels, "outputs[0]", "has ", shape.out_channels,
                 " channels, must have the input's ", shape.channels);
    node.require(!weights_.real(), "weights.encoding", "is Real, which has no integer sums");
    node.require(table.weights()->scales() == nullptr, "weights.scales", "must be folded into the epilogue");
    const Grid activations = grid_of(node.input(0));
    node.require(product({magnitude(weights_.grid()), magnitude(activations), weights_.shape().rows}) <= INT32_MAX,
                 "weights", "can give sums beyond 32 bits");
    problem_ = {.shape = shape, .weights = weights_.grid(), .activations = activations};
  }

  void prepare() override {
    const AlignedBuffer codes(static_cast<size_t>(product({weights_.shape().rows, weights_.shape().row_elements()})));
    auto* const data = reinterpret_cast<uint8_t*>(codes.data());
    weights_.codes(0, static_cast<size_t>(weights_.shape().rows), data);
    packed_ = AlignedBuffer(static_cast<size_t>(kernels::depthwise_weight_bytes(problem_)));
    kernels::pack_depthwise_weights(problem_, data, packed_.data());
  }

  void describe(NodeInfo& info) const override {
    info.weight_bits = weights_.bits();
    info.activation_bits = problem_.activations.bits;
    info.macs =
        int64_t{geometry_.shape.window.taps()} * geometry_.shape.channels * geometry_.shape.pixels() * geometry_.images;
    info.weight_bytes = weights_.file_bytes();
    info.packed_bytes = static_cast<size_t>(std::min<uint64_t>(kernels::depthwise_weight_bytes(problem_), SIZE_MAX));
  }

  uint64_t scratch_bytes(size_t batch, size_t threads) const override {
    return product({threads, tile_sum_bytes(geometry_.of_batch(batch).shape)});
  }

  size_t largest_batch() const override { return geometry_.largest_batch(); }

  void run(const Frame& frame) const noexcept override {
    const Geometry geometry = geometry_.of_batch(frame.batch);
    const kernels::DepthwiseProblem problem{geometry.shape, problem_.weights, problem_.activations};
    for_each_tile(frame, geometry, [&](const Tile& tile) {
      auto* const sums = reinterpret_cast<int32_t*>(frame.scratch + tile.thread * tile_sum_bytes(geometry.shape));
      kernels::depthwise(problem, frame.tensor<const uint8_t>(input_) + tile.image * geometry.in_elements(),
                         packed_.data(), tile.begin, tile.count, sums);
      epilogues_.apply(frame, SumBlock<int32_t>{.sums = sums,
                                                .stride = geometry.shape.channels,
                                                .pixel = tile.pixel,
                                                .pixels = tile.count,
                                                .channel = 0,
                                                .channels = geometry.shape.channels});
    });
  }

 private:
  /// A row is a kernel position.
  WeightsShape weights_shape() const {
    return {.rows = static_cast<uint64_t>(geometry_.shape.window.taps()),
            .taps = 1,
            .channels = static_cast<uint64_t>(geometry_.shape.channels)};
  }

  Geometry geometry_;
  Weights weights_;
  Epilogues epilogues_;
  size_t input_;
  kernels::DepthwiseProblem problem_;  // one sample
  AlignedBuffer packed_;
};

}  // namespace

std::unique_ptr<Op> make_depthwise_convolution(const NodeReader& node, const OpOptions&) {
  return std::make_unique<DepthwiseConvolution>(node, node.op<file::DepthwiseConvolution>());
}

}  // namespace tidbit::internal
