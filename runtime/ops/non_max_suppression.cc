// Boxes of the highest scores that overlap none of a higher score, for each batch and class.
#include "runtime/ops/ranking.h"
#include "runtime/ops/table.h"

namespace tidbit::internal {
namespace {

struct Box {
  double top, left, bottom, right;

  double area() const { return (bottom - top) * (right - left); }
};

Box box_of(const float* numbers, bool centered) {
  const double a = numbers[0], b = numbers[1], c = numbers[2], d = numbers[3];
  if (centered) return {b - d / 2, a - c / 2, b + d / 2, a + c / 2};
  return {std::min(a, c), std::min(b, d), std::max(a, c), std::max(b, d)};
}

/// The intersection over the union; 0 where the boxes do not meet.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0) || !(width > 0)) return 0;
  return height * width / (a.area() + b.area() - height * width);
}

class NonMaxSuppression final : public Op {
 public:
  NonMaxSuppression(const NodeReader& node, const file::NonMaxSuppression& table)
      : centered_(table.centered()),
        overlap_threshold_(table.overlap_threshold()),
        score_threshold_(table.score_threshold()),
        batches_(static_cast<size_t>(node.input(1).shape[0])),
        classes_(static_cast<size_t>(node.input(1).shape[1])),
        boxes_(static_cast<size_t>(node.input(1).shape[2])),
        most_(std::min<size_t>(table.most_per_class(), boxes_)),
        inputs_{node.input_index(0), node.input_index(1)},
        output_(node.output_index(0)) {}

  /// The ranking of one class, and the boxes that are kept of it.
  uint64_t scratch_bytes(size_t /*batch*/, size_t /*threads*/) const override {
    return sum({order_bytes(), product({most_, sizeof(Box)})});
  }

  /// Rows are found one after the other, on one thread.
  void run(const Frame& frame) const noexcept override {
    const size_t rows = batches_ * classes_ * most_;
    for (size_t sample = 0; sample < frame.batch; ++sample) {
      float* const out = frame.tensor<float>(output_) + sample * rows * 3;
      float* end = out;
      for (size_t i = 0; i < batches_ * classes_; ++i) end = select(frame, sample, i, end);
      std::fill(end, out + rows * 3, -1.0f);
    }
  }

 private:
  uint64_t order_bytes() const { return aligned(product({boxes_, sizeof(uint32_t)})); }

  /// Writes the rows of one batch and class; gives where the next begin.
  float* select(const Frame& frame, size_t sample, size_t index, float* to) const noexcept {
    const size_t batch = index / classes_;
    const float* const boxes = frame.tensor<const float>(inputs_[0]) + (sample * batches_ + batch) * boxes_ * 4;
    const float* const scores = frame.tensor<const float>(inputs_[1]) + (sample * batches_ * classes_ + index) * boxes_;
    const std::span order(reinterpret_cast<uint32_t*>(frame.scratch), boxes_);
    auto* const kept = reinterpret_cast<Box*>(frame.scratch + order_bytes());
    size_t count = 0;
    rank(order, boxes_, [&](uint32_t i) { return scores[i]; });
    for (const uint32_t i : order) {
      if (count == most_ || !(scores[i] > score_threshold_)) break;
      const Box box = box_of(boxes + size_t{i} * 4, centered_);
      const auto overlaps = [&](const Box& other) { return overlap(box, other) > overlap_threshold_; };
      if (std::any_of(kept, kept + count, overlaps)) continue;
      kept[count++] = box;
      for (const size_t number : {batch, index % classes_, size_t{i}}) *to++ = static_cast<float>(number);
    }
    return to;
  }

  bool centered_;
  double overlap_threshold_;
  float score_threshold_;
  size_t batches_, classes_, boxes_, most_;
  size_t inputs_[2];
  size_t output_;
};

}  // namespace

std::unique_ptr<Op> make_non_max_suppression(const NodeReader& node, const OpOptions&) {
  node.require_arity(2, 1);
  const TensorInfo &boxes = node.input(0), &scores = node.input(1), &out = node.output(0);
  node.require_real(boxes, "inputs[0]");
  node.require_real(scores, "inputs[1]");
  node.require_real(out, "outputs[0]");
  node.require(scores.shape.size() == 3, "inputs[1]", "must be [B,C,N]");
  node.require_shape(boxes, std::vector<int64_t>{scores.shape[0], scores.shape[2], 4}, "inputs[0]");
  const file::NonMaxSuppression& table = node.op<file::NonMaxSuppression>();
  node.require(table.most_per_class() > 0, "most_per_class", "is 0");
  node.require(!std::isnan(table.overlap_threshold()), "overlap_threshold", "is no number");
  node.require(!std::isnan(table.score_threshold()), "score_threshold", "is no number");
  const int64_t most = std::min<int64_t>(table.most_per_class(), scores.shape[2]);
  node.require_shape(out, std::vector<int64_t>{scores.shape[0] * scores.shape[1] * most, 3}, "outputs[0]");
  return std::make_unique<NonMaxSuppression>(node, table);
}

}  // namespace tidbit::internal
