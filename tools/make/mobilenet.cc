// MobileNetV1 (Howard et al., "MobileNets", 2017) at full width.
#include "tools/make/families.h"

namespace tidbit::tools::make {

void build_mobilenet_v1(NetworkBuilder& b, const compiler::Shape& image) {
  struct Block {
    int64_t channels, stride;
  };
  constexpr Block kBlocks[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                               {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  const auto activate = [&](const std::string& name, const Value& x) {
    return b.quantize(name + ".quant", b.relu(x), Codes::Unsigned);
  };
  Value x = b.convolution("stem", b.image(image), b.wide(32), {.kernel = 3, .stride = 2, .padding = 1, .edge = true});
  x = activate("stem", x);
  for (size_t i = 0; i < std::size(kBlocks); ++i) {
    const std::string name = "block" + std::to_string(i + 1);
    const int64_t channels = x.shape[1];
    x = b.convolution(name + ".depthwise", x, channels,
                      {.kernel = 3, .stride = kBlocks[i].stride, .padding = 1, .groups = channels});
    x = activate(name + ".depthwise", x);
    x = activate(name + ".pointwise", b.convolution(name + ".pointwise", x, b.wide(kBlocks[i].channels), {}));
  }
  x = b.quantize_to("pool.quant", b.flatten(b.global_average_pool(x)), Codes::Unsigned, 8);
  b.output("scores", b.linear("classifier", x, 1000, {.batch_norm = false, .edge = true}));
}

}  // namespace tidbit::tools::make
