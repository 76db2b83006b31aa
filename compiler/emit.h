// A lowered graph to the bytes of a .tbit file.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/compile.h"
#include "compiler/graph.h"

namespace tidbit::compiler {

/// Fills Compiled's file and byte counts. Throws CompileError for a node that has no form in the file: the graph was
/// not lowered.
Compiled emit(const Graph&, const CompileOptions&);

}  // namespace tidbit::compiler
