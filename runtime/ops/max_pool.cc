// The maximum of a window, of codes or reals.
#include "kernels/pool/pool.h"
#include "runtime/ops/table.h"
#include "runtime/ops/tiles.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {
namespace {

template <class T>
class MaxPool final : public Op {
 public:
  MaxPool(const NodeReader& node, const Geometry& geometry)
      : geometry_(geometry), input_(node.input_index(0)), output_(node.output_index(0)) {}

  size_t largest_batch() const override { return geometry_.largest_batch(); }

  void run(const Frame& frame) const noexcept override {
    const Geometry geometry = geometry_.of_batch(frame.batch);
    for_each_tile(frame, geometry, [&](const Tile& tile) {
      kernels::max_pool(geometry.shape, frame.tensor<const T>(input_) + tile.image * geometry.in_elements(), tile.begin,
                        tile.count, frame.tensor<T>(output_) + tile.pixel * geometry.shape.channels);
    });
  }

 private:
  Geometry geometry_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_max_pool(const NodeReader& node, const OpOptions&) {
  const Geometry geometry = pool_geometry(node, node.op<file::MaxPool>().window());
  node.require_same_elements(node.input(0), node.output(0), "outputs[0]");
  if (node.input(0).is_real) return std::make_unique<MaxPool<float>>(node, geometry);
  return std::make_unique<MaxPool<uint8_t>>(node, geometry);
}

}  // namespace tidbit::internal
