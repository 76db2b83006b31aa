#include "runtime/arena.h"

#include <algorithm>
#include <numeric>

#include "runtime/failure.h"
#include "runtime/model.h"
#include "runtime/planner.h"
#include "runtime/sizes.h"

namespace tidbit::internal {
namespace {

constexpr int32_t kNever = -1;

/// The tensor whose memory each tensor is: its own, but for the outputs of operators that alias.
std::vector<size_t> owners(const ModelImpl& model) {
  std::vector<size_t> owner(model.description.tensors.size());
  std::iota(owner.begin(), owner.end(), size_t{0});
  for (size_t i = 0; i < model.ops.size(); ++i) {
    const NodeInfo& node = model.description.nodes[i];
    if (model.ops[i]->aliases()) owner[node.outputs[0]] = owner[node.inputs[0]];
  }
  return owner;
}

/// When each owner's memory is in use; `first` is kNever where nothing writes it.
std::vector<Region> lifetimes(const ModelImpl& model, const std::vector<size_t>& owner, const ArenaOptions& options) {
  const Description& d = model.description;
  const auto end = static_cast<int32_t>(d.nodes.size());
  std::vector<Region> regions(d.tensors.size(), Region{0, kNever, kNever});
  const auto use = [&](size_t tensor, int32_t first, int32_t last) {
    Region& region = regions[owner[tensor]];
    region.first = region.first == kNever ? first : std::min(region.first, first);
    region.last = std::max(region.last, last);
  };
  // Inputs and constants keep their values from run to run.
  for (const size_t input : d.inputs) use(input, 0, end);
  for (const Constant& constant : d.constants) use(constant.tensor, 0, end);
  for (int32_t i = 0; i < end; ++i) {
    const NodeInfo& node = d.nodes[static_cast<size_t>(i)];
    for (const size_t input : node.inputs) use(input, i, i);
    for (const size_t output : node.outputs) use(output, i, i);
  }
  for (const size_t output : d.outputs) use(output, end, end);
  for (size_t i = 0; i < regions.size(); ++i) {
    if (regions[i].first == kNever) continue;
    regions[i].bytes = product({options.batch, tensor_bytes(d.tensors[i])});
    if (options.keep_tensors) regions[i] = {regions[i].bytes, 0, end};
  }
  return regions;
}

void require_within(uint64_t bytes, uint64_t limit, std::string_view what) {
  if (bytes > limit) {
    throw Failure{StatusCode::OutOfMemory, text(what, " takes ", bytes, " bytes, the limit is ", limit)};
  }
}

}  // namespace

ArenaLayout lay_out(const ModelImpl& model, const ArenaOptions& options) {
  const Description& d = model.description;
  const std::vector<size_t> owner = owners(model);
  std::vector<Region> regions = lifetimes(model, owner, options);
  for (size_t i = 0; i < model.ops.size(); ++i) {
    const auto step = static_cast<int32_t>(i);
    regions.push_back({model.scratch_bytes(i, options), step, step});
    require_within(regions.back().bytes, options.limit, title(d.nodes[i], i) + ": scratch");
  }
  for (size_t i = 0; i < d.tensors.size(); ++i) require_within(regions[i].bytes, options.limit, text("tensor ", i));
  Plan plan = plan_arena(regions);
  // XNNPACK may read a little beyond a tensor: of its neighbour, or of what is behind the last one.
  if (std::ranges::any_of(model.xnnpack_forms, [](const auto& form) { return form.has_value(); })) {
    plan.bytes = sum({plan.bytes, RealNumbers::kReadBeyond});
  }
  require_within(plan.bytes, options.limit, "the arena");

  ArenaLayout layout;
  layout.tensors.resize(d.tensors.size());
  for (size_t i = 0; i < d.tensors.size(); ++i) {
    if (regions[owner[i]].first != kNever) layout.tensors[i] = static_cast<size_t>(plan.offsets[owner[i]]);
  }
  for (size_t i = d.tensors.size(); i < regions.size(); ++i) {
    layout.scratch.push_back(static_cast<size_t>(plan.offsets[i]));
  }
  layout.bytes = static_cast<size_t>(plan.bytes);
  return layout;
}

}  // namespace tidbit::internal
