// What NEON instructions take: the costs of the NEON tiers are made of these, so the choice between families follows
// the core.
#pragma once

#include "kernels/isa.h"

namespace tidbit::kernels {

/// Cycles from one to the next of independent 128-bit instructions, in loops like the kernels'. Cores that run in order
/// also wait there for loads and results.
struct NeonCycles {
  double simple;     // AND, CNT, ADD, UADALP
  double lookup;     // TBL of 16 entries
  double multiply;   // SMLAL: 8 products
  double dot;        // SDOT: 16 products
  double matrix;     // USMMLA: 32 products
  double broadcast;  // of a word from memory to all lanes
};

/// By LLVM 19's models of the Cortex-A53, A72 and Neoverse N1 (bench/arm_model).
NeonCycles neon_cycles(Core core);

}  // namespace tidbit::kernels
