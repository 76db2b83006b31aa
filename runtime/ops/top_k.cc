// The best elements along an axis of reals, or their indices.
#include "runtime/ops/ranking.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 4096;  // elements worth another thread

class TopK final : public Op {
 public:
  TopK(const NodeReader& node, const file::TopK& table)
      : smallest_(table.smallest()),
        indices_(table.indices()),
        extent_(static_cast<size_t>(node.input(0).shape[table.axis()])),
        best_(static_cast<size_t>(node.output(0).shape[table.axis()])),
        lines_(node.input(0).elements() / extent_),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {
    const std::vector<int64_t>& shape = node.input(0).shape;
    for (size_t i = table.axis() + 1; i < shape.size(); ++i) inner_ *= static_cast<size_t>(shape[i]);
  }

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override { return product({threads, order_bytes()}); }

  void run(const Frame& frame) const noexcept override {
    const size_t grain = std::max<size_t>(1, kGrain / extent_);
    frame.threads.parallel_ranges(frame.batch * lines_, grain, [&](size_t begin, size_t end, size_t thread) {
      auto* const order = reinterpret_cast<uint32_t*>(frame.scratch + thread * order_bytes());
      for (size_t line = begin; line < end; ++line) select(frame, line, {order, extent_});
    });
  }

 private:
  uint64_t order_bytes() const { return aligned(product({extent_, sizeof(uint32_t)})); }

  void select(const Frame& frame, size_t line, std::span<uint32_t> order) const noexcept {
    const float* const in = frame.tensor<const float>(input_) + line / inner_ * extent_ * inner_ + line % inner_;
    float* const out = frame.tensor<float>(output_) + line / inner_ * best_ * inner_ + line % inner_;
    rank(order, best_, [&](uint32_t i) { return smallest_ ? -in[i * inner_] : in[i * inner_]; });
    for (size_t i = 0; i < best_; ++i) {
      out[i * inner_] = indices_ ? static_cast<float>(order[i]) : in[order[i] * inner_];
    }
  }

  bool smallest_, indices_;
  size_t extent_, best_, inner_ = 1, lines_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_top_k(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  const TensorInfo &in = node.input(0), &out = node.output(0);
  node.require_real(in, "inputs[0]");
  node.require_real(out, "outputs[0]");
  const file::TopK& table = node.op<file::TopK>();
  const uint32_t axis = table.axis();
  node.require(axis < in.shape.size(), "axis", "is ", axis, ", the tensor has ", in.shape.size(), " axes");
  std::vector<int64_t> shape = in.shape;
  if (out.shape.size() == shape.size()) shape[axis] = std::min(out.shape[axis], shape[axis]);
  node.require_shape(out, shape, "outputs[0]");
  return std::make_unique<TopK>(node, table);
}

}  // namespace tidbit::internal
