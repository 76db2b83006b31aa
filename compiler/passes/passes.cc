#include "compiler/passes/passes.h"

namespace tidbit::compiler {

std::span<const Pass> passes() {
  static constexpr Pass kPasses[] = {
      {"fold_constants", fold_constants},     {"make_channels_last", make_channels_last},
      {"fold_constants", fold_constants},  // the transposes of weights
      {"sink_transposes", sink_transposes},   {"merge_movement", merge_movement},
      {"hoist_quantizers", hoist_quantizers}, {"lower", lower},
  };
  return kPasses;
}

void run_passes(Graph& graph) {
  for (const Pass& pass : passes()) {
    pass.run(graph);
    verify(graph);
  }
}

}  // namespace tidbit::compiler
