// XNNPACK's int8 and float convolutions, by the operator API of Debian 12's package (it has changed since).
#pragma once

#include <memory>

#include "bench/layers.h"

namespace tidbit::bench {

enum class XnnpackType { Qc8, F32 };

class XnnpackConvolution {
 public:
  XnnpackConvolution(const Layer& layer, XnnpackType type);
  ~XnnpackConvolution();
  void run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidbit::bench
