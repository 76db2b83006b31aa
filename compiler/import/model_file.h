// From the bytes of an ONNX file to its protobuf, and to tensors.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "compiler/graph.h"
#include "compiler/import.h"

namespace tidbit::compiler {

/// Throws CompileError that does not name the file.
onnx::ModelProto read_model_file(const std::string& path);

// Types that are younger than the ONNX library this is built with; the protobuf keeps them as numbers.
constexpr int kUint4 = 21, kInt4 = 22;

/// As import_onnx, of a model in memory. Throws CompileError that does not name the file.
Graph import_model(const onnx::ModelProto& model, const ImportOptions& options = {});

/// Whether tensors of this onnx::TensorProto::DataType can be read.
bool holds_numbers(int data_type);

/// Of one that can be read: whether it holds integers (or truth values), and not reals.
bool holds_integers(int data_type);

struct IntegerLimits {
  double lowest, highest;
};

/// Of a type that holds integers (and not truth values); those of 64 bits are rounded to doubles.
IntegerLimits limits_of(int data_type);

/// "float", "int64", ...
std::string data_type_name(int data_type);

/// Its numbers as doubles; integers beyond 2^53 are rounded. Throws CompileError that does not name the tensor.
Tensor read_tensor(const onnx::TensorProto&);

}  // namespace tidbit::compiler
