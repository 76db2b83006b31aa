// The sum of two code tensors: the epilogue of a layer whose sums are the first tensor's values.
#include <algorithm>

#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kBlock = 4096;   // int32 values at a time: 16 KiB, which stay in L1 on their way to the epilogue
constexpr size_t kGrain = 65536;  // elements worth another thread

class ResidualAdd final : public Op {
 public:
  explicit ResidualAdd(const NodeReader& node)
      : epilogues_(node, node.op<file::ResidualAdd>().epilogues(), Sums::Integer),
        grid_(grid_of(node.input(0))),
        channels_(channels_of(node.input(0))),
        pixels_(node.input(0).elements() / channels_),
        input_(node.input_index(0)) {}

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override {
    return product({threads, kBlock, sizeof(int32_t)});
  }

  void run(const Frame& frame) const noexcept override {
    const size_t block_channels = std::min(channels_, kBlock), block_pixels = kBlock / block_channels;
    const size_t grain = std::max<size_t>(1, kGrain / channels_);
    frame.threads.parallel_ranges(frame.batch * pixels_, grain, [&](size_t begin, size_t end, size_t thread) {
      auto* const values = reinterpret_cast<int32_t*>(frame.scratch) + thread * kBlock;
      for (size_t pixel = begin; pixel < end; pixel += block_pixels) {
        for (size_t channel = 0; channel < channels_; channel += block_channels) {
          add(frame, values,
              {.sums = values,
               .stride = static_cast<ptrdiff_t>(block_channels),
               .pixel = static_cast<int64_t>(pixel),
               .pixels = static_cast<int32_t>(std::min(block_pixels, end - pixel)),
               .channel = static_cast<int32_t>(channel),
               .channels = static_cast<int32_t>(std::min(block_channels, channels_ - channel))});
        }
      }
    });
  }

 private:
  void add(const Frame& frame, int32_t* values, const SumBlock<int32_t>& block) const noexcept {
    const auto* codes = frame.tensor<const uint8_t>(input_) + static_cast<size_t>(block.pixel) * channels_ +
                        static_cast<size_t>(block.channel);
    for (int32_t pixel = 0; pixel < block.pixels; ++pixel, codes += channels_, values += block.stride) {
      for (int32_t c = 0; c < block.channels; ++c) values[c] = grid_.value(codes[c]);
    }
    epilogues_.apply(frame, block);
  }

  Epilogues epilogues_;
  Grid grid_;
  size_t channels_, pixels_;
  size_t input_;
};

}  // namespace

std::unique_ptr<Op> make_residual_add(const NodeReader& node, const OpOptions&) {
  node.require(node.input_count() == 2, "inputs", "has ", node.input_count(), " tensors, must have 2");
  node.require_codes(node.input(0), "inputs[0]");
  node.require_codes(node.input(1), "inputs[1]");
  for (size_t i = 0; i < node.output_count(); ++i) {
    node.require_shape(node.output(i), node.input(0).shape, text("outputs[", i, "]"));
  }
  return std::make_unique<ResidualAdd>(node);
}

}  // namespace tidbit::internal
