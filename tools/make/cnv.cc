// CNV (Umuroglu et al., "FINN", 2017): after VGG, without padding, made for 1 and 2 bits: activations are signed, one
// bit is -1 and 1.
#include "tools/make/families.h"

namespace tidbit::tools::make {

void build_cnv(NetworkBuilder& b, const compiler::Shape& image) {
  constexpr int64_t kWidths[] = {64, 128, 256};
  Value x = b.image(image);
  for (size_t stage = 0; stage < std::size(kWidths); ++stage) {
    for (int i = 1; i <= 2; ++i) {
      const std::string name = "conv" + std::to_string(stage + 1) + "_" + std::to_string(i);
      x = b.convolution(name, x, b.wide(kWidths[stage]), {.kernel = 3, .edge = stage == 0 && i == 1});
      x = b.quantize(name + ".quant", x, Codes::Signed);
    }
    if (stage + 1 < std::size(kWidths)) x = b.max_pool(x, {});
  }
  x = b.flatten(x);
  for (const char* name : {"fc1", "fc2"}) {
    x = b.quantize(std::string(name) + ".quant", b.linear(name, x, b.wide(512)), Codes::Signed);
  }
  b.output("scores", b.linear("fc3", x, 10, {.batch_norm = false, .edge = true}));
}

}  // namespace tidbit::tools::make
