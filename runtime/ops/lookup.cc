// Functions of codes as tables: Dequantize, Lookup, Combine.
#include <algorithm>

#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // elements worth another thread

/// out = table[channel][code], or [code] for all channels.
template <class Out>
class TableLookup final : public Op {
 public:
  TableLookup(const NodeReader& node, std::span<const Out> table)
      : table_(table),
        levels_(static_cast<size_t>(grid_of(node.input(0)).levels())),
        channels_(channels_of(node.input(0))),
        pixels_(node.input(0).elements() / channels_),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const size_t channel_step = table_.size() > levels_ ? levels_ : 0;
    const auto* const in = frame.tensor<const uint8_t>(input_);
    auto* const out = frame.tensor<Out>(output_);
    const size_t grain = std::max<size_t>(1, kGrain / channels_);
    frame.threads.parallel_ranges(frame.batch * pixels_, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin * channels_; i < end * channels_; i += channels_) {
        for (size_t c = 0; c < channels_; ++c) out[i + c] = table_[c * channel_step + in[i + c]];
      }
    });
  }

 private:
  std::span<const Out> table_;
  size_t levels_, channels_, pixels_;
  size_t input_, output_;
};

/// out = table[code of the first][code of the second].
class Combine final : public Op {
 public:
  Combine(const NodeReader& node, std::span<const uint8_t> table)
      : table_(table),
        second_levels_(static_cast<size_t>(grid_of(node.input(1)).levels())),
        elements_(node.input(0).elements()),
        inputs_{node.input_index(0), node.input_index(1)},
        output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const auto* const a = frame.tensor<const uint8_t>(inputs_[0]);
    const auto* const b = frame.tensor<const uint8_t>(inputs_[1]);
    auto* const out = frame.tensor<uint8_t>(output_);
    frame.threads.parallel_ranges(frame.batch * elements_, kGrain, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; ++i) out[i] = table_[a[i] * second_levels_ + b[i]];
    });
  }

 private:
  std::span<const uint8_t> table_;
  size_t second_levels_;
  size_t elements_;
  size_t inputs_[2];
  size_t output_;
};

uint64_t levels(const TensorInfo& tensor) { return static_cast<uint64_t>(grid_of(tensor).levels()); }

void require_codes_below(const NodeReader& node, std::span<const uint8_t> table, const TensorInfo& output) {
  node.require(std::ranges::all_of(table, [&](uint8_t code) { return code < levels(output); }), "codes",
               "has a code beyond the output's ", levels(output));
}

void require_elementwise(const NodeReader& node, size_t inputs) {
  node.require_arity(inputs, 1);
  for (size_t i = 0; i < inputs; ++i) node.require_codes(node.input(i), text("inputs[", i, "]"));
  for (size_t i = 1; i < inputs; ++i) node.require_shape(node.input(i), node.input(0).shape, text("inputs[", i, "]"));
  node.require_shape(node.output(0), node.input(0).shape, "outputs[0]");
}

}  // namespace

std::unique_ptr<Op> make_dequantize(const NodeReader& node, const OpOptions&) {
  require_elementwise(node, 1);
  node.require_real(node.output(0), "outputs[0]");
  const TensorInfo& in = node.input(0);
  return std::make_unique<TableLookup<float>>(
      node, node.per_channel<float>(node.op<file::Dequantize>().values(), "values", channels_of(in), levels(in)));
}

std::unique_ptr<Op> make_lookup(const NodeReader& node, const OpOptions&) {
  require_elementwise(node, 1);
  node.require_codes(node.output(0), "outputs[0]");
  const TensorInfo& in = node.input(0);
  const auto table = node.per_channel<uint8_t>(node.op<file::Lookup>().codes(), "codes", channels_of(in), levels(in));
  require_codes_below(node, table, node.output(0));
  return std::make_unique<TableLookup<uint8_t>>(node, table);
}

std::unique_ptr<Op> make_combine(const NodeReader& node, const OpOptions&) {
  require_elementwise(node, 2);
  node.require_codes(node.output(0), "outputs[0]");
  const auto table =
      node.array<uint8_t>(node.op<file::Combine>().codes(), "codes", levels(node.input(0)) * levels(node.input(1)));
  require_codes_below(node, table, node.output(0));
  return std::make_unique<Combine>(node, table);
}

}  // namespace tidbit::internal
