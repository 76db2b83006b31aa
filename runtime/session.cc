#include <algorithm>
#include <chrono>

#include "runtime/aligned_buffer.h"
#include "runtime/arena.h"
#include "runtime/failure.h"
#include "runtime/model.h"
#include "runtime/sizes.h"
#include "runtime/threads.h"
#include "runtime/xnnpack.h"
#include "tidbit/tidbit.hpp"

namespace tidbit {
namespace internal {
namespace {

/// More than machines have; each costs scratch.
constexpr size_t kMostThreads = 1024;

void check(const ModelImpl& model, const SessionOptions& options) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Failure{StatusCode::InvalidArgument, message};
  };
  require(options.thread_pool != nullptr || (options.threads >= 1 && options.threads <= kMostThreads),
          text("SessionOptions::threads is ", options.threads, ", must be 1 to ", kMostThreads));
  require(options.batch >= 1, "SessionOptions::batch is 0, must be at least 1");
  for (size_t i = 0; i < model.ops.size(); ++i) {
    require(options.batch <= model.ops[i]->largest_batch(),
            text("SessionOptions::batch is ", options.batch, ", ", title(model.description.nodes[i], i),
                 " can run at most ", model.ops[i]->largest_batch()));
  }
}

}  // namespace

class SessionImpl {
 public:
  SessionImpl(std::shared_ptr<const ModelImpl> model, const SessionOptions& options);

  void run() noexcept;
  std::span<std::byte> tensor(size_t index) const;
  template <class T>
  std::span<T> reals(std::span<const size_t> indices, size_t i) const;

  std::shared_ptr<const ModelImpl> model;
  SessionOptions options;
  std::vector<double> seconds;
  AlignedBuffer arena;

 private:
  std::unique_ptr<BoundNode> bind(size_t node);

  Threads threads_;
  std::vector<std::byte*> tensors_, scratch_;
  std::vector<std::unique_ptr<BoundNode>> bound_;  // of each node; null for those that their operators run
};

SessionImpl::SessionImpl(std::shared_ptr<const ModelImpl> of_model, const SessionOptions& session_options)
    : model((check(*of_model, session_options), std::move(of_model))),
      options(session_options),
      threads_(options.thread_pool != nullptr ? Threads(options.thread_pool) : Threads(options.threads)) {
  const ArenaLayout layout = lay_out(*model, {.batch = options.batch,
                                              .threads = threads_.count(),
                                              .keep_tensors = options.keep_tensors,
                                              .limit = kLargestArena});
  arena = AlignedBuffer(layout.bytes);
  for (const std::optional<size_t>& offset : layout.tensors) {
    tensors_.push_back(offset ? arena.data() + *offset : nullptr);
  }
  for (const size_t offset : layout.scratch) scratch_.push_back(arena.data() + offset);
  for (const size_t input : model->description.inputs) std::ranges::fill(tensor(input), std::byte{0});
  for (const Constant& constant : model->description.constants) {
    auto* to = reinterpret_cast<float*>(tensors_[constant.tensor]);
    for (size_t i = 0; i < options.batch; ++i) to = std::ranges::copy(constant.values, to).out;
  }
  for (size_t i = 0; i < model->ops.size(); ++i) bound_.push_back(model->xnnpack_forms[i] ? bind(i) : nullptr);
  if (options.profile) seconds.resize(model->ops.size());
}

std::unique_ptr<BoundNode> SessionImpl::bind(size_t node) {
  const NodeInfo& info = model->description.nodes[node];
  const auto reals_of = [&](size_t index) { return reinterpret_cast<float*>(tensors_[index]); };
  std::vector<float*> inputs;
  for (const size_t input : info.inputs) inputs.push_back(reals_of(input));
  return bind_to_xnnpack(*model->xnnpack_forms[node],
                         {.node = title(info, node),
                          .batch = options.batch,
                          .inputs = inputs,
                          .output = reals_of(info.outputs[0]),
                          .pool = threads_.pool(),
                          .last = node + 1 == model->ops.size() || !model->xnnpack_forms[node + 1]});
}

void SessionImpl::run() noexcept {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin = options.profile ? Clock::now() : Clock::time_point();
  for (size_t i = 0; i < model->ops.size(); ++i) {
    if (bound_[i] != nullptr) {
      bound_[i]->run();
    } else {
      model->ops[i]->run({.tensors = tensors_, .scratch = scratch_[i], .batch = options.batch, .threads = threads_});
    }
    if (!options.profile) continue;
    const Clock::time_point end = Clock::now();
    seconds[i] = std::chrono::duration<double>(end - begin).count();
    begin = end;
  }
}

std::span<std::byte> SessionImpl::tensor(size_t index) const {
  if (index >= tensors_.size() || tensors_[index] == nullptr) return {};
  return {tensors_[index], options.batch * tensor_bytes(model->description.tensors[index])};
}

template <class T>
std::span<T> SessionImpl::reals(std::span<const size_t> indices, size_t i) const {
  if (i >= indices.size()) return {};
  const std::span<std::byte> bytes = tensor(indices[i]);
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(float)};
}

}  // namespace internal

Session::Session(std::unique_ptr<internal::SessionImpl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(const Model& model, const SessionOptions& options) {
  return internal::guarded<Session>(
      [&] { return Session(std::make_unique<internal::SessionImpl>(model.impl_, options)); });
}

std::span<float> Session::input(size_t index) { return impl_->reals<float>(impl_->model->description.inputs, index); }

void Session::run() noexcept { impl_->run(); }

std::span<const float> Session::output(size_t index) const {
  return impl_->reals<const float>(impl_->model->description.outputs, index);
}

std::span<const std::byte> Session::tensor(size_t index) const {
  return impl_->options.keep_tensors ? impl_->tensor(index) : std::span<const std::byte>();
}

std::span<const double> Session::node_seconds() const { return impl_->seconds; }

size_t Session::arena_bytes() const { return impl_->arena.size(); }

}  // namespace tidbit
