// A detector after YOLOv3-tiny (Redmon, Farhadi, "YOLOv3: An Incremental Improvement", 2018): leaky ReLUs, two heads of
// which the finer one joins an upsampled route, and boxes decoded as in YOLOv5.
#include "tools/make/families.h"

namespace tidbit::tools::make {
namespace {

constexpr int64_t kAnchors = 3, kClasses = 80, kNumbers = 5 + kClasses;  // x, y, width, height, objectness

Value layer(NetworkBuilder& b, const std::string& name, const Value& x, int64_t channels, int64_t kernel,
            bool edge = false) {
  const Value y = b.convolution(name, x, channels, {.kernel = kernel, .padding = kernel / 2, .edge = edge});
  return b.quantize(name + ".quant", b.leaky_relu(y, 0.1), Codes::Signed);
}

/// Boxes [N, anchors*H*W, numbers] in pixels, from s = sigmoid(prediction): the centre is (2s - 0.5 + cell)*stride, the
/// size (2s)^2*anchor.
Value decode(NetworkBuilder& b, const std::string& name, const Value& head, float stride,
             std::span<const float> anchors) {
  const int64_t images = head.shape[0], height = head.shape[2], width = head.shape[3], cells = height * width;
  const Value split = b.reshape(head, {images, kAnchors, kNumbers, cells});
  const Value s = b.sigmoid(b.transpose(split, {0, 1, 3, 2}));
  std::vector<float> corner;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      corner.push_back(stride * (static_cast<float>(x) - 0.5f));
      corner.push_back(stride * (static_cast<float>(y) - 0.5f));
    }
  }
  std::vector<float> size(anchors.begin(), anchors.end());
  for (float& extent : size) extent *= 4;
  const float twice_stride = 2 * stride;
  const Value centre = b.combine(
      "Add",
      b.combine("Mul", b.slice(s, 3, 0, 2), b.constant(name + ".stride", {}, std::span<const float>(&twice_stride, 1))),
      b.constant(name + ".corner", {1, 1, cells, 2}, corner));
  const Value root = b.slice(s, 3, 2, 4);
  const Value extent =
      b.combine("Mul", b.combine("Mul", root, root), b.constant(name + ".anchor", {1, kAnchors, 1, 2}, size));
  return b.reshape(b.concatenate({centre, extent, b.slice(s, 3, 4, kNumbers)}, 3),
                   {images, kAnchors * cells, kNumbers});
}

Value head(NetworkBuilder& b, const std::string& name, const Value& x, int64_t channels) {
  const Value y = layer(b, name + ".conv", x, channels, 3);
  return b.convolution(name, y, kAnchors * kNumbers, {.batch_norm = false, .edge = true});
}

}  // namespace

void build_yolo(NetworkBuilder& b, const compiler::Shape& image) {
  constexpr float kCoarse[] = {81, 82, 135, 169, 344, 319}, kFine[] = {10, 14, 23, 27, 37, 58};
  Value x = layer(b, "conv1", b.image(image), b.wide(16), 3, true), route;
  int64_t channels = 16;
  for (int i = 2; i <= 6; ++i) {
    channels *= 2;
    const std::string name = "conv" + std::to_string(i);
    x = layer(b, name, b.max_pool(x, {}), b.wide(channels), 3);
    if (i == 5) route = x;  // of stride 16
  }
  x = layer(b, "conv8", layer(b, "conv7", x, b.wide(1024), 3), b.wide(256), 1);
  const Value coarse = head(b, "coarse", x, b.wide(512));
  const Value up = b.convolution("up", x, b.wide(128), {});
  const Value larger = b.upsample_nearest(b.quantize("up.quant", b.leaky_relu(up, 0.1), Codes::Signed, "conv5.quant"));
  const Value fine = head(b, "fine", b.concatenate({larger, route}, 1), b.wide(256));
  b.output("boxes", b.concatenate({decode(b, "coarse", coarse, 32, kCoarse), decode(b, "fine", fine, 16, kFine)}, 1));
}

}  // namespace tidbit::tools::make
