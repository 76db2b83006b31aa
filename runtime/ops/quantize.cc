// Reals to codes.
#include <algorithm>

#include "runtime/ops/epilogues.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kBlock = 16384;   // values quantized at a time
constexpr size_t kGrain = kBlock;  // values worth another thread

class Quantize final : public Op {
 public:
  explicit Quantize(const NodeReader& node)
      : epilogues_(node, node.op<file::Quantize>().epilogue(), Sums::Real),
        channels_(channels_of(node.input(0))),
        pixels_(node.input(0).elements() / channels_),
        input_(node.input_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const size_t grain = std::max<size_t>(1, kGrain / channels_);
    frame.threads.parallel_ranges(frame.batch * pixels_, grain, [&](size_t begin, size_t end, size_t) {
      const size_t block_channels = std::min(channels_, kBlock), block_pixels = kBlock / block_channels;
      for (size_t pixel = begin; pixel < end; pixel += block_pixels) {
        for (size_t channel = 0; channel < channels_; channel += block_channels) {
          quantize(frame, pixel, std::min(block_pixels, end - pixel), channel,
                   std::min(block_channels, channels_ - channel));
        }
      }
    });
  }

 private:
  void quantize(const Frame& frame, size_t pixel, size_t pixels, size_t channel, size_t channels) const noexcept {
    const float* const in = frame.tensor<const float>(input_) + pixel * channels_ + channel;
    epilogues_.apply(frame, SumBlock<float>{.sums = in,
                                            .stride = static_cast<ptrdiff_t>(channels_),
                                            .pixel = static_cast<int64_t>(pixel),
                                            .pixels = static_cast<int32_t>(pixels),
                                            .channel = static_cast<int32_t>(channel),
                                            .channels = static_cast<int32_t>(channels)});
  }

  Epilogues epilogues_;
  size_t channels_, pixels_;
  size_t input_;
};

}  // namespace

std::unique_ptr<Op> make_quantize(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  node.require_real(node.input(0), "inputs[0]");
  node.require_codes(node.output(0), "outputs[0]");
  node.require_shape(node.output(0), node.input(0).shape, "outputs[0]");
  return std::make_unique<Quantize>(node);
}

}  // namespace tidbit::internal
