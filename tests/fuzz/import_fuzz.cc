// libFuzzer on the importer, and on the passes where what was imported is small: whatever the bytes, there is a graph
// or a CompileError.
//   cmake --preset asan && cmake --build --preset asan
//   build/asan/tests/fuzz/import_corpus seeds && build/asan/tests/fuzz/import_fuzz -max_total_time=60 seeds
// What it finds goes to tests/compiler/found_by_fuzzing, which import_errors_test holds the importer against.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "compiler/import/model_file.h"
#include "compiler/passes/passes.h"

namespace tidbit::compiler {
namespace {

/// Whether evaluating the graph's constants, and searching its epilogues, takes no time that a fuzzer would miss.
bool is_small(const Graph& graph) {
  constexpr int64_t kMost = 1 << 12;
  return graph.nodes.size() < 64 && std::all_of(graph.values.begin(), graph.values.end(),
                                                [](const Value& value) { return elements(value.shape) < kMost; });
}

void import_bytes(const uint8_t* data, size_t size) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(data, static_cast<int>(size))) return;
  try {
    Graph graph = import_model(model);
    if (is_small(graph)) run_passes(graph);
  } catch (const CompileError&) {
  }
}

}  // namespace
}  // namespace tidbit::compiler

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto quiet = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(quiet);
  tidbit::compiler::import_bytes(data, size);
  return 0;
}
