// What sorts: the best elements of an axis, the best boxes of an image.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "compiler/evaluate/operators.h"

namespace tidbit::compiler {
namespace {

/// The indices [0, count), best score first, of equal ones the lower index first. NaN is the worst.
template <class Score>
std::vector<size_t> ranking(size_t count, Score score) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return !std::isnan(score(a)) && (std::isnan(score(b)) || score(a) > score(b));
  });
  return order;
}

struct Box {
  double top, left, bottom, right;

  double area() const { return (bottom - top) * (right - left); }
};

Box box_of(const double* numbers, bool centered) {
  if (centered) {
    const double x = numbers[0], y = numbers[1], width = numbers[2], height = numbers[3];
    return {y - height / 2, x - width / 2, y + height / 2, x + width / 2};
  }
  return {std::min(numbers[0], numbers[2]), std::min(numbers[1], numbers[3]), std::max(numbers[0], numbers[2]),
          std::max(numbers[1], numbers[3])};
}

/// The intersection over the union; 0 where the boxes do not meet.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0) || !(width > 0)) return 0;
  return height * width / (a.area() + b.area() - height * width);
}

std::vector<size_t> selected(const op::NonMaxSuppression& op, const double* boxes, const double* scores, size_t count) {
  std::vector<size_t> kept;
  for (const size_t i : ranking(count, [&](size_t j) { return scores[j]; })) {
    if (static_cast<int64_t>(kept.size()) == op.most_per_class || !(scores[i] > op.score_threshold)) break;
    const Box box = box_of(boxes + 4 * i, op.centered);
    const bool dropped = std::any_of(kept.begin(), kept.end(), [&](size_t j) {
      return overlap(box, box_of(boxes + 4 * j, op.centered)) > op.overlap_threshold;
    });
    if (!dropped) kept.push_back(i);
  }
  return kept;
}

}  // namespace

Tensor evaluate(const op::TopK& top, const Call& call) {
  Tensor result = call.output();
  const Tensor& x = call.input(0);
  const auto axis = static_cast<ptrdiff_t>(top.axis);
  const auto extent = static_cast<size_t>(x.shape[static_cast<size_t>(axis)]), k = static_cast<size_t>(top.k);
  const auto inner = static_cast<size_t>(elements({x.shape.begin() + axis + 1, x.shape.end()}));
  for (size_t line = 0; line < x.data.size() / extent; ++line) {
    const double* const from = x.data.data() + line / inner * extent * inner + line % inner;
    const auto order = ranking(extent, [&](size_t i) { return top.smallest ? -from[i * inner] : from[i * inner]; });
    for (size_t i = 0; i < k; ++i) {
      const double value = top.indices ? static_cast<double>(order[i]) : from[order[i] * inner];
      result.data[(line / inner * k + i) * inner + line % inner] = value;
    }
  }
  return result;
}

Tensor evaluate(const op::NonMaxSuppression& op, const Call& call) {
  Tensor result = call.output();
  std::fill(result.data.begin(), result.data.end(), -1);
  const Tensor &boxes = call.input(0), &scores = call.input(1);
  const auto classes = static_cast<size_t>(scores.shape[1]), count = static_cast<size_t>(scores.shape[2]);
  auto into = result.data.begin();
  for (size_t i = 0; i < static_cast<size_t>(scores.shape[0]) * classes; ++i) {
    const double* const of_batch = boxes.data.data() + i / classes * count * 4;
    for (const size_t box : selected(op, of_batch, scores.data.data() + i * count, count)) {
      for (const size_t number : {i / classes, i % classes, box}) *into++ = static_cast<double>(number);
    }
  }
  return result;
}

}  // namespace tidbit::compiler
