// exp(x) over their sum along one axis; float64 inside.
#include <algorithm>
#include <cmath>

#include "runtime/ops/real_form.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 4096;  // elements worth another thread

class Softmax final : public Op {
 public:
  Softmax(const NodeReader& node, size_t axis) : input_(node.input_index(0)), output_(node.output_index(0)) {
    const TensorInfo& in = node.input(0);
    extent_ = static_cast<size_t>(in.shape[axis]);
    for (size_t i = axis + 1; i < in.shape.size(); ++i) inner_ *= static_cast<size_t>(in.shape[i]);
    lines_ = in.elements() / extent_;
  }

  std::optional<RealForm> real_form(uint64_t /*most_bytes*/) const override {
    if (inner_ != 1) return std::nullopt;
    return RealForm{SoftmaxForm{lines_, extent_}};
  }

  void run(const Frame& frame) const noexcept override {
    const auto* const in = frame.tensor<const float>(input_);
    auto* const out = frame.tensor<float>(output_);
    const size_t grain = std::max<size_t>(1, kGrain / extent_);
    frame.threads.parallel_ranges(frame.batch * lines_, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t line = begin; line < end; ++line) {
        const size_t first = line / inner_ * extent_ * inner_ + line % inner_;
        normalize(in + first, out + first);
      }
    });
  }

 private:
  void normalize(const float* in, float* out) const noexcept {
    float largest = in[0];
    for (size_t i = 1; i < extent_; ++i) largest = std::max(largest, in[i * inner_]);
    const auto exponential = [&](size_t i) { return std::exp(static_cast<double>(in[i * inner_]) - largest); };
    double total = 0;
    for (size_t i = 0; i < extent_; ++i) total += exponential(i);
    for (size_t i = 0; i < extent_; ++i) out[i * inner_] = static_cast<float>(exponential(i) / total);
  }

  size_t extent_, inner_ = 1, lines_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_softmax(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  node.require_real(node.input(0), "inputs[0]");
  node.require_real(node.output(0), "outputs[0]");
  node.require_shape(node.output(0), node.input(0).shape, "outputs[0]");
  const uint32_t axis = node.op<file::Softmax>().axis();
  node.require(axis < node.input(0).shape.size(), "axis", "is ", axis, ", the tensor has ", node.input(0).shape.size(),
               " axes");
  return std::make_unique<Softmax>(node, axis);
}

}  // namespace tidbit::internal
