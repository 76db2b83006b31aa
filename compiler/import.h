// ONNX to Graph.
#pragma once

#include <map>
#include <string>

#include "compiler/graph.h"

namespace tidbit::compiler {

struct ImportOptions {
  /// Shapes of inputs by name, for models with dynamic dimensions.
  std::map<std::string, Shape> input_shapes;
};

/// Reads an ONNX file. Throws CompileError that names the file, and the node where there is one.
///
/// What ONNX writes in many ways is one way in the graph: Gemm is MatMul and Add; 1-D windows are 2-D ones of height 1;
/// Flatten, Squeeze, Unsqueeze are Reshape; DepthToSpace is Reshape, Transpose, Reshape; pads and shapes are resolved;
/// tensors of quantized integers are the reals they stand for, behind one FakeQuant (inputs of up to 8 bits too, which
/// are then given as integers); ConvTranspose is a Convolution and DepthToSpace; normalizations are arithmetic;
/// Constant, Shape and all that follows from constants alone is folded, but not quantizers of weights: pass
/// fold_constants does those, and keeps their grid. Every shape is known.
Graph import_onnx(const std::string& path, const ImportOptions& options = {});

}  // namespace tidbit::compiler
