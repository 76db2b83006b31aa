// Kernels that were measured to be the fastest for layers on a device, as text that `tidbit tune` writes:
//   tidbit-tuning 1
//   # a comment
//   LAYER KERNEL
// LAYER is what the speed of a GEMM depends on, so one text serves every model: layer_key(). Kernels that this build or
// machine does not have are passed over, as are layers that the text does not name: the cost rule chooses for them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kernels/gemm.h"

namespace tidbit::internal {

class Tuning {
 public:
  /// Throws Failure that names the line. Empty text names no layer.
  explicit Tuning(std::string_view text);

  /// The kernel for a layer; null where none was measured that can run it at `isa`.
  const kernels::GemmKernel* kernel(const kernels::GemmProblem&, kernels::Isa isa) const;

 private:
  void read_line(std::string_view line, size_t number);

  std::map<std::string, std::string, std::less<>> kernels_;  // by layer_key
};

/// Image, output, kernel, stride, dilation, padding (top, left, bottom, right), and the grids as bits, step and base:
/// "56x56x64-56x56x64/k3x3/s1x1/d1x1/p1.1.1.1/w2.1.-2/a2.1.0".
std::string layer_key(const kernels::GemmProblem&);

}  // namespace tidbit::internal
