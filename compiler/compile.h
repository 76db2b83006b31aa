// ONNX file in, .tbit bytes and a report out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "compiler/import.h"

namespace tidbit::compiler {

/// real = (pixel/255 - mean[c]) / deviation[c]; kept in the file for `tidbit run IMAGE`.
struct Preprocessing {
  bool channels_last = false;
  bool bgr = false;
  std::vector<float> mean, deviation;
};

struct CompileOptions {
  ImportOptions import;
  std::string name;  // of the model; empty: the graph's
  std::optional<Preprocessing> preprocessing;
  std::vector<std::string> labels;
};

/// What became of one linear layer, or of another node that could not stay in integers.
struct LayerReport {
  std::string node;
  std::string op;
  int weight_bits = 0, activation_bits = 0;  // 0: real
  int64_t macs = 0;
  std::string outcome;   // the epilogue chosen ("thresholds", "affine float32", ...) or why the layer is real
  bool lowered = false;  // runs in integers
};

struct Compiled {
  std::vector<std::byte> file;
  std::vector<LayerReport> report;
  size_t weight_bytes = 0, epilogue_bytes = 0, real_bytes = 0;  // of the file
};

/// Throws CompileError.
Compiled compile(const std::string& onnx_path, const CompileOptions& options = {});

}  // namespace tidbit::compiler
