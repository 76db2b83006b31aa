// The operators of a lowered graph, as the file's.
#pragma once

#include "compiler/emit/file_parts.h"
#include "compiler/graph.h"

namespace tidbit::compiler {

struct EmittedOperator {
  file::Operator type;
  flatbuffers::Offset<void> table;
};

/// Throws CompileError for an operator that lowering replaces.
EmittedOperator emit_operator(FileParts&, const Node&);

}  // namespace tidbit::compiler
