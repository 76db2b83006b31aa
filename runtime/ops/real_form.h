// What operators on reals compute, as libraries of float32 operators have them (runtime/xnnpack.h).
//
// Tensors are the node's: inputs, then one output. Channels are the last axis. Values that a form borrows live as long
// as the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "runtime/ops/window.h"

namespace tidbit::internal {

/// Numbers that a form owns. Libraries of vector code may read a little beyond them.
class RealNumbers {
 public:
  static constexpr size_t kReadBeyond = 64;  // bytes

  RealNumbers() = default;
  explicit RealNumbers(size_t count) : values_(count + kReadBeyond / sizeof(float)), count_(count) {}

  std::span<float> span() { return {values_.data(), count_}; }
  std::span<const float> span() const { return {values_.data(), count_}; }

 private:
  std::vector<float> values_;
  size_t count_ = 0;
};

/// clamp(sum + bias[out channel], lowest, highest).
struct ConvolutionForm {
  Geometry geometry;
  std::span<const float> filter_in_file;  // [out channel][tap][channel of the group]
  RealNumbers filter_copy;                // where the file has not got it so
  RealNumbers bias;
  float lowest, highest;

  std::span<const float> filter() const { return filter_in_file.empty() ? filter_copy.span() : filter_in_file; }
};

/// The mean of the taps inside the image.
struct AveragePoolForm {
  Geometry geometry;
};

/// Shapes are a sample's.
struct BinaryForm {
  file::BinaryFunction function;
  std::vector<int64_t> a, b, out;
};

/// Over the last axis.
struct SoftmaxForm {
  size_t rows, channels;
};

struct ClampForm {
  size_t elements;
  float lowest, highest;
};

struct SigmoidForm {
  size_t elements;
};

/// x < 0 ? x*slope[c] : x
struct LeakyReluForm {
  size_t rows, channels;
  RealNumbers slopes;  // one, or one a channel
};

struct RealForm {
  std::variant<ConvolutionForm, AveragePoolForm, BinaryForm, SoftmaxForm, ClampForm, SigmoidForm, LeakyReluForm> op;

  /// Copies of weights.
  uint64_t copied_bytes() const {
    const auto* const convolution = std::get_if<ConvolutionForm>(&op);
    return convolution == nullptr ? 0 : convolution->filter_copy.span().size_bytes();
  }
};

}  // namespace tidbit::internal
