// PFJet-SSD (Pol et al., "Jet Single Shot Detection", 2021; github.com/AdrianAlan/PF-Jet-SSD, ssd/net.py) as it runs
// inference: a depthwise-separable base with PReLU and padded average pools, L2 normalisation, one 3x3 head each for
// location, class and momentum, boxes of one size, and non-maximum suppression. Two bits are ternary, as it was
// trained.
#include <cmath>

#include "tools/make/families.h"

namespace tidbit::tools::make {
namespace {

constexpr int64_t kClasses = 3;    // besides the background
constexpr float kObjectSize = 46;  // pixels
constexpr float kVariance = 0.1f;  // of SSD's locations
constexpr int64_t kMostPerClass = 100;
constexpr float kOverlap = 0.25f, kLeastScore = 0.01f;

Value activate(NetworkBuilder& b, const std::string& name, const Value& x) {
  return b.quantize(name + ".quant", b.prelu(name + ".prelu", x), Codes::Signed);
}

Value separable(NetworkBuilder& b, const std::string& name, Value x, int64_t channels) {
  x = b.convolution(name + ".depthwise", x, x.shape[1],
                    {.kernel = 3, .padding = 1, .groups = x.shape[1], .ternary = true});
  x = activate(b, name + ".depthwise", x);
  return activate(b, name + ".pointwise", b.convolution(name + ".pointwise", x, channels, {.ternary = true}));
}

/// A head's [N, C, H, W] as [N, H*W, C].
Value by_location(NetworkBuilder& b, const std::string& name, const Value& features, int64_t channels) {
  const LayerOptions options = {.kernel = 3, .padding = 1, .batch_norm = false, .edge = true};
  const Value head = b.convolution(name, features, channels, options);
  const int64_t images = head.shape[0], locations = head.shape[2] * head.shape[3];
  return b.reshape(b.transpose(head, {0, 2, 3, 1}), {images, locations, channels});
}

/// Corners [N, boxes, 4]: the prior boxes, one a location and all of one size, moved by the location's prediction.
Value corners(NetworkBuilder& b, const Value& moves, const compiler::Shape& image, const compiler::Shape& features) {
  const float height = kObjectSize / static_cast<float>(image[2]), width = kObjectSize / static_cast<float>(image[3]);
  const float sides[] = {kVariance * height, kVariance * width, kVariance * height, kVariance * width};
  std::vector<float> priors;
  for (int64_t y = 0; y < features[2]; ++y) {
    for (int64_t x = 0; x < features[3]; ++x) {
      const float center_y = (static_cast<float>(y) + 0.5f) / static_cast<float>(features[2]);
      const float center_x = (static_cast<float>(x) + 0.5f) / static_cast<float>(features[3]);
      priors.insert(priors.end(), {center_y - height / 2, center_x - width / 2,  //
                                   center_y + height / 2, center_x + width / 2});
    }
  }
  const Value moved = b.combine("Mul", b.concatenate({moves, moves}, 2), b.constant("boxes.sides", {4}, sides));
  return b.combine("Add", moved, b.constant("boxes.priors", {1, features[2] * features[3], 4}, priors));
}

}  // namespace

void build_pfjet_ssd(NetworkBuilder& b, const compiler::Shape& image) {
  constexpr WindowOptions kPool = {.padding = 1};
  Value x = b.convolution("stem", b.image(image), b.wide(32), {.kernel = 3, .padding = 1, .edge = true});
  x = activate(b, "stem", x);
  int block = 0;
  for (const auto& stage : {std::vector<int64_t>{64, 128, 128}, {256, 512, 512}, {512, 512}}) {
    x = b.average_pool(x, kPool);
    x = b.quantize("pool" + std::to_string(block) + ".quant", x, Codes::Signed);
    for (const int64_t channels : stage) x = separable(b, "block" + std::to_string(++block), x, b.wide(channels));
  }
  const float gain = 20 * std::sqrt(static_cast<float>(x.shape[1]) / 512);
  const Value features = b.quantize_to("l2norm.quant", b.l2_normalize(x, gain), Codes::Signed, 8);
  const Value moves = by_location(b, "location", features, 2);
  const Value scores = b.softmax(by_location(b, "class", features, 1 + kClasses));
  const Value boxes = corners(b, moves, image, features.shape);
  const Value of_classes = b.slice(b.transpose(scores, {0, 2, 1}), 1, 1, 1 + kClasses);
  b.output("boxes", boxes);
  b.output("scores", of_classes);
  b.output("momenta", by_location(b, "momentum", features, 1));
  b.output_indices("selected", b.select_boxes(boxes, of_classes, kMostPerClass, kOverlap, kLeastScore));
}

}  // namespace tidbit::tools::make
