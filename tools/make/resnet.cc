// ResNets (He et al., "Deep Residual Learning for Image Recognition", 2016). The skip is the block's quantized input,
// as in integer networks; where a convolution brings it to shape, its result has 8 bits.
#include "tools/make/families.h"

namespace tidbit::tools::make {
namespace {

constexpr double kBranchGain = 0.5;  // of the last convolution of a block: sums stay about as large as their skip

/// The skip, in the shape of the sum.
Value skip(NetworkBuilder& b, const std::string& name, const Value& x, int64_t channels, int64_t stride) {
  if (x.shape[1] == channels && stride == 1) return x;
  const Value shaped = b.convolution(name + ".skip", x, channels, {.stride = stride});
  return b.quantize_to(name + ".skip_quant", shaped, Codes::Signed, 8);
}

Value activate(NetworkBuilder& b, const std::string& name, const Value& x) {
  return b.quantize(name, b.relu(x), Codes::Unsigned);
}

/// Two 3x3 convolutions.
Value basic_block(NetworkBuilder& b, const std::string& name, const Value& x, int64_t width, int64_t stride) {
  Value y = b.convolution(name + ".conv1", x, width, {.kernel = 3, .stride = stride, .padding = 1});
  y = activate(b, name + ".quant1", y);
  y = b.convolution(name + ".conv2", y, width, {.kernel = 3, .padding = 1, .gain = kBranchGain});
  return activate(b, name + ".quant2", b.add(y, skip(b, name, x, width, stride)));
}

/// 1x1, 3x3 and 1x1 convolutions, four times as wide at the end.
Value bottleneck(NetworkBuilder& b, const std::string& name, const Value& x, int64_t width, int64_t stride) {
  constexpr int64_t kExpansion = 4;
  Value y = activate(b, name + ".quant1", b.convolution(name + ".conv1", x, width, {}));
  y = b.convolution(name + ".conv2", y, width, {.kernel = 3, .stride = stride, .padding = 1});
  y = activate(b, name + ".quant2", y);
  y = b.convolution(name + ".conv3", y, kExpansion * width, {.gain = kBranchGain});
  return activate(b, name + ".quant3", b.add(y, skip(b, name, x, kExpansion * width, stride)));
}

template <class Block>
void build(NetworkBuilder& b, const compiler::Shape& image, const int (&blocks)[4], const Block& block) {
  Value x = b.convolution("stem", b.image(image), b.wide(64), {.kernel = 7, .stride = 2, .padding = 3, .edge = true});
  x = b.max_pool(activate(b, "stem.quant", x), {.kernel = 3, .stride = 2, .padding = 1});
  int64_t width = b.wide(64);
  for (int stage = 1; stage <= 4; ++stage, width *= 2) {
    for (int i = 0; i < blocks[stage - 1]; ++i) {
      const std::string name = "stage" + std::to_string(stage) + ".block" + std::to_string(i + 1);
      x = block(b, name, x, width, stage > 1 && i == 0 ? 2 : 1);
    }
  }
  x = b.quantize_to("pool.quant", b.flatten(b.global_average_pool(x)), Codes::Unsigned, 8);
  b.output("scores", b.linear("classifier", x, 1000, {.batch_norm = false, .edge = true}));
}

}  // namespace

void build_resnet18(NetworkBuilder& b, const compiler::Shape& image) { build(b, image, {2, 2, 2, 2}, basic_block); }
void build_resnet50(NetworkBuilder& b, const compiler::Shape& image) { build(b, image, {3, 4, 6, 3}, bottleneck); }

}  // namespace tidbit::tools::make
