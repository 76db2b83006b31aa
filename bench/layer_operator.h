// A layer as the runtime runs it (runtime/ops): byte codes in, byte codes out, on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/layers.h"
#include "bench/operands.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/epilogue/epilogue.h"
#include "kernels/float32/convolution.h"
#include "kernels/gemm.h"

namespace tidbit::bench {

/// Scale, offset and requantization to codes as wide as the layer's input: thresholds up to 2 bits, float32 up to 4,
/// else fixed point.
class LayerEpilogue {
 public:
  LayerEpilogue(const kernels::ConvolutionShape& shape, const Grid& weights, const Grid& activations);
  const kernels::Epilogue& get() const { return epilogue_; }

 private:
  std::vector<int32_t> values_;
  struct {
    std::vector<float> multiplier, offset;
  } lines_;
  struct {
    std::vector<int32_t> multiplier;
    std::vector<int64_t> offset;
    std::vector<uint8_t> shift;
  } fixed_;
  kernels::Epilogue epilogue_;
};

/// The kernels' work alone: pack the image, multiply tile by tile, apply the epilogue.
class ConvolutionOperator {
 public:
  struct Parts {
    bool pack, multiply, finish;
  };

  ConvolutionOperator(const kernels::GemmKernel& kernel, const kernels::GemmProblem& problem);
  void run(Parts parts);
  void run() { run({.pack = true, .multiply = true, .finish = true}); }
  /// Bytes read and written at least: packed weights, codes in and out.
  size_t bytes() const;

 private:
  void run_tile(int32_t pixel, int32_t channel, Parts parts);

  const kernels::GemmKernel& kernel_;
  kernels::GemmProblem problem_;
  kernels::PackedSizes sizes_;
  kernels::GemmTiling tiling_;
  LayerEpilogue epilogue_;
  std::vector<uint8_t> codes_, out_;
  Buffer weights_, image_, sums_;
};

class DepthwiseOperator {
 public:
  explicit DepthwiseOperator(const kernels::DepthwiseProblem& problem);
  void run();
  size_t bytes() const;

 private:
  kernels::DepthwiseProblem problem_;
  int32_t tile_pixels_;
  LayerEpilogue epilogue_;
  std::vector<uint8_t> codes_, out_;
  Buffer weights_, sums_;
};

/// Reals in, reals out.
class Float32Operator {
 public:
  Float32Operator(const kernels::Float32Kernel& kernel, const kernels::ConvolutionShape& shape);
  void run();
  size_t bytes() const;

 private:
  const kernels::Float32Kernel& kernel_;
  kernels::ConvolutionShape shape_;
  std::vector<float> in_, out_;
  Buffer weights_;
};

}  // namespace tidbit::bench
