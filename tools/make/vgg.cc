// VGG-16 with batch normalization (Simonyan, Zisserman, "Very Deep Convolutional Networks", 2015, configuration D).
#include "tools/make/families.h"

namespace tidbit::tools::make {

void build_vgg16(NetworkBuilder& b, const compiler::Shape& image) {
  constexpr int64_t kWidths[] = {64, 128, 256, 512, 512};
  constexpr int kLayers[] = {2, 2, 3, 3, 3};
  Value x = b.image(image);
  for (size_t stage = 0; stage < std::size(kWidths); ++stage) {
    for (int i = 1; i <= kLayers[stage]; ++i) {
      const std::string name = "conv" + std::to_string(stage + 1) + "_" + std::to_string(i);
      x = b.convolution(name, x, b.wide(kWidths[stage]), {.kernel = 3, .padding = 1, .edge = stage == 0 && i == 1});
      x = b.quantize(name + ".quant", b.relu(x), Codes::Unsigned);
    }
    x = b.max_pool(x, {});
  }
  x = b.flatten(x);
  for (const char* name : {"fc6", "fc7"}) {
    x = b.quantize(std::string(name) + ".quant", b.relu(b.linear(name, x, b.wide(4096))), Codes::Unsigned);
  }
  b.output("scores", b.linear("fc8", x, 1000, {.batch_norm = false, .edge = true}));
}

}  // namespace tidbit::tools::make
