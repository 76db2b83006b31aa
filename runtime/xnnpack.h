// Real layers through XNNPACK, in float32: for results that no quantizer reads, directly or through other layers.
//
// A node is a subgraph of its own, so that its tensors stay in the session's arena and its time can be told. XNNPACK
// packs weights for each session anew: its subgraphs of 2022 can share none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "runtime/ops/real_form.h"

namespace tidbit::internal {

/// A node bound to the tensors of one session.
class BoundNode {
 public:
  virtual ~BoundNode() = default;
  /// Allocates nothing.
  virtual void run() noexcept = 0;
};

struct Binding {
  const std::string& node;  // for messages
  size_t batch;
  std::span<float* const> inputs;  // kReadBeyond bytes beyond a tensor may be read
  float* output;
  void* pool;  // pthreadpool_t
  bool last;   // the next node is not XNNPACK's: its threads may sleep, ours are to work
};

/// Whether XNNPACK has the operator, this library was built with XNNPACK, and the machine can run it.
bool xnnpack_runs(const RealForm&);

/// What XNNPACK's packed weights take, close to: they are padded to the width of its kernels.
uint64_t xnnpack_packed_bytes(const RealForm&);

/// The node, packed. Only for forms that xnnpack_runs(); throws Failure.
std::unique_ptr<BoundNode> bind_to_xnnpack(const RealForm&, const Binding&);

}  // namespace tidbit::internal
