// For builds without XNNPACK: it runs nothing, so that every node runs on our own kernels.
#include "runtime/failure.h"
#include "runtime/xnnpack.h"

namespace tidbit::internal {

bool xnnpack_runs(const RealForm&) { return false; }

uint64_t xnnpack_packed_bytes(const RealForm&) { return 0; }

std::unique_ptr<BoundNode> bind_to_xnnpack(const RealForm&, const Binding& binding) {
  throw Failure{StatusCode::InvalidArgument, text(binding.node, ": this library was built without XNNPACK")};
}

}  // namespace tidbit::internal
