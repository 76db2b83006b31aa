// The product of two real tensors' last two axes, the others broadcast; float64 inside.
#include <algorithm>
#include <array>

#include "runtime/ops/broadcast.h"
#include "runtime/ops/table.h"
#include "runtime/ops/walk.h"

namespace tidbit::internal {
namespace {

constexpr size_t kBlock = 64;     // columns summed at a time
constexpr size_t kGrain = 65536;  // products worth another thread

/// [batch..., rows, depth] x [batch..., depth, columns]; vectors have their missing axis.
struct Operands {
  std::vector<int64_t> a, b;
};

class MatMul final : public Op {
 public:
  MatMul(const NodeReader& node, const Operands& operands, std::span<const int64_t> batch)
      : rows_(extent(operands.a, 2)),
        depth_(extent(operands.a, 1)),
        columns_(extent(operands.b, 1)),
        walk_(batch_walk(operands, batch)),
        elements_{node.input(0).elements(), node.input(1).elements()},
        inputs_{node.input_index(0), node.input_index(1)},
        output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const auto* const a = frame.tensor<const float>(inputs_[0]);
    const auto* const b = frame.tensor<const float>(inputs_[1]);
    auto* const out = frame.tensor<float>(output_);
    const size_t inner = walk_.inner(), matrices = walk_.outer() * inner;
    const size_t grain = std::max<size_t>(1, kGrain / (depth_ * columns_));
    frame.threads.parallel_ranges(frame.batch * matrices * rows_, grain, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; ++i) {
        const size_t row = i % rows_, matrix = i / rows_ % matrices, sample = i / rows_ / matrices;
        const auto offsets = walk_.offsets(matrix / inner);
        const size_t a_matrix = offsets[0] + matrix % inner * walk_.inner_stride(0);
        const size_t b_matrix = offsets[1] + matrix % inner * walk_.inner_stride(1);
        multiply_row(a + sample * elements_[0] + (a_matrix * rows_ + row) * depth_,
                     b + sample * elements_[1] + b_matrix * depth_ * columns_, out + i * columns_);
      }
    });
  }

 private:
  /// Counted from the last axis.
  static size_t extent(std::span<const int64_t> shape, size_t from_end) {
    return static_cast<size_t>(shape[shape.size() - from_end]);
  }

  /// Over the matrices of the output, in matrices of the operands.
  static Walk<2> batch_walk(const Operands& operands, std::span<const int64_t> batch) {
    const auto strides = [&](std::span<const int64_t> shape) {
      return broadcast_strides(shape.first(shape.size() - 2), batch.size());
    };
    return {batch, {strides(operands.a), strides(operands.b)}};
  }

  void multiply_row(const float* a, const float* b, float* out) const noexcept {
    for (size_t begin = 0; begin < columns_; begin += kBlock) {
      const size_t count = std::min(kBlock, columns_ - begin);
      std::array<double, kBlock> sums{};
      for (size_t k = 0; k < depth_; ++k) {
        const double x = a[k];
        const float* const row = b + k * columns_ + begin;
        for (size_t j = 0; j < count; ++j) sums[j] += x * static_cast<double>(row[j]);
      }
      for (size_t j = 0; j < count; ++j) out[begin + j] = static_cast<float>(sums[j]);
    }
  }

  size_t rows_, depth_, columns_;
  Walk<2> walk_;
  size_t elements_[2];
  size_t inputs_[2];
  size_t output_;
};

}  // namespace

std::unique_ptr<Op> make_matmul(const NodeReader& node, const OpOptions&) {
  node.require_arity(2, 1);
  node.require_real(node.output(0), "outputs[0]");
  for (size_t i = 0; i < 2; ++i) {
    node.require_real(node.input(i), text("inputs[", i, "]"));
    node.require(!node.input(i).shape.empty(), text("inputs[", i, "]"), "is a scalar");
  }
  Operands operands{node.input(0).shape, node.input(1).shape};
  const bool row_vector = operands.a.size() == 1, column_vector = operands.b.size() == 1;
  if (row_vector) operands.a.insert(operands.a.begin(), 1);
  if (column_vector) operands.b.push_back(1);
  node.require(operands.a.back() == operands.b.end()[-2], "inputs", "do not multiply: ", operands.a.back(),
               " columns by ", operands.b.end()[-2], " rows");
  const std::vector<int64_t> batch = broadcast(node, std::span(operands.a).first(operands.a.size() - 2),
                                               std::span(operands.b).first(operands.b.size() - 2));
  std::vector<int64_t> out = batch;
  if (!row_vector) out.push_back(operands.a.end()[-2]);
  if (!column_vector) out.push_back(operands.b.back());
  node.require_shape(node.output(0), out, "outputs[0]");
  return std::make_unique<MatMul>(node, operands, batch);
}

}  // namespace tidbit::internal
