// The U-Net of AskariHemmat et al., "U-Net Fixed-Point Quantization for Medical Image Segmentation", 2019
// (arXiv 1908.01073): four levels of two 3x3 convolutions, bilinear upsampling, concatenation, a sigmoid for each
// pixel.
#include "tools/make/families.h"

namespace tidbit::tools::make {
namespace {

Value two_convolutions(NetworkBuilder& b, const std::string& name, Value x, int64_t channels, bool first = false) {
  for (const char* part : {".conv1", ".conv2"}) {
    const bool edge = first && part == std::string(".conv1");
    x = b.convolution(name + part, x, channels, {.kernel = 3, .padding = 1, .edge = edge});
    x = b.quantize(name + part + ".quant", b.relu(x), Codes::Unsigned);
  }
  return x;
}

/// The upsampled pixels take the scale of the level's own, so that both are codes of one kind.
Value joined(NetworkBuilder& b, const std::string& name, const Value& below, const Value& level,
             const std::string& level_quantizer) {
  const Value larger = b.quantize(name + ".upsampled", b.upsample_bilinear(below), Codes::Unsigned, level_quantizer);
  return b.concatenate({larger, level}, 1);
}

}  // namespace

void build_unet(NetworkBuilder& b, const compiler::Shape& image) {
  const int64_t width = b.wide(64);
  const Value level1 = two_convolutions(b, "down1", b.image(image), width, true);
  const Value level2 = two_convolutions(b, "down2", b.max_pool(level1, {}), 2 * width);
  const Value level3 = two_convolutions(b, "down3", b.max_pool(level2, {}), 4 * width);
  Value x = two_convolutions(b, "bottom", b.max_pool(level3, {}), 4 * width);
  x = two_convolutions(b, "up3", joined(b, "up3", x, level3, "down3.conv2.quant"), 4 * width);
  x = two_convolutions(b, "up2", joined(b, "up2", x, level2, "down2.conv2.quant"), 2 * width);
  x = two_convolutions(b, "up1", joined(b, "up1", x, level1, "down1.conv2.quant"), width);
  const Value logits = b.convolution("head", x, 1, {.kernel = 3, .padding = 1, .batch_norm = false, .edge = true});
  b.output("mask", b.sigmoid(logits));
}

}  // namespace tidbit::tools::make
