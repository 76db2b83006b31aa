#include <algorithm>

#include "compiler/evaluate/operators.h"

namespace tidbit::compiler {
namespace {

std::vector<size_t> strides(const Shape& shape) {
  std::vector<size_t> result(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) result[i - 1] = result[i] * static_cast<size_t>(shape[i]);
  return result;
}

/// visit(index along each axis) for each element of a tensor, in order.
template <class Visit>
void for_each_index(const Shape& shape, Visit visit) {
  std::vector<size_t> index(shape.size(), 0);
  for (int64_t left = elements(shape); left > 0; --left) {
    visit(index);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < static_cast<size_t>(shape[axis])) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

Tensor evaluate(const op::Reshape&, const Call& call) { return {call.shapes[0], call.input(0).data}; }

Tensor evaluate(const op::Transpose& transpose, const Call& call) {
  Tensor result = call.output();
  const std::vector<size_t> input_strides = strides(call.input(0).shape);
  size_t next = 0;
  for_each_index(result.shape, [&](const std::vector<size_t>& index) {
    size_t from = 0;
    for (size_t i = 0; i < index.size(); ++i)
      from += index[i] * input_strides[static_cast<size_t>(transpose.permutation[i])];
    result.data[next++] = call.input(0).data[from];
  });
  return result;
}

Tensor evaluate(const op::Concat& concat, const Call& call) {
  Tensor result = call.output();
  const auto axis = static_cast<ptrdiff_t>(concat.axis);
  const int64_t outer = elements({result.shape.begin(), result.shape.begin() + axis});
  auto into = result.data.begin();
  for (int64_t i = 0; i < outer; ++i) {
    for (size_t j = 0; j < call.inputs.size(); ++j) {
      const Tensor& input = call.input(j);
      const int64_t inner = elements({input.shape.begin() + axis, input.shape.end()});
      into = std::copy_n(input.data.begin() + i * inner, inner, into);
    }
  }
  return result;
}

Tensor evaluate(const op::Gather& gather, const Call& call) {
  Tensor result = call.output();
  const Shape& from = call.input(0).shape;
  const auto axis = static_cast<ptrdiff_t>(gather.axis);
  const int64_t outer = elements({from.begin(), from.begin() + axis});
  const int64_t inner = elements({from.begin() + axis + 1, from.end()});
  const int64_t extent = from[static_cast<size_t>(axis)];
  auto into = result.data.begin();
  for (int64_t i = 0; i < outer; ++i) {
    for (const int64_t index : gather.indices) {
      into = std::copy_n(call.input(0).data.begin() + (i * extent + index) * inner, inner, into);
    }
  }
  return result;
}

Tensor evaluate(const op::Pad& pad, const Call& call) {
  Tensor result = call.output();
  std::fill(result.data.begin(), result.data.end(), pad.value);
  const std::vector<size_t> output_strides = strides(result.shape);
  size_t next = 0;
  for_each_index(call.input(0).shape, [&](const std::vector<size_t>& index) {
    size_t to = 0;
    for (size_t i = 0; i < index.size(); ++i) to += (index[i] + static_cast<size_t>(pad.before[i])) * output_strides[i];
    result.data[to] = call.input(0).data[next++];
  });
  return result;
}

Tensor evaluate(const op::Resize& resize, const Call& call) {
  Tensor result = call.output();
  const Image input(call.input(0).shape, resize.layout), output(result.shape, resize.layout);
  for (int64_t n = 0; n < output.batch; ++n) {
    for (int64_t c = 0; c < output.channels; ++c) {
      for (int64_t y = 0; y < output.extent[0]; ++y) {
        for (int64_t x = 0; x < output.extent[1]; ++x) {
          const int64_t row = resize.rows[static_cast<size_t>(y)], column = resize.columns[static_cast<size_t>(x)];
          result.data[output.at(n, c, y, x)] = call.input(0).data[input.at(n, c, row, column)];
        }
      }
    }
  }
  return result;
}

}  // namespace tidbit::compiler
