// Nearest neighbour: a pixel of the output is a pixel of the input. Codes or reals.
#include <algorithm>
#include <cstring>

#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

constexpr size_t kGrain = 65536;  // bytes worth another thread

class Resize final : public Op {
 public:
  Resize(const NodeReader& node, std::span<const uint32_t> rows, std::span<const uint32_t> columns)
      : rows_(rows),
        columns_(columns),
        in_height_(static_cast<size_t>(node.input(0).shape[1])),
        in_width_(static_cast<size_t>(node.input(0).shape[2])),
        images_(static_cast<size_t>(node.input(0).shape[0])),
        pixel_bytes_(channels_of(node.input(0)) * element_bytes(node.input(0))),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {}

  void run(const Frame& frame) const noexcept override {
    const auto* const in = frame.tensor<const std::byte>(input_);
    auto* const out = frame.tensor<std::byte>(output_);
    const size_t grain = std::max<size_t>(1, kGrain / (columns_.size() * pixel_bytes_));
    frame.threads.parallel_ranges(frame.batch * images_ * rows_.size(), grain, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; ++i) {
        const size_t in_row = i / rows_.size() * in_height_ + rows_[i % rows_.size()];
        const std::byte* const from = in + in_row * in_width_ * pixel_bytes_;
        std::byte* to = out + i * columns_.size() * pixel_bytes_;
        for (const uint32_t column : columns_) {
          std::memcpy(to, from + column * pixel_bytes_, pixel_bytes_);
          to += pixel_bytes_;
        }
      }
    });
  }

 private:
  std::span<const uint32_t> rows_, columns_;
  size_t in_height_, in_width_, images_, pixel_bytes_;
  size_t input_, output_;
};

std::span<const uint32_t> read_indices(const NodeReader& node, const file::Blob* blob, const char* field, size_t axis) {
  const auto indices = node.array<uint32_t>(blob, field, static_cast<uint64_t>(node.output(0).shape[axis]));
  const int64_t extent = node.input(0).shape[axis];
  node.require(std::ranges::all_of(indices, [&](uint32_t index) { return index < extent; }), field,
               "has an index beyond the input's ", extent);
  return indices;
}

}  // namespace

std::unique_ptr<Op> make_resize(const NodeReader& node, const OpOptions&) {
  node.require_arity(1, 1);
  const TensorInfo &in = node.input(0), &out = node.output(0);
  node.require_same_elements(in, out, "outputs[0]");
  node.require(in.shape.size() == 4, "inputs[0]", "must be [N,H,W,C]");
  node.require(out.shape.size() == 4, "outputs[0]", "must be [N,H,W,C]");
  const std::vector<int64_t> shape{in.shape[0], out.shape[1], out.shape[2], in.shape[3]};
  node.require_shape(out, shape, "outputs[0]");
  const file::Resize& table = node.op<file::Resize>();
  return std::make_unique<Resize>(node, read_indices(node, table.rows(), "rows", 1),
                                  read_indices(node, table.columns(), "columns", 2));
}

}  // namespace tidbit::internal
