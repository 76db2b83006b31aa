#include "runtime/model.h"

#include <algorithm>

#include "runtime/arena.h"
#include "runtime/failure.h"
#include "runtime/ops/table.h"
#include "runtime/xnnpack.h"
#include "schema/container.h"

namespace tidbit {
namespace internal {
namespace {

OpOptions op_options(const LoadOptions& options) {
  OpOptions result{.family = {}, .tuning = Tuning(options.tuning)};
  if (options.kernel_family.empty()) return result;
  result.family = kernels::family_named(options.kernel_family);
  if (!result.family) {
    throw Failure{StatusCode::InvalidArgument,
                  text("LoadOptions::kernel_family: '", printable(options.kernel_family), "' is no kernel family")};
  }
  return result;
}

}  // namespace

ModelImpl::ModelImpl(std::span<const std::byte> file, const LoadOptions& options) : file_bytes(file.size()) {
  const OpOptions make_options = op_options(options);
  const FileView view = open_container(file);
  description = validate(view, options);
  for (size_t i = 0; i < description.nodes.size(); ++i) {
    NodeInfo& node = description.nodes[i];
    const file::Node& table = *view.model->nodes()->Get(static_cast<flatbuffers::uoffset_t>(i));
    const NodeReader reader(title(node, i), view, table, description.tensors);
    ops.push_back(make_op(table.op_type(), reader, make_options));
    ops.back()->describe(node);
  }
  const uint64_t limit = std::min<uint64_t>(options.max_arena_bytes, kLargestArena);
  xnnpack_forms.resize(ops.size());
  if (options.xnnpack) choose_float32(limit);
  lay_out(*this, {.batch = 1, .threads = 1, .keep_tensors = false, .limit = limit});
  uint64_t packed = 0;
  for (const NodeInfo& node : description.nodes) packed = sum({packed, node.packed_bytes});
  if (packed > limit) {
    throw Failure{StatusCode::OutOfMemory, text("the packed weights need ", packed, " bytes, the limit is ", limit)};
  }
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!xnnpack_forms[i]) ops[i]->prepare();
  }
  packed_bytes = static_cast<size_t>(packed);
}

/// Whether a quantizer sees the results of each node, directly or through others.
std::vector<bool> ModelImpl::reach_quantizers() const {
  std::vector<bool> seen(description.tensors.size()), result(ops.size());
  for (size_t i = ops.size(); i-- > 0;) {
    const NodeInfo& node = description.nodes[i];
    result[i] = ops[i]->quantizes() || std::ranges::any_of(node.outputs, [&](size_t tensor) {
                  return seen[tensor] || !description.tensors[tensor].is_real;
                });
    for (const size_t tensor : node.inputs) seen[tensor] = seen[tensor] || result[i];
  }
  return result;
}

void ModelImpl::choose_float32(uint64_t most_bytes) {
  const std::vector<bool> exact = reach_quantizers();
  for (size_t i = 0; i < ops.size(); ++i) {
    if (exact[i]) continue;
    if (ops[i]->take_float32(most_bytes)) {
      ops[i]->describe(description.nodes[i]);
      most_bytes -= description.nodes[i].packed_bytes;
      continue;
    }
    std::optional<RealForm> form = ops[i]->real_form(most_bytes);
    if (!form || !xnnpack_runs(*form)) continue;
    const uint64_t bytes = sum({form->copied_bytes(), xnnpack_packed_bytes(*form)});
    if (bytes > most_bytes) continue;
    most_bytes -= bytes;
    description.nodes[i].kernel = "xnnpack";
    description.nodes[i].packed_bytes = static_cast<size_t>(bytes);
    xnnpack_forms[i] = std::move(form);
  }
}

uint64_t ModelImpl::scratch_bytes(size_t node, const ArenaOptions& options) const {
  return xnnpack_forms[node] ? 0 : ops[node]->scratch_bytes(options.batch, options.threads);
}

ModelImpl::ModelImpl(MappedFile file, const LoadOptions& options) : ModelImpl(file.bytes(), options) {
  mapped_ = std::move(file);
}

}  // namespace internal

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  return internal::guarded<Model>([&] {
    internal::MappedFile file(path);
    try {
      return Model(std::make_shared<const internal::ModelImpl>(std::move(file), options));
    } catch (internal::Failure& failure) {
      throw internal::Failure{failure.code, internal::text(internal::printable(path), ": ", failure.message)};
    }
  });
}

Result<Model> Model::load(std::span<const std::byte> file, const LoadOptions& options) {
  return internal::guarded<Model>([&] {
    if (reinterpret_cast<uintptr_t>(file.data()) % container::kAlignment != 0) {
      throw internal::Failure{StatusCode::InvalidArgument,
                              internal::text("file: must be aligned to ", container::kAlignment, " bytes")};
    }
    return Model(std::make_shared<const internal::ModelImpl>(file, options));
  });
}

const std::string& Model::name() const { return impl_->description.name; }
std::span<const TensorInfo> Model::tensors() const { return impl_->description.tensors; }
std::span<const NodeInfo> Model::nodes() const { return impl_->description.nodes; }
std::span<const size_t> Model::inputs() const { return impl_->description.inputs; }
std::span<const size_t> Model::outputs() const { return impl_->description.outputs; }
const std::optional<ImagePreprocessing>& Model::preprocessing() const { return impl_->description.preprocessing; }
std::span<const std::string> Model::labels() const { return impl_->description.labels; }
size_t Model::file_bytes() const { return impl_->file_bytes; }
size_t Model::packed_bytes() const { return impl_->packed_bytes; }

std::string_view version() { return TIDBIT_VERSION; }

}  // namespace tidbit
