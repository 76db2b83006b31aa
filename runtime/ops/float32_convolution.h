// A convolution in float32 on our own kernels, for results that no quantizer sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels/float32/convolution.h"
#include "runtime/aligned_buffer.h"
#include "runtime/ops/op.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {

/// clamp(sum + bias[out channel], lowest, highest)
class Float32Convolution {
 public:
  /// Whether the host has a kernel that is good at it: panels of channels would be half empty in thin layers.
  static bool fits(const Geometry&);

  Float32Convolution(const Geometry&, float lowest, float highest);

  std::string_view kernel() const { return kernel_->name; }
  uint64_t packed_bytes() const;

  /// Writes weights [row][tap][channel] and biases of `count` output channels.
  using Rows = std::function<void(size_t row, size_t count, float* weights, float* biases)>;
  void pack(const Rows& rows);

  void run(const Frame&, size_t input, size_t output) const noexcept;

 private:
  uint64_t panels() const;  // of a group

  const kernels::Float32Kernel* kernel_;
  Geometry geometry_;
  float lowest_, highest_;
  AlignedBuffer packed_;  // [group][panel]
};

}  // namespace tidbit::internal
