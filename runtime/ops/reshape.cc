// The same memory under another shape.
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

class Reshape final : public Op {
 public:
  bool aliases() const override { return true; }
  void run(const Frame&) const noexcept override {}
};

}  // namespace

std::unique_ptr<Op> make_reshape(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  node.require_same_elements(node.input(0), node.output(0), "outputs[0]");
  node.require(node.input(0).elements() == node.output(0).elements(), "outputs[0]", "has ", node.output(0).elements(),
               " elements, must have ", node.input(0).elements());
  return std::make_unique<Reshape>();
}

}  // namespace tidbit::internal
