// Two real tensors, broadcast.
#include <algorithm>

#include "runtime/ops/broadcast.h"
#include "runtime/ops/real_form.h"
#include "runtime/ops/table.h"
#include "runtime/ops/walk.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // elements worth another thread

class Binary final : public Op {
 public:
  Binary(const NodeReader& node, file::BinaryFunction function, std::span<const int64_t> shape)
      : walk_(shape, {broadcast_strides(node.input(0).shape, shape.size()),
                      broadcast_strides(node.input(1).shape, shape.size())}),
        form_{function, node.input(0).shape, node.input(1).shape, {shape.begin(), shape.end()}},
        elements_{node.input(0).elements(), node.input(1).elements()},
        inputs_{node.input_index(0), node.input_index(1)},
        output_(node.output_index(0)) {}

  std::optional<RealForm> real_form(uint64_t /*most_bytes*/) const override { return RealForm{form_}; }

  void run(const Frame& frame) const noexcept override {
    switch (form_.function) {
      case file::BinaryFunction::Add:
        return each(frame, [](float a, float b) { return a + b; });
      case file::BinaryFunction::Sub:
        return each(frame, [](float a, float b) { return a - b; });
      case file::BinaryFunction::Mul:
        return each(frame, [](float a, float b) { return a * b; });
      case file::BinaryFunction::Div:
        return each(frame, [](float a, float b) { return a / b; });
    }
  }

 private:
  template <class Function>
  void each(const Frame& frame, const Function& f) const noexcept {
    const auto* const a = frame.tensor<const float>(inputs_[0]);
    const auto* const b = frame.tensor<const float>(inputs_[1]);
    auto* const out = frame.tensor<float>(output_);
    const size_t inner = walk_.inner(), outer = walk_.outer();
    const size_t a_step = walk_.inner_stride(0), b_step = walk_.inner_stride(1);
    const size_t grain = std::max<size_t>(1, kGrain / inner);
    frame.threads.parallel_ranges(frame.batch * outer, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; ++i) {
        const size_t sample = i / outer;
        const auto [a_offset, b_offset] = walk_.offsets(i % outer);
        const float* const x = a + sample * elements_[0] + a_offset;
        const float* const y = b + sample * elements_[1] + b_offset;
        for (size_t k = 0; k < inner; ++k) out[i * inner + k] = f(x[k * a_step], y[k * b_step]);
      }
    });
  }

  Walk<2> walk_;
  BinaryForm form_;
  size_t elements_[2];
  size_t inputs_[2];
  size_t output_;
};

}  // namespace

std::unique_ptr<Op> make_binary(const NodeReader& node, const OpOptions&) {
  node.require_arity(2, 1);
  node.require_real(node.input(0), "inputs[0]");
  node.require_real(node.input(1), "inputs[1]");
  node.require_real(node.output(0), "outputs[0]");
  const file::BinaryFunction function = node.op<file::Binary>().function();
  node.require(function <= file::BinaryFunction::MAX, "function", "is unknown: ", static_cast<int>(function));
  const std::vector<int64_t> shape = broadcast(node, node.input(0).shape, node.input(1).shape);
  node.require_shape(node.output(0), shape, "outputs[0]");
  return std::make_unique<Binary>(node, function, shape);
}

}  // namespace tidbit::internal
