// The epilogues of a node, checked and bound to the tensors they write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/epilogue/epilogue.h"
#include "runtime/ops/op.h"

namespace tidbit::internal {

enum class Sums : uint8_t { Integer, Real };

/// Sums of a block of pixels x channels. Pixels count over the whole batch.
template <class Sum>
struct SumBlock {
  const Sum* sums;
  ptrdiff_t stride;  // elements between pixels
  int64_t pixel;     // the first
  int32_t pixels;
  int32_t channel;  // the first
  int32_t channels;
};

class Epilogues {
 public:
  /// One for each output of the node; the node's second input, where it has one, is their residual.
  Epilogues(const NodeReader&, const flatbuffers::Vector<flatbuffers::Offset<file::Epilogue>>*, Sums);
  /// The one of a node with one output.
  Epilogues(const NodeReader&, const file::Epilogue*, Sums);

  /// The one epilogue, where it is a clamped line of the sums alone; else null.
  const kernels::Epilogue* clamped_line() const;

  /// Writes the block in every output.
  template <class Sum>
  void apply(const Frame&, const SumBlock<Sum>&) const noexcept;

 private:
  struct Bound {
    kernels::Epilogue epilogue;
    size_t output;
  };
  struct ResidualInput {
    size_t index;
    bool real;
    Grid grid;
  };

  void add(const NodeReader&, const file::Epilogue*, size_t output, const std::string& field, Sums);
  kernels::Residual residual_at(const Frame&, int64_t element) const noexcept;

  std::vector<Bound> bound_;
  std::optional<ResidualInput> residual_;
  int32_t channels_;
};

extern template void Epilogues::apply(const Frame&, const SumBlock<int32_t>&) const noexcept;
extern template void Epilogues::apply(const Frame&, const SumBlock<double>&) const noexcept;
extern template void Epilogues::apply(const Frame&, const SumBlock<float>&) const noexcept;

}  // namespace tidbit::internal
