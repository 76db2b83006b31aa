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

  /// The library's version, and that of the code it runs.
  static std::string version();

  /// Caps the library at the host's tier (kernels/isa.h), and at one thread. Before any other use.
  static void cap();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidbit::bench
