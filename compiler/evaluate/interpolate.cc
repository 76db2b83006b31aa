#include "compiler/evaluate/operators.h"

namespace tidbit::compiler {
namespace {

/// Bilinear: `real` gives an input's real number, `finish` what becomes of the result, by channel. The operations are
/// those of the file format, in its order.
template <class Real, class Finish>
Tensor interpolate(const Call& call, const op::Interpolation& rows, const op::Interpolation& columns, Layout layout,
                   Real real, Finish finish) {
  Tensor result = call.output();
  const Image input(call.input(0).shape, layout), output(result.shape, layout);
  const auto between = [](double p, double q, double weight) { return p * (1 - weight) + q * weight; };
  for (int64_t n = 0; n < output.batch; ++n) {
    for (int64_t c = 0; c < output.channels; ++c) {
      for (int64_t y = 0; y < output.extent[0]; ++y) {
        for (int64_t x = 0; x < output.extent[1]; ++x) {
          const auto i = static_cast<size_t>(y), j = static_cast<size_t>(x);
          const auto along_row = [&](int64_t row) {
            const auto at = [&](int64_t column) { return real(call.input(0).data[input.at(n, c, row, column)]); };
            return between(at(columns.first[j]), at(columns.second[j]), columns.weight[j]);
          };
          const double value = between(along_row(rows.first[i]), along_row(rows.second[i]), rows.weight[i]);
          result.data[output.at(n, c, y, x)] = finish(value, static_cast<size_t>(c));
        }
      }
    }
  }
  return result;
}

}  // namespace

Tensor evaluate(const op::Interpolate& op, const Call& call) {
  return interpolate(
      call, op.rows, op.columns, op.layout, [](double x) { return x; }, [](double value, size_t) { return value; });
}

Tensor evaluate(const op::CodeInterpolate& op, const Call& call) {
  const Quantization& q = *call.graph[call.node.inputs[0]].quantization;
  return interpolate(
      call, op.rows, op.columns, Layout::ChannelsLast,
      [&](double code) { return q.scales[0] * q.grid.value(static_cast<int32_t>(code)); },
      [&](double value, size_t channel) { return apply(op.epilogue, channel, value, 0); });
}

}  // namespace tidbit::compiler
