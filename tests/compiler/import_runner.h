// Imports models that tests build, and evaluates them.
#pragma once

#include <string>
#include <vector>

#include "compiler/evaluate.h"
#include "compiler/import.h"
#include "tests/support/onnx_builder.h"

namespace tidbit::test {

inline compiler::Graph import_bytes(const std::string& bytes, const compiler::ImportOptions& options = {}) {
  return compiler::import_onnx(TemporaryFile(bytes).path(), options);
}

inline compiler::Graph import_model(const OnnxBuilder& model, const compiler::ImportOptions& options = {}) {
  return import_bytes(model.bytes(), options);
}

/// The first output.
inline compiler::Tensor run_model(const OnnxBuilder& model, std::vector<compiler::Tensor> inputs) {
  return compiler::evaluate(import_model(model), std::move(inputs))[0];
}

/// What import says, without the name of the file.
inline std::string import_error(const std::string& bytes, const compiler::ImportOptions& options = {}) {
  const TemporaryFile file(bytes);
  try {
    compiler::import_onnx(file.path(), options);
  } catch (const compiler::CompileError& error) {
    const std::string what = error.what();
    if (what.rfind(file.path() + ": ", 0) != 0) return "does not name the file: " + what;
    if (what.find('\n') != std::string::npos) return "more than a line: " + what;
    return what.substr(file.path().size() + 2);
  }
  return "no error";
}

inline std::string import_error(const OnnxBuilder& model, const compiler::ImportOptions& options = {}) {
  return import_error(model.bytes(), options);
}

}  // namespace tidbit::test
