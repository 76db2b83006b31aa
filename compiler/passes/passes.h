// The passes, in the order in which they run. Reading the table in passes.cc is knowing the compiler.
#pragma once

#include <span>
#include <string_view>

#include "compiler/graph.h"

namespace tidbit::compiler {

struct Pass {
  std::string_view name;
  void (*run)(Graph&);
};

std::span<const Pass> passes();

/// Evaluates what follows from constants alone. A quantized constant keeps its grid, through reshapes and transposes.
void fold_constants(Graph&);

/// Gives every spatial operator the layout [N,H,W,C], between transposes.
void make_channels_last(Graph&);

/// Moves transposes towards the outputs, through all that works on elements, so that they meet and cancel.
void sink_transposes(Graph&);

/// Turns a chain of transposes and reshapes into one transpose, one reshape or nothing where it amounts to that.
void merge_movement(Graph&);

/// Moves quantizers, and the functions before them, above operators that only move or select elements, so that those
/// move codes and the functions sit behind the layer whose sums they take.
void hoist_quantizers(Graph&);

/// Replaces real arithmetic by the integer operators of the file: layers with quantized inputs and weights become exact
/// integer sums with an epilogue, other functions of codes become tables; the rest stays real.
void lower(Graph&);

/// The whole table.
void run_passes(Graph&);

}  // namespace tidbit::compiler
