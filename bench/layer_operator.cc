#include "bench/layer_operator.h"

#include <algorithm>
#include <cmath>

namespace tidbit::bench {
namespace {

using namespace tidbit::kernels;

constexpr int32_t kTileSums = 4096;  // as in runtime/ops/depthwise_convolution.cc

/// The products of random codes spread over about so much.
double spread_of_sums(const ConvolutionShape& shape, const Grid& weights, const Grid& activations) {
  const double range =
      static_cast<double>(activations.highest() - activations.lowest()) * weights.step * weights.levels();
  return range * std::sqrt(static_cast<double>(shape.depth()));
}

size_t panels(const Float32Kernel& kernel, const ConvolutionShape& shape) {
  return static_cast<size_t>((shape.out_channels + kernel.panel_channels - 1) / kernel.panel_channels);
}

}  // namespace

LayerEpilogue::LayerEpilogue(const ConvolutionShape& shape, const Grid& weights, const Grid& activations) {
  const int32_t levels = activations.levels();
  const double spread = spread_of_sums(shape, weights, activations);
  epilogue_.per_channel = true;
  if (activations.bits <= 2) {
    epilogue_.form = EpilogueForm::Thresholds;
    epilogue_.steps = levels - 1;
    for (int32_t c = 0; c < shape.out_channels; ++c) {
      for (int32_t step = 0; step < levels - 1; ++step) values_.push_back(static_cast<int32_t>(spread * step / 8) + c);
    }
    epilogue_.values = values_.data();
    return;
  }
  epilogue_.highest = levels - 1;
  for (int32_t c = 0; c < shape.out_channels; ++c) {
    const double slope = levels / spread * (1 + c % 7 * 0.01), offset = levels / 2.0 + c % 5;
    lines_.multiplier.push_back(static_cast<float>(slope));
    lines_.offset.push_back(static_cast<float>(offset));
    fixed_.shift.push_back(static_cast<uint8_t>(std::clamp(30 - std::ilogb(slope), 32, 53)));
    fixed_.multiplier.push_back(static_cast<int32_t>(std::ldexp(slope, fixed_.shift.back())));
    fixed_.offset.push_back(static_cast<int64_t>(std::ldexp(offset, fixed_.shift.back())));
  }
  // What the compiler mostly finds for layers of so many codes.
  if (activations.bits > 4) {
    epilogue_.form = EpilogueForm::FixedPoint;
    epilogue_.multiplier = fixed_.multiplier.data();
    epilogue_.offset = fixed_.offset.data();
    epilogue_.shift = fixed_.shift.data();
  } else {
    epilogue_.form = EpilogueForm::Affine32;
    epilogue_.multiplier = lines_.multiplier.data();
    epilogue_.offset = lines_.offset.data();
  }
}

ConvolutionOperator::ConvolutionOperator(const GemmKernel& kernel, const GemmProblem& problem)
    : kernel_(kernel),
      problem_(problem),
      sizes_(kernel.packed_sizes(problem_)),
      tiling_(gemm_tiling(kernel, problem.shape)),
      epilogue_(problem.shape, problem.weights, problem.activations),
      codes_(random_codes(in_elements(problem.shape), problem.activations)),
      out_(out_elements(problem.shape)),
      weights_(sizes_.weights),
      image_(sizes_.image),
      sums_(sizeof(int32_t) * tiling_.pixels * tiling_.channels) {
  const auto weight_codes =
      random_codes(static_cast<size_t>(problem.shape.depth()) * problem.shape.out_channels, problem.weights);
  kernel.pack_weights(problem_, weight_codes.data(), 0, problem.shape.out_channels, weights_.data());
}

void ConvolutionOperator::run(Parts parts) {
  const ConvolutionShape& shape = problem_.shape;
  if (parts.pack) {
    kernel_.pack_image(problem_, codes_.data(), shape.channels, 0, shape.covered_height(), image_.data());
  }
  for (int32_t channel = 0; channel < shape.out_channels; channel += tiling_.channels) {
    for (int32_t pixel = 0; pixel < shape.pixels(); pixel += tiling_.pixels) run_tile(pixel, channel, parts);
  }
}

void ConvolutionOperator::run_tile(int32_t pixel, int32_t channel, Parts parts) {
  const ConvolutionShape& shape = problem_.shape;
  const int32_t pixels = std::min(tiling_.pixels, static_cast<int32_t>(shape.pixels()) - pixel);
  const int32_t channels = std::min(tiling_.channels, shape.out_channels - channel);
  auto* const sums = sums_.as<int32_t>();
  if (parts.multiply) {
    kernel_.run({.problem = &problem_,
                 .weights = weights_.data(),
                 .image = sizes_.image == 0 ? reinterpret_cast<const std::byte*>(codes_.data()) : image_.data(),
                 .pixel_begin = pixel,
                 .pixel_count = pixels,
                 .channel_begin = channel,
                 .channel_count = channels,
                 .sums = sums,
                 .sums_stride = channels,
                 .pixel_stride = shape.channels});
  }
  if (!parts.finish) return;
  apply(epilogue_.get(), EpilogueBlock<int32_t>{.sums = sums,
                                                .sums_stride = channels,
                                                .residual = {},
                                                .out = out_.data() + ptrdiff_t{pixel} * shape.out_channels + channel,
                                                .out_stride = shape.out_channels,
                                                .pixels = pixels,
                                                .channel_begin = channel,
                                                .channels = channels});
}

size_t ConvolutionOperator::bytes() const { return sizes_.weights + codes_.size() + out_.size(); }

DepthwiseOperator::DepthwiseOperator(const DepthwiseProblem& problem)
    : problem_(problem),
      tile_pixels_(std::max(1, kTileSums / problem.shape.channels)),
      epilogue_({.channels = 1, .out_channels = problem.shape.channels, .window = problem.shape.window},
                problem.weights, problem.activations),
      codes_(random_codes(in_elements(problem.shape), problem.activations)),
      out_(out_elements(problem.shape)),
      weights_(static_cast<size_t>(depthwise_weight_bytes(problem))),
      sums_(sizeof(int32_t) * tile_pixels_ * problem.shape.channels) {
  const auto codes =
      random_codes(static_cast<size_t>(problem.shape.window.taps()) * problem.shape.channels, problem.weights);
  pack_depthwise_weights(problem_, codes.data(), weights_.data());
}

void DepthwiseOperator::run() {
  const int32_t channels = problem_.shape.channels, all = static_cast<int32_t>(problem_.shape.pixels());
  for (int32_t pixel = 0; pixel < all; pixel += tile_pixels_) {
    const int32_t pixels = std::min(tile_pixels_, all - pixel);
    auto* const sums = sums_.as<int32_t>();
    depthwise(problem_, codes_.data(), weights_.data(), pixel, pixels, sums);
    apply(epilogue_.get(), EpilogueBlock<int32_t>{.sums = sums,
                                                  .sums_stride = channels,
                                                  .residual = {},
                                                  .out = out_.data() + ptrdiff_t{pixel} * channels,
                                                  .out_stride = channels,
                                                  .pixels = pixels,
                                                  .channel_begin = 0,
                                                  .channels = channels});
  }
}

size_t DepthwiseOperator::bytes() const {
  return static_cast<size_t>(depthwise_weight_bytes(problem_)) + codes_.size() + out_.size();
}

Float32Operator::Float32Operator(const Float32Kernel& kernel, const ConvolutionShape& shape)
    : kernel_(kernel),
      shape_(shape),
      in_(in_elements(shape), 0.5f),
      out_(out_elements(shape)),
      weights_(sizeof(float) * kernel.packed_panel(shape) * panels(kernel, shape)) {
  const size_t depth = static_cast<size_t>(shape.depth()), width = static_cast<size_t>(kernel.panel_channels);
  const std::vector<float> weights(depth * width, 0.01f), biases(width);
  for (size_t panel = 0; panel < panels(kernel, shape); ++panel) {
    const auto channels = static_cast<int32_t>(std::min(width, shape.out_channels - panel * width));
    pack_float32_panel(kernel, shape, weights.data(), biases.data(), channels,
                       weights_.as<float>() + panel * kernel.packed_panel(shape));
  }
}

void Float32Operator::run() {
  const auto pixels = static_cast<int32_t>(shape_.pixels());
  const int32_t strips = (pixels + kernel_.most_pixels - 1) / kernel_.most_pixels,
                strip = (pixels + strips - 1) / strips;
  const auto run_tile = [&](int32_t panel, int32_t pixel) {
    const int32_t channel = panel * kernel_.panel_channels;
    kernel_.run({.shape = &shape_,
                 .in = in_.data(),
                 .pixel_stride = shape_.channels,
                 .panel = weights_.as<float>() + panel * kernel_.packed_panel(shape_),
                 .channel_count = std::min(kernel_.panel_channels, shape_.out_channels - channel),
                 .pixel_begin = pixel,
                 .pixel_count = std::min(strip, pixels - pixel),
                 .lowest = 0,
                 .highest = 6,
                 .out = out_.data() + ptrdiff_t{pixel} * shape_.out_channels + channel,
                 .out_stride = shape_.out_channels});
  };
  const auto count = static_cast<int32_t>(panels(kernel_, shape_));
  // What is larger passes once.
  if (in_.size() < static_cast<size_t>(shape_.depth()) * shape_.out_channels) {
    for (int32_t panel = 0; panel < count; ++panel) {
      for (int32_t pixel = 0; pixel < pixels; pixel += strip) run_tile(panel, pixel);
    }
  } else {
    for (int32_t pixel = 0; pixel < pixels; pixel += strip) {
      for (int32_t panel = 0; panel < count; ++panel) run_tile(panel, pixel);
    }
  }
}

size_t Float32Operator::bytes() const {
  return kernel_.packed_panel(shape_) * panels(kernel_, shape_) * sizeof(float) +
         (in_.size() + out_.size()) * sizeof(float);
}

}  // namespace tidbit::bench
