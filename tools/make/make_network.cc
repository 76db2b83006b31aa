#include "tools/make/make_network.h"

#include "tools/error.h"
#include "tools/make/calibrate.h"

namespace tidbit::tools::make {
namespace {

constexpr int64_t kCalibrationImages = 8;

void check(const Family& family, const BuilderOptions& options, const compiler::Shape& image) {
  const Precision& precision = options.precision;
  if (options.format == Format::Qdq && (precision.weight_bits != 8 || precision.activation_bits != 8)) {
    fail("{}: QDQ takes 8 bits for weights and activations, not {} and {}", family.name, precision.weight_bits,
         precision.activation_bits);
  }
  constexpr int64_t kMost = 8192;
  for (const int64_t extent : {image[2], image[3]}) {
    if (extent >= family.least && extent <= kMost && extent % family.multiple == 0) continue;
    fail("{}: images of {}x{} do not fit; both must be {} to {}{}", family.name, image[2], image[3], family.least,
         kMost, family.multiple > 1 ? fmt::format(", and multiples of {}", family.multiple) : "");
  }
}

}  // namespace

onnx::ModelProto make_network(const Family& family, const NetworkOptions& options) {
  const int64_t height = options.image_height == 0 ? family.image[1] : options.image_height;
  const int64_t width = options.image_width == 0 ? family.image[2] : options.image_width;
  const compiler::Shape image = {1, family.image[0], height, width};
  check(family, options.builder, image);
  const std::string name(family.name);
  BuilderOptions qonnx = options.builder;
  qonnx.format = Format::Qonnx;
  NetworkBuilder small(name, qonnx);
  family.build(small, {kCalibrationImages, family.image[0], family.least, family.least});
  const Calibration calibration = calibrate(small.finish(), small.scale_rules(), qonnx.seed);

  NetworkBuilder builder(name, options.builder, calibration);
  family.build(builder, image);
  return builder.finish();
}

}  // namespace tidbit::tools::make
