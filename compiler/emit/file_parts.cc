#include "compiler/emit/file_parts.h"

#include <algorithm>

#include "schema/bitplanes.h"

namespace tidbit::compiler {
namespace {

/// The widest codes that are kept as bit-planes.
constexpr int kPlaneBits = 4;

}  // namespace

FileParts::FileParts(const Graph& graph) {
  index_.assign(graph.values.size(), UINT32_MAX);
  const auto add = [&](ValueId id) {
    uint32_t& index = index_[static_cast<size_t>(id)];
    if (index != UINT32_MAX) return;
    index = static_cast<uint32_t>(tensors_.size());
    tensors_.push_back(id);
  };
  std::ranges::for_each(graph.inputs, add);
  for (const Node& node : graph.nodes) {
    std::ranges::for_each(node.inputs, add);
    std::ranges::for_each(node.outputs, add);
  }
  std::ranges::for_each(graph.outputs, add);
}

flatbuffers::Offset<flatbuffers::Vector<uint32_t>> FileParts::vector(const std::vector<uint32_t>& numbers) {
  return shared(vectors_, numbers, [&] { return builder_.CreateVector(numbers); });
}

flatbuffers::Offset<flatbuffers::Vector<uint32_t>> FileParts::tensor_indices(const std::vector<ValueId>& ids) {
  std::vector<uint32_t> result;
  result.reserve(ids.size());
  for (ValueId id : ids) result.push_back(index_[static_cast<size_t>(id)]);
  return vector(result);
}

flatbuffers::Offset<file::Grid> FileParts::grid(const Grid& grid) {
  const auto bits = static_cast<uint8_t>(grid.bits);
  const auto base = static_cast<uint32_t>(grid.base), step = static_cast<uint32_t>(grid.step);
  return shared(grids_, {bits, step, base}, [&] { return file::CreateGrid(builder_, bits, grid.step, grid.base); });
}

flatbuffers::Offset<file::Window> FileParts::window(const Window& w) {
  const auto f = converted<uint32_t>(std::vector<int64_t>{w.kernel[0], w.kernel[1], w.stride[0], w.stride[1],
                                                          w.dilation[0], w.dilation[1], w.pad_begin[0], w.pad_begin[1],
                                                          w.pad_end[0], w.pad_end[1]});
  return shared(windows_, f, [&] {
    return file::CreateWindow(builder_, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9]);
  });
}

file::Blob FileParts::weight_data(const op::Weights& weights) {
  if (!weights.grid) return tail_.add(weights.reals);
  if (weights.grid->bits > kPlaneBits) return tail_.add(weights.codes);
  const auto taps = static_cast<size_t>(weights.taps), channels = static_cast<size_t>(weights.channels);
  const size_t row_bytes = bitplanes::bytes_per_row(weights.grid->bits, taps, channels);
  std::vector<uint8_t> planes(static_cast<size_t>(weights.rows) * row_bytes);
  for (size_t row = 0; row < static_cast<size_t>(weights.rows); ++row) {
    bitplanes::pack_row(weights.codes.data() + row * taps * channels, weights.grid->bits, taps, channels,
                        planes.data() + row * row_bytes);
  }
  return tail_.add(planes);
}

flatbuffers::Offset<file::Weights> FileParts::weights(const op::Weights& weights) {
  const file::Blob data = weight_data(weights);
  (weights.grid ? weight_bytes_ : real_bytes_) += data.size();
  const file::WeightEncoding encoding = !weights.grid                     ? file::WeightEncoding::Real
                                        : weights.grid->bits > kPlaneBits ? file::WeightEncoding::Bytes
                                                                          : file::WeightEncoding::BitPlanes;
  const auto grid = weights.grid ? this->grid(*weights.grid) : flatbuffers::Offset<file::Grid>();
  const file::Blob scales = reals(weights.scales);
  return file::CreateWeights(builder_, static_cast<uint32_t>(weights.rows), static_cast<uint32_t>(weights.taps),
                             static_cast<uint32_t>(weights.channels), encoding, grid, &data,
                             weights.scales.empty() ? nullptr : &scales);
}

flatbuffers::Offset<file::Epilogue> FileParts::form(const op::Thresholds& t, bool integer_sums) {
  const file::Blob values = integer_sums ? parameters(converted<int32_t>(t.values)) : parameters(t.values);
  const bool falls = std::ranges::count(t.falling, 1) > 0;
  const file::Blob falling = falls ? parameters(t.falling) : file::Blob();
  const auto form = file::CreateThresholds(builder_, static_cast<uint8_t>(t.lowest), static_cast<uint32_t>(t.steps),
                                           &values, falls ? &falling : nullptr);
  return file::CreateEpilogue(builder_, file::EpilogueForm::Thresholds, form.Union());
}

flatbuffers::Offset<file::Epilogue> FileParts::form(const op::Affine& a, bool) {
  const auto in_arithmetic = [&](const std::vector<double>& values) {
    return a.float32 ? parameters(converted<float>(values)) : parameters(values);
  };
  const file::Blob multiplier = in_arithmetic(a.multiplier), offset = in_arithmetic(a.offset);
  const auto arithmetic = a.float32 ? file::Arithmetic::Float32 : file::Arithmetic::Float64;
  const auto form = file::CreateAffine(builder_, arithmetic, &multiplier, &offset, a.residual_multiplier,
                                       static_cast<uint8_t>(a.lowest), static_cast<uint8_t>(a.highest));
  if (a.knee.empty()) return file::CreateEpilogue(builder_, file::EpilogueForm::Affine, form.Union());
  const file::Blob knee = in_arithmetic(a.knee), slope = in_arithmetic(a.slope_below),
                   moved = in_arithmetic(a.offset_below);
  const auto bent = file::CreateBentAffine(builder_, form, &knee, &slope, &moved);
  return file::CreateEpilogue(builder_, file::EpilogueForm::BentAffine, bent.Union());
}

flatbuffers::Offset<file::FixedPointLine> FileParts::line(const op::FixedPointLine& l) {
  const file::Blob multiplier = parameters(l.multiplier), offset = parameters(l.offset), shift = parameters(l.shift);
  return file::CreateFixedPointLine(builder_, &multiplier, &offset, &shift);
}

flatbuffers::Offset<file::Epilogue> FileParts::form(const op::FixedPoint& f, bool) {
  const bool bent = !f.knee.empty();
  const auto above = line(f.line), below = bent ? line(f.below) : flatbuffers::Offset<file::FixedPointLine>();
  const file::Blob knee = bent ? parameters(f.knee) : file::Blob();
  const auto form = file::CreateFixedPoint(builder_, above, static_cast<uint8_t>(f.lowest),
                                           static_cast<uint8_t>(f.highest), bent ? &knee : nullptr, below);
  return file::CreateEpilogue(builder_, file::EpilogueForm::FixedPoint, form.Union());
}

flatbuffers::Offset<file::Epilogue> FileParts::form(const op::RealAffine& r, bool) {
  const file::Blob multiplier = parameters(r.multiplier), offset = parameters(r.offset);
  const auto form = file::CreateRealAffine(builder_, &multiplier, &offset, r.residual_multiplier, r.lowest, r.highest);
  return file::CreateEpilogue(builder_, file::EpilogueForm::RealAffine, form.Union());
}

flatbuffers::Offset<file::Epilogue> FileParts::epilogue(const op::Epilogue& epilogue, bool integer_sums) {
  return std::visit([&](const auto& form) { return this->form(form, integer_sums); }, epilogue);
}

}  // namespace tidbit::compiler
