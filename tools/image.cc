#include "tools/image.h"

#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>

#include <memory>
#include <utility>

#include "tools/error.h"
#include "tools/npy.h"

namespace tidbit::tools {

Image read_image(const std::string& path, int channels) {
  int width = 0, height = 0, found = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load(path.c_str(), &width, &height, &found, channels), stbi_image_free);
  if (!pixels) fail("{}: no image that can be read ({}): name a PNG or JPEG file", path, stbi_failure_reason());
  const size_t bytes = static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  return {width, height, channels, {pixels.get(), pixels.get() + bytes}};
}

Image resize(const Image& image, int width, int height) {
  Image resized{width, height, image.channels, {}};
  resized.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(image.channels));
  if (!stbir_resize_uint8(image.pixels.data(), image.width, image.height, 0, resized.pixels.data(), width, height, 0,
                          image.channels)) {
    fail("no memory to resize an image of {}x{} pixels to {}x{}: resize it first", image.width, image.height, width,
         height);
  }
  return resized;
}

std::string why_no_images(const Model& model, const TensorInfo& input) {
  const auto& preprocessing = model.preprocessing();
  if (!preprocessing) {
    return fmt::format("the model does not say how pixels become input '{}': compile it with --mean and --std",
                       input.name);
  }
  const size_t channels = preprocessing->mean.size();
  const size_t axis = preprocessing->channels_last ? 3 : 1;
  const bool fits = input.shape.size() == 4 && input.shape[axis] == static_cast<int64_t>(channels) &&
                    preprocessing->deviation.size() == channels;
  if (fits && (channels == 1 || channels == 3)) return "";
  return fmt::format(
      "input '{}' is {}, no {} image of the {} channels that --mean and --std have: compile with 1 for gray or 3 for "
      "RGB",
      input.name, to_string(input.shape), preprocessing->channels_last ? "NHWC" : "NCHW", channels);
}

void normalise(const Image& image, const ImagePreprocessing& preprocessing, std::span<float> real) {
  const auto channels = static_cast<size_t>(image.channels);
  const size_t count = image.pixels.size() / channels;
  for (size_t pixel = 0; pixel < count; ++pixel) {
    for (size_t channel = 0; channel < channels; ++channel) {
      const size_t from = preprocessing.bgr ? channels - 1 - channel : channel;
      const size_t to = preprocessing.channels_last ? pixel * channels + channel : channel * count + pixel;
      const float unit = static_cast<float>(image.pixels[pixel * channels + from]) / 255.0f;
      real[to] = (unit - preprocessing.mean[channel]) / preprocessing.deviation[channel];
    }
  }
}

}  // namespace tidbit::tools
