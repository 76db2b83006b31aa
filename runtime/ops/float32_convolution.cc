#include "runtime/ops/float32_convolution.h"

#include <algorithm>
#include <vector>

#include "runtime/sizes.h"

namespace tidbit::internal {

bool Float32Convolution::fits(const Geometry& geometry) {
  const kernels::Float32Kernel* const kernel = kernels::float32_kernel();
  const kernels::ConvolutionShape group = geometry.group_shape();
  return kernel != nullptr && 2 * group.out_channels > kernel->panel_channels &&
         group.depth() <= INT32_MAX / kernel->panel_channels;  // kernels count so many in int32
}

Float32Convolution::Float32Convolution(const Geometry& geometry, float lowest, float highest)
    : kernel_(kernels::float32_kernel()), geometry_(geometry), lowest_(lowest), highest_(highest) {}

uint64_t Float32Convolution::panels() const {
  const auto channels = static_cast<uint64_t>(geometry_.group_shape().out_channels);
  return round_up(channels, static_cast<uint64_t>(kernel_->panel_channels)) /
         static_cast<uint64_t>(kernel_->panel_channels);
}

uint64_t Float32Convolution::packed_bytes() const {
  return product({static_cast<uint64_t>(geometry_.groups), panels(),
                  uint64_t{kernel_->packed_panel(geometry_.group_shape())}, sizeof(float)});
}

void Float32Convolution::pack(const Rows& rows) {
  packed_ = AlignedBuffer(static_cast<size_t>(packed_bytes()));
  const kernels::ConvolutionShape shape = geometry_.group_shape();
  const auto width = static_cast<size_t>(kernel_->panel_channels), group_rows = static_cast<size_t>(shape.out_channels);
  std::vector<float> weights(static_cast<size_t>(shape.depth()) * width), biases(width);
  auto* to = reinterpret_cast<float*>(packed_.data());
  for (size_t group = 0; group < static_cast<size_t>(geometry_.groups); ++group) {
    for (size_t row = 0; row < group_rows; row += width, to += kernel_->packed_panel(shape)) {
      const size_t count = std::min(width, group_rows - row);
      rows(group * group_rows + row, count, weights.data(), biases.data());
      kernels::pack_float32_panel(*kernel_, shape, weights.data(), biases.data(), static_cast<int32_t>(count), to);
    }
  }
}

void Float32Convolution::run(const Frame& frame, size_t input, size_t output) const noexcept {
  const Geometry geometry = geometry_.of_batch(frame.batch);
  const kernels::ConvolutionShape shape = geometry.group_shape();
  const auto *const in = frame.tensor<const float>(input), *const packed = reinterpret_cast<float*>(packed_.data());
  auto* const out = frame.tensor<float>(output);
  const int64_t pixels = shape.pixels(), strips = (pixels + kernel_->most_pixels - 1) / kernel_->most_pixels;
  const int64_t strip = (pixels + strips - 1) / strips, of_group = static_cast<int64_t>(panels());
  // What is larger, the weights or the image, is read once.
  const bool weights_once = shape.depth() * shape.out_channels > geometry.in_elements();
  const auto tiles = static_cast<size_t>(strips * of_group);
  const size_t parts = static_cast<size_t>(geometry.images) * static_cast<size_t>(geometry.groups);
  frame.threads.parallel_for(parts * tiles, [&](size_t index, size_t) {
    const auto part = static_cast<int64_t>(index / tiles), tile = static_cast<int64_t>(index % tiles);
    const int64_t image = part / geometry.groups, group = part % geometry.groups;
    const int64_t panel = weights_once ? tile / strips : tile % of_group;
    const int64_t pixel = (weights_once ? tile % strips : tile / of_group) * strip;
    const int64_t of_panel = panel * kernel_->panel_channels, channel = group * shape.out_channels + of_panel;
    kernel_->run({.shape = &shape,
                  .in = in + image * geometry.in_elements() + group * shape.channels,
                  .pixel_stride = geometry.shape.channels,
                  .panel = packed + static_cast<size_t>(group * of_group + panel) * kernel_->packed_panel(shape),
                  .channel_count =
                      static_cast<int32_t>(std::min<int64_t>(kernel_->panel_channels, shape.out_channels - of_panel)),
                  .pixel_begin = static_cast<int32_t>(pixel),
                  .pixel_count = static_cast<int32_t>(std::min(strip, pixels - pixel)),
                  .lowest = lowest_,
                  .highest = highest_,
                  .out = out + (image * pixels + pixel) * geometry.shape.out_channels + channel,
                  .out_stride = geometry.shape.out_channels});
  });
}

}  // namespace tidbit::internal
