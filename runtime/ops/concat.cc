// Tensors one behind the other along an axis, of codes or reals.
#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // bytes worth another thread

class Concat final : public Op {
 public:
  Concat(const NodeReader& node, size_t axis) : output_(node.output_index(0)) {
    const TensorInfo& out = node.output(0);
    for (size_t i = 0; i < axis; ++i) outer_ *= static_cast<size_t>(out.shape[i]);
    for (size_t i = 0; i < node.input_count(); ++i) {
      parts_.push_back({node.input_index(i), tensor_bytes(node.input(i)) / outer_});
    }
  }

  void run(const Frame& frame) const noexcept override {
    size_t stretch = 0;
    for (const Part& part : parts_) stretch += part.bytes;
    const size_t grain = std::max<size_t>(1, kGrain / stretch);
    frame.threads.parallel_ranges(frame.batch * outer_, grain, [&](size_t begin, size_t end, size_t) {
      std::byte* out = frame.tensor<std::byte>(output_) + begin * stretch;
      for (size_t i = begin; i < end; ++i) {
        for (const Part& part : parts_) {
          std::memcpy(out, frame.tensor<const std::byte>(part.input) + i * part.bytes, part.bytes);
          out += part.bytes;
        }
      }
    });
  }

 private:
  /// What an input gives to each stretch of the output.
  struct Part {
    size_t input;
    size_t bytes;
  };

  std::vector<Part> parts_;
  size_t outer_ = 1;
  size_t output_;
};

}  // namespace

std::unique_ptr<Op> make_concat(const NodeReader& node, const OpOptions&) {
  node.require(node.input_count() >= 1, "inputs", "has no tensor");
  node.require_arity(node.input_count(), 1);
  const uint32_t axis = node.op<file::Concat>().axis();
  std::vector<int64_t> shape = node.input(0).shape;
  node.require(axis < shape.size(), "axis", "is ", axis, ", the tensors have ", shape.size(), " axes");
  int64_t extent = 0;
  for (size_t i = 0; i < node.input_count(); ++i) {
    const TensorInfo& in = node.input(i);
    node.require_same_elements(in, node.output(0), text("inputs[", i, "]"));
    shape[axis] = axis < in.shape.size() ? in.shape[axis] : 0;
    node.require_shape(in, shape, text("inputs[", i, "]"));
    extent += in.shape[axis];
  }
  shape[axis] = extent;
  node.require_shape(node.output(0), shape, "outputs[0]");
  return std::make_unique<Concat>(node, axis);
}

}  // namespace tidbit::internal
