// The sum of a window of codes and its epilogue, or the mean of a window of reals.
#include <algorithm>

#include "kernels/pool/pool.h"
#include "runtime/ops/epilogues.h"
#include "runtime/ops/real_form.h"
#include "runtime/ops/table.h"
#include "runtime/ops/tiles.h"
#include "runtime/ops/weights.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {
namespace {

class RealAveragePool final : public Op {
 public:
  RealAveragePool(const NodeReader& node, const Geometry& geometry, bool count_padding)
      : geometry_(geometry),
        count_padding_(count_padding),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  size_t largest_batch() const override { return geometry_.largest_batch(); }

  std::optional<RealForm> real_form(uint64_t /*most_bytes*/) const override {
    if (count_padding_ && geometry_.shape.window.padded()) return std::nullopt;
    return RealForm{AveragePoolForm{geometry_}};
  }

  void run(const Frame& frame) const noexcept override {
    const Geometry geometry = geometry_.of_batch(frame.batch);
    for_each_tile(frame, geometry, [&](const Tile& tile) {
      kernels::average_pool(geometry.shape, count_padding_,
                            frame.tensor<const float>(input_) + tile.image * geometry.in_elements(), tile.begin,
                            tile.count, frame.tensor<float>(output_) + tile.pixel * geometry.shape.channels);
    });
  }

 private:
  Geometry geometry_;
  bool count_padding_;
  size_t input_, output_;
};

class CodeAveragePool final : public Op {
 public:
  CodeAveragePool(const NodeReader& node, const Geometry& geometry, const file::Epilogue* epilogue)
      : geometry_(geometry),
        epilogues_(node, epilogue, Sums::Integer),
        grid_(grid_of(node.input(0))),
        input_(node.input_index(0)) {
    const kernels::ConvolutionShape& s = geometry.shape;
    const auto taps_inside = static_cast<uint64_t>(std::min(s.height, s.window.kernel_height)) *
                             static_cast<uint64_t>(std::min(s.width, s.window.kernel_width));
    node.require(product({taps_inside, magnitude(grid_)}) <= INT32_MAX, "window", "can give sums beyond 32 bits");
  }

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override { return product({threads, sum_bytes()}); }

  size_t largest_batch() const override { return geometry_.largest_batch(); }

  void run(const Frame& frame) const noexcept override {
    const Geometry geometry = geometry_.of_batch(frame.batch);
    for_each_tile(frame, geometry, [&](const Tile& tile) {
      auto* const sums = reinterpret_cast<int32_t*>(frame.scratch + tile.thread * sum_bytes());
      kernels::sum_pool(geometry.shape, grid_,
                        frame.tensor<const uint8_t>(input_) + tile.image * geometry.in_elements(), tile.begin,
                        tile.count, sums);
      epilogues_.apply(frame, SumBlock<int32_t>{.sums = sums,
                                                .stride = geometry.shape.channels,
                                                .pixel = tile.pixel,
                                                .pixels = tile.count,
                                                .channel = 0,
                                                .channels = geometry.shape.channels});
    });
  }

 private:
  uint64_t sum_bytes() const { return tile_sum_bytes(geometry_.shape); }

  Geometry geometry_;
  Epilogues epilogues_;
  Grid grid_;
  size_t input_;
};

}  // namespace

std::unique_ptr<Op> make_average_pool(const NodeReader& node, const OpOptions&) {
  const file::AveragePool& table = node.op<file::AveragePool>();
  const Geometry geometry = pool_geometry(node, table.window());
  if (!node.input(0).is_real) return std::make_unique<CodeAveragePool>(node, geometry, table.epilogue());
  node.require_real(node.output(0), "outputs[0]");
  node.require(table.epilogue() == nullptr, "epilogue", "is for codes, the input is real");
  return std::make_unique<RealAveragePool>(node, geometry, table.count_padding());
}

}  // namespace tidbit::internal
