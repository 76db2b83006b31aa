// Permutes axes, of codes or reals.
#include "kernels/transpose.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/ops/table.h"
#include "runtime/ops/walk.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // elements worth another thread

/// Pixels of three channels, whose few columns leave nothing to turn in blocks.
template <class T>
void interleave_3(const T* in, size_t in_step, size_t rows, T* out) {
  for (size_t row = 0; row < rows; ++row, ++in, out += 3) {
    out[0] = in[0];
    out[1] = in[in_step];
    out[2] = in[2 * in_step];
  }
}

template <class T>
class Transpose final : public Op {
 public:
  Transpose(const NodeReader& node, const Strides& in_strides)
      : walk_(node.output(0).shape, {in_strides}),
        rows_(walk_.next_stride(0) == 1 ? walk_.next() : 1),
        elements_(node.input(0).elements()),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  /// Rows of the output are its inner axis. Where neighbouring rows begin at neighbours, they are a matrix to turn.
  void run(const Frame& frame) const noexcept override {
    const auto* const in = frame.tensor<const T>(input_);
    auto* const out = frame.tensor<T>(output_);
    const size_t inner = walk_.inner(), outer = walk_.outer();
    const size_t grain = std::max<size_t>(1, kGrain / inner);
    frame.threads.parallel_ranges(frame.batch * outer, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t row = begin; row < end;) {
        const size_t count = std::min(end - row, rows_ - row % rows_);
        copy_rows(in + row / outer * elements_ + walk_.offsets(row % outer)[0], count, out + row * inner);
        row += count;
      }
    });
  }

 private:
  void copy_rows(const T* in, size_t rows, T* out) const noexcept {
    const size_t inner = walk_.inner(), step = walk_.inner_stride(0);
    if (step == 1) {
      std::memcpy(out, in, inner * sizeof(T));  // rows_ is 1
      return;
    }
    if (inner == 3) return interleave_3(in, step, rows, out);
    kernels::transpose(in, step, rows, inner, out, inner);
  }

  Walk<1> walk_;  // over the output
  size_t rows_;   // of a matrix
  size_t elements_;
  size_t input_, output_;
};

}  // namespace

std::unique_ptr<Op> make_transpose(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  node.require_same_elements(node.input(0), node.output(0), "outputs[0]");
  const std::vector<int64_t>& in = node.input(0).shape;
  const auto* const permutation = node.op<file::Transpose>().permutation();
  const size_t rank = permutation == nullptr ? 0 : permutation->size();
  node.require(rank == in.size(), "permutation", "has ", rank, " axes, the input ", in.size());

  const Strides in_strides = broadcast_strides(in, rank);
  Strides strides{};
  std::vector<int64_t> shape(rank);
  std::vector<bool> used(rank);
  for (size_t i = 0; i < rank; ++i) {
    const uint32_t axis = permutation->Get(static_cast<flatbuffers::uoffset_t>(i));
    node.require(axis < rank && !used[axis], "permutation", "is no permutation of the axes");
    used[axis] = true;
    shape[i] = in[axis];
    strides[i] = in_strides[axis];
  }
  node.require_shape(node.output(0), shape, "outputs[0]");
  if (node.input(0).is_real) return std::make_unique<Transpose<float>>(node, strides);
  return std::make_unique<Transpose<uint8_t>>(node, strides);
}

}  // namespace tidbit::internal
