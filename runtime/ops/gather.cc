// Elements picked along an axis, of codes or reals.
#include <algorithm>
#include <cstring>

#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // bytes worth another thread

class Gather final : public Op {
 public:
  Gather(const NodeReader& node, size_t axis, std::span<const uint32_t> indices)
      : indices_(indices), input_(node.input_index(0)), output_(node.output_index(0)) {
    const TensorInfo& in = node.input(0);
    extent_ = static_cast<size_t>(in.shape[axis]);
    for (size_t i = 0; i < axis; ++i) outer_ *= static_cast<size_t>(in.shape[i]);
    inner_bytes_ = tensor_bytes(in) / outer_ / extent_;
  }

  void run(const Frame& frame) const noexcept override {
    const auto* const in = frame.tensor<const std::byte>(input_);
    auto* const out = frame.tensor<std::byte>(output_);
    const size_t grain = std::max<size_t>(1, kGrain / (indices_.size() * inner_bytes_));
    frame.threads.parallel_ranges(frame.batch * outer_, grain, [&](size_t begin, size_t end, size_t) {
      std::byte* to = out + begin * indices_.size() * inner_bytes_;
      for (size_t i = begin; i < end; ++i) {
        const std::byte* const from = in + i * extent_ * inner_bytes_;
        for (size_t k = 0; k < indices_.size();) {
          const size_t count = run_length(k);
          std::memcpy(to, from + indices_[k] * inner_bytes_, count * inner_bytes_);
          to += count * inner_bytes_;
          k += count;
        }
      }
    });
  }

 private:
  /// How many indices from the k-th on are consecutive.
  size_t run_length(size_t k) const noexcept {
    size_t count = 1;
    while (k + count < indices_.size() && indices_[k + count] == indices_[k] + count) ++count;
    return count;
  }

  std::span<const uint32_t> indices_;
  size_t extent_, outer_ = 1, inner_bytes_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_gather(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  const TensorInfo &in = node.input(0), &out = node.output(0);
  node.require_same_elements(in, out, "outputs[0]");
  const file::Gather& table = node.op<file::Gather>();
  const uint32_t axis = table.axis();
  node.require(axis < in.shape.size(), "axis", "is ", axis, ", the tensor has ", in.shape.size(), " axes");
  std::vector<int64_t> shape = in.shape;
  if (out.shape.size() == shape.size()) shape[axis] = out.shape[axis];
  node.require_shape(out, shape, "outputs[0]");
  const auto indices = node.array<uint32_t>(table.indices(), "indices", static_cast<uint64_t>(shape[axis]));
  const int64_t extent = in.shape[axis];
  node.require(std::ranges::all_of(indices, [&](uint32_t index) { return index < extent; }), "indices",
               "has an index beyond the input's ", extent);
  return std::make_unique<Gather>(node, axis, indices);
}

}  // namespace tidbit::internal
