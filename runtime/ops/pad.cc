// A tensor in a frame of one value, of codes or reals.
#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/ops/table.h"
#include "runtime/ops/walk.h"

namespace tidbit::internal {
namespace {

template <class T>
class Pad final : public Op {
 public:
  Pad(const NodeReader& node, size_t first, float value)
      : walk_(node.input(0).shape, {inside_strides(node)}),
        first_(first),
        value_(static_cast<T>(value)),
        out_elements_(node.output(0).elements()),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const auto* in = frame.tensor<const T>(input_);
    auto* const out = frame.tensor<T>(output_);
    std::fill_n(out, frame.batch * out_elements_, value_);
    const size_t inner = walk_.inner(), outer = walk_.outer(), step = walk_.inner_stride(0);
    for (size_t i = 0; i < frame.batch * outer; ++i, in += inner) {
      T* const to = out + i / outer * out_elements_ + first_ + walk_.offsets(i % outer)[0];
      for (size_t k = 0; k < inner; ++k) to[k * step] = in[k];
    }
  }

 private:
  /// The output's strides: the input is walked inside it.
  static Strides inside_strides(const NodeReader& node) {
    return broadcast_strides(node.output(0).shape, node.output(0).shape.size());
  }

  Walk<1> walk_;
  size_t first_;  // where the input begins in the output
  T value_;
  size_t out_elements_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_pad(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  const TensorInfo &in = node.input(0), &out = node.output(0);
  node.require_same_elements(in, out, "outputs[0]");
  const file::Pad& table = node.op<file::Pad>();
  std::vector<int64_t> shape = in.shape;
  const auto axes = [](const auto* pads) { return pads == nullptr ? size_t{0} : size_t{pads->size()}; };
  node.require(axes(table.before()) == shape.size(), "before", "has ", axes(table.before()), " axes, the input ",
               shape.size());
  node.require(axes(table.after()) == shape.size(), "after", "has ", axes(table.after()), " axes, the input ",
               shape.size());
  for (flatbuffers::uoffset_t i = 0; i < shape.size(); ++i) {
    shape[i] += int64_t{table.before()->Get(i)} + table.after()->Get(i);
  }
  node.require_shape(out, shape, "outputs[0]");

  const Strides strides = broadcast_strides(out.shape, shape.size());
  size_t first = 0;
  for (flatbuffers::uoffset_t i = 0; i < shape.size(); ++i) first += table.before()->Get(i) * strides[i];
  const float value = table.value();
  if (in.is_real) return std::make_unique<Pad<float>>(node, first, value);
  node.require(value >= 0 && value < static_cast<float>(grid_of(out).levels()) && value == std::floor(value), "value",
               "is no code of the tensor");
  return std::make_unique<Pad<uint8_t>>(node, first, value);
}

}  // namespace tidbit::internal
