// oneDNN's int8 convolution (u8 activations, per-channel s8 weights, u8 out), the baseline of the kernels' targets.
#pragma once

#include <memory>
#include <string>

#include "bench/layers.h"

namespace tidbit::bench {

class OneDnnConvolution {
 public:
  explicit OneDnnConvolution(const Layer& layer);
  ~OneDnnConvolution();
  void run();

  /// The library's version, and the instruction set that it is capped at.
  static std::string version();
  static std::string isa();

  /// Caps the library at one thread and the host's tier (kernels/isa.h), or what ONEDNN_MAX_CPU_ISA names. Before any
  /// other use.
  static void cap();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidbit::bench
