#include "tools/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stb/stb_image_write.h>

#include "tests/tools/scratch.h"
#include "tools/error.h"

namespace tidbit::tools {
namespace {

using test::Scratch;
using testing::ElementsAre;
using testing::Pointwise;

/// Binary PPM: 2x1 pixels, red and (1, 2, 3).
const std::string kPixels("P6 2 1 255\n\xff\0\0\1\2\3", 17);

Image pixels(const Scratch& scratch, int channels) {
  test::write(scratch / "a.ppm", kPixels);
  return read_image(scratch / "a.ppm", channels);
}

TEST(Image, DecodesRgbAndGray) {
  const Scratch scratch;
  const Image image = pixels(scratch, 3);
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 1);
  EXPECT_THAT(image.pixels, ElementsAre(255, 0, 0, 1, 2, 3));
  EXPECT_EQ(pixels(scratch, 1).pixels.size(), 2u);
}

TEST(Image, WhatIsNoImageIsRefused) {
  const Scratch scratch;
  test::write(scratch / "a.png", "not an image");
  EXPECT_THROW(read_image(scratch / "a.png", 3), Error);
  EXPECT_THROW(read_image(scratch / "none.png", 3), Error);

  const std::vector<uint8_t> noise = {1, 200, 3, 99, 5, 180, 7, 250, 9, 17, 11, 130};
  ASSERT_TRUE(stbi_write_png((scratch / "b.png").c_str(), 4, 3, 1, noise.data(), 4));
  EXPECT_EQ(read_image(scratch / "b.png", 1).pixels, noise);
  const std::string png = test::read(scratch / "b.png");
  test::write(scratch / "c.png", png.substr(0, png.size() / 2));
  EXPECT_THROW(read_image(scratch / "c.png", 1), Error);
}

TEST(Image, NormalisesIntoEitherLayout) {
  const Scratch scratch;
  const Image image = pixels(scratch, 3);
  ImagePreprocessing preprocessing{.mean = {0, 0.5f, 1}, .deviation = {1, 2, 4}};
  std::vector<float> real(6);
  normalise(image, preprocessing, real);
  const std::vector<float> planes = {1, 1 / 255.f, -0.25f, (2 / 255.f - 0.5f) / 2, -0.25f, (3 / 255.f - 1) / 4};
  EXPECT_THAT(real, Pointwise(testing::FloatEq(), planes));

  preprocessing.channels_last = true;
  normalise(image, preprocessing, real);
  const std::vector<float> interleaved = {planes[0], planes[2], planes[4], planes[1], planes[3], planes[5]};
  EXPECT_THAT(real, Pointwise(testing::FloatEq(), interleaved));
}

TEST(Image, BgrTakesTheMeanOfTheModelsChannel) {
  const Scratch scratch;
  const Image image = pixels(scratch, 3);
  const ImagePreprocessing preprocessing{
      .channels_last = true, .bgr = true, .mean = {0, 0, 0.5f}, .deviation = {1, 1, 1}};
  std::vector<float> real(6);
  normalise(image, preprocessing, real);
  EXPECT_FLOAT_EQ(real[0], 0);     // blue of the first pixel
  EXPECT_FLOAT_EQ(real[2], 0.5f);  // red, less the mean of channel 2
  EXPECT_FLOAT_EQ(real[3], 3 / 255.f);
}

TEST(Image, ResizesFlatImagesToFlatImages) {
  const Image flat{2, 2, 1, {100, 100, 100, 100}};
  for (int size : {1, 2, 5}) {
    const Image resized = resize(flat, size, size);
    EXPECT_EQ(resized.pixels.size(), static_cast<size_t>(size * size));
    EXPECT_THAT(resized.pixels, testing::Each(100));
  }
}

}  // namespace
}  // namespace tidbit::tools
