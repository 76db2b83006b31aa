// Pictures as 8-bit pixels, and as the real values that a model takes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

struct Image {
  int width = 0, height = 0, channels = 0;
  std::vector<uint8_t> pixels;  // [height][width][channels]
};

/// Decodes PNG, JPEG, BMP and what else stb_image reads, as gray (1 channel) or RGB (3). Throws Error.
Image read_image(const std::string& path, int channels);

Image resize(const Image& image, int width, int height);

/// Why images cannot become this input of the model; empty where they can.
std::string why_no_images(const Model& model, const TensorInfo& input);

/// The pixels as real values in the model's layout; `real` has one element a pixel's channel.
void normalise(const Image& image, const ImagePreprocessing& preprocessing, std::span<float> real);

}  // namespace tidbit::tools
