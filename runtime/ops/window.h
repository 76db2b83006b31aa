// The geometry of operators that slide a window, checked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/convolution.h"
#include "runtime/ops/op.h"
#include "runtime/ops/weights.h"

namespace tidbit::internal {

/// The images of a sample. [N,H,W,C] is N images. Fully connected layers (other ranks, and 1x1 windows on 1x1 images)
/// are one image of height 1, a pixel a row, which grows with the batch: a batch is one GEMM.
struct Geometry {
  kernels::ConvolutionShape shape;  // all groups
  int32_t images;
  bool fully_connected;
  int32_t groups = 1;

  /// The geometry of `batch` samples.
  Geometry of_batch(size_t batch) const;
  /// Batches that fit the kernels' 32-bit counts of pixels.
  size_t largest_batch() const;

  /// Of one group.
  kernels::ConvolutionShape group_shape() const;
  /// Of the layer's weights, all groups: a row an output channel.
  WeightsShape weights_shape() const;

  int64_t in_elements() const { return int64_t{shape.height} * shape.width * shape.channels; }  // an image
};

/// Of a linear layer; all its outputs have one shape.
Geometry linear_geometry(const NodeReader&, const file::Window*, uint32_t groups = 1);

/// Of a pool: rank 4, channels stay, every window touches the image.
Geometry pool_geometry(const NodeReader&, const file::Window*);

}  // namespace tidbit::internal
