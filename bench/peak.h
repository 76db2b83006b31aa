// What the machine can do at most: the kernels' innermost instructions over operands in L1, and nothing else.
#pragma once

#include <span>
#include <string_view>

#include "kernels/gemm.h"

namespace tidbit::bench {

/// One mix of instructions.
struct Mix {
  std::string_view name;
  kernels::Isa isa;
  double products;              // an iteration of run(): bytes, or bits where the mix counts bits
  void (*run)(int iterations);  // over L1
};

/// Those of this architecture.
std::span<const Mix> mixes();

/// Products a second: the best of some short runs.
double measured_peak(const Mix& mix);

/// The most multiply-accumulates a second that the kernel's instructions allow; 0 where no mix tells. Measured once.
double peak_macs(const kernels::GemmKernel& kernel, const kernels::GemmProblem& problem);

}  // namespace tidbit::bench
