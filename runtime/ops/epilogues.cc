#include "runtime/ops/epilogues.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace tidbit::internal {
namespace {

/// One epilogue while it is read.
struct Form {
  const NodeReader& node;
  const std::string& field;  // of the epilogue
  const TensorInfo& output;
  Sums sums;

  std::string name(const char* member) const { return text(field, ".", member); }
  int32_t levels() const { return grid_of(output).levels(); }
};

template <class T>
void require_finite(const Form& form, std::span<const T> values, const char* member) {
  form.node.require(std::ranges::all_of(values, [](T value) { return std::isfinite(value); }), form.name(member),
                    "has a value that is not finite");
}

/// The parameter arrays of affine forms: finite, and both per channel or both not.
template <class T>
void read_parameters(const Form& form, const file::Blob* multiplier, const file::Blob* offset, kernels::Epilogue& out) {
  const auto m = form.node.per_channel<T>(multiplier, form.name("multiplier"), channels_of(form.output));
  const auto b = form.node.array<T>(offset, form.name("offset"), m.size());
  require_finite(form, m, "multiplier");
  require_finite(form, b, "offset");
  out.per_channel = m.size() > 1;
  out.multiplier = m.data();
  out.offset = b.data();
}

/// Those below the knee: as many as those of the line, which are read.
template <class T>
void read_knee(const Form& form, const file::BentAffine& table, kernels::Epilogue& out) {
  const auto array = [&](const file::Blob* blob, const char* member) {
    const auto values = form.node.array<T>(blob, form.name(member), out.per_channel ? channels_of(form.output) : 1);
    require_finite(form, values, member);
    return values.data();
  };
  out.knee = array(table.knee(), "knee");
  out.slope_below = array(table.slope(), "slope");
  out.offset_below = array(table.offset(), "offset");
}

template <class T>
bool ascends(std::span<const T> values, size_t steps) {
  for (size_t begin = 0; begin < values.size(); begin += steps) {
    const std::span<const T> channel = values.subspan(begin, steps);
    for (size_t i = 0; i < steps; ++i) {
      if (!(channel[i] >= channel[i > 0 ? i - 1 : 0])) return false;  // a NaN is not even equal to itself
    }
  }
  return true;
}

template <class T>
void read_values(const Form& form, const file::Thresholds& table, kernels::Epilogue& out) {
  const auto values =
      form.node.per_channel<T>(table.values(), form.name("values"), channels_of(form.output), table.steps());
  form.node.require(ascends(values, table.steps()), form.name("values"), "must ascend");
  out.values = values.data();
  out.per_channel = values.size() > table.steps();
}

void read_thresholds(const Form& form, const file::Thresholds& table, kernels::Epilogue& out) {
  const NodeReader& node = form.node;
  node.require_codes(form.output, form.name("form"));
  node.require(uint64_t{table.lowest()} + table.steps() < static_cast<uint64_t>(form.levels()), form.name("steps"),
               "is ", table.steps(), " above ", table.lowest(), ", the output has ", form.levels(), " codes");
  out.form = kernels::EpilogueForm::Thresholds;
  out.lowest = table.lowest();
  out.steps = static_cast<int32_t>(table.steps());
  if (form.sums == Sums::Integer) {
    read_values<int32_t>(form, table, out);
  } else {
    read_values<double>(form, table, out);
  }
  if (table.falling() != nullptr) {
    out.falling =
        node.array<uint8_t>(table.falling(), form.name("falling"), out.per_channel ? channels_of(form.output) : 1)
            .data();
  }
}

/// lowest and highest, which must be codes of the output.
template <class Table>
void read_limits(const Form& form, const Table& table, kernels::Epilogue& out) {
  const NodeReader& node = form.node;
  node.require_codes(form.output, form.name("form"));
  node.require(table.lowest() <= table.highest(), form.name("lowest"), "is above highest");
  node.require(table.highest() < form.levels(), form.name("highest"), "is ", table.highest(), ", the output has ",
               form.levels(), " codes");
  out.lowest = table.lowest();
  out.highest = table.highest();
}

void read_affine(const Form& form, const file::Affine& table, kernels::Epilogue& out) {
  const NodeReader& node = form.node;
  read_limits(form, table, out);
  out.residual_multiplier = table.residual_multiplier();
  switch (table.arithmetic()) {
    case file::Arithmetic::Float32:
      node.require(!(std::abs(table.residual_multiplier()) > FLT_MAX), form.name("residual_multiplier"),
                   "is no float32");
      out.form = kernels::EpilogueForm::Affine32;
      return read_parameters<float>(form, table.multiplier(), table.offset(), out);
    case file::Arithmetic::Float64:
      out.form = kernels::EpilogueForm::Affine64;
      return read_parameters<double>(form, table.multiplier(), table.offset(), out);
  }
  node.fail(form.name("arithmetic"), "is unknown: ", static_cast<int>(table.arithmetic()));
}

void read_bent_affine(const Form& form, const file::BentAffine& table, kernels::Epilogue& out) {
  const std::string line = form.name("line");
  form.node.require(table.line() != nullptr, line, "is missing");
  read_affine({form.node, line, form.output, form.sums}, *table.line(), out);
  if (out.form == kernels::EpilogueForm::Affine32) {
    read_knee<float>(form, table, out);
  } else {
    read_knee<double>(form, table, out);
  }
}

/// The arrays of a line, as long as its multiplier's; lanes of int64 cannot overflow within these limits.
struct FixedPointArrays {
  const int32_t* multiplier;
  const int64_t* offset;
  const uint8_t* shift;
  size_t size;
};
FixedPointArrays read_line(const Form& form, const file::FixedPointLine* table, const char* member) {
  constexpr int64_t kMostOffset = int64_t{1} << 62;
  const Form line = {form.node, form.name(member), form.output, form.sums};
  line.node.require(table != nullptr, line.field, "is missing");
  const auto m = line.node.per_channel<int32_t>(table->multiplier(), line.name("multiplier"), channels_of(form.output));
  const auto b = line.node.array<int64_t>(table->offset(), line.name("offset"), m.size());
  const auto shifts = line.node.array<uint8_t>(table->shift(), line.name("shift"), m.size());
  line.node.require(std::ranges::count(m, INT32_MIN) == 0, line.name("multiplier"), "has the least int32");
  const auto fits = [](int64_t offset) { return offset >= -kMostOffset && offset <= kMostOffset; };
  line.node.require(std::ranges::all_of(b, fits), line.name("offset"), "has a value beyond 2^62");
  const auto shifts_out = [](uint8_t shift) { return shift >= 32 && shift <= 62; };
  line.node.require(std::ranges::all_of(shifts, shifts_out), line.name("shift"), "has a value that is not 32 to 62");
  return {m.data(), b.data(), shifts.data(), m.size()};
}

void read_fixed_point(const Form& form, const file::FixedPoint& table, kernels::Epilogue& out) {
  read_limits(form, table, out);
  form.node.require(form.sums == Sums::Integer, form.name("form"), "is for integer sums alone");
  const FixedPointArrays line = read_line(form, table.line(), "line");
  out.form = kernels::EpilogueForm::FixedPoint;
  out.per_channel = line.size > 1;
  out.multiplier = line.multiplier;
  out.offset = line.offset;
  out.shift = line.shift;
  form.node.require((table.knee() == nullptr) == (table.below() == nullptr), form.name("below"),
                    "must come with a knee, and a knee with it");
  if (table.knee() == nullptr) return;
  const FixedPointArrays below = read_line(form, table.below(), "below");
  form.node.require(below.size == line.size, form.name("below"),
                    "is per channel where the line is not, or the reverse");
  out.knee = form.node.array<int32_t>(table.knee(), form.name("knee"), line.size).data();
  out.slope_below = below.multiplier;
  out.offset_below = below.offset;
  out.shift_below = below.shift;
}

void read_real_affine(const Form& form, const file::RealAffine& table, kernels::Epilogue& out) {
  form.node.require_real(form.output, form.name("form"));
  form.node.require(table.lowest() <= table.highest(), form.name("lowest"), "is above highest, or no number");
  out.form = kernels::EpilogueForm::Real;
  out.real_lowest = table.lowest();
  out.real_highest = table.highest();
  out.residual_multiplier = table.residual_multiplier();
  read_parameters<double>(form, table.multiplier(), table.offset(), out);
}

kernels::Epilogue read(const Form& form, const file::Epilogue* table) {
  form.node.require(table != nullptr, form.field, "is missing");
  kernels::Epilogue epilogue{};
  if (const auto* thresholds = table->form_as_Thresholds()) {
    read_thresholds(form, *thresholds, epilogue);
  } else if (const auto* affine = table->form_as_Affine()) {
    read_affine(form, *affine, epilogue);
  } else if (const auto* real = table->form_as_RealAffine()) {
    read_real_affine(form, *real, epilogue);
  } else if (const auto* bent = table->form_as_BentAffine()) {
    read_bent_affine(form, *bent, epilogue);
  } else if (const auto* fixed = table->form_as_FixedPoint()) {
    read_fixed_point(form, *fixed, epilogue);
  } else {
    form.node.fail(form.name("form"), "is missing or unknown: ", static_cast<int>(table->form_type()));
  }
  form.node.require(std::isfinite(epilogue.residual_multiplier), form.name("residual_multiplier"), "is not finite");
  return epilogue;
}

}  // namespace

Epilogues::Epilogues(const NodeReader& node, const flatbuffers::Vector<flatbuffers::Offset<file::Epilogue>>* epilogues,
                     Sums sums)
    : channels_(static_cast<int32_t>(channels_of(node.output(0)))) {
  node.require(node.input_count() <= 2, "inputs", "has ", node.input_count(), " tensors, must have 1 or 2");
  if (node.input_count() == 2) {
    const TensorInfo& residual = node.input(1);
    node.require_shape(residual, node.output(0).shape, "inputs[1]");
    residual_ = ResidualInput{node.input_index(1), residual.is_real, residual.is_real ? Grid{} : grid_of(residual)};
  }
  node.require(epilogues != nullptr && epilogues->size() == node.output_count(), "epilogues", "has ",
               epilogues == nullptr ? 0 : epilogues->size(), " epilogues, the node has ", node.output_count(),
               " outputs");
  for (flatbuffers::uoffset_t i = 0; i < epilogues->size(); ++i) {
    add(node, epilogues->Get(i), i, text("epilogues[", i, "]"), sums);
  }
}

Epilogues::Epilogues(const NodeReader& node, const file::Epilogue* epilogue, Sums sums)
    : channels_(static_cast<int32_t>(channels_of(node.output(0)))) {
  add(node, epilogue, 0, "epilogue", sums);
}

void Epilogues::add(const NodeReader& node, const file::Epilogue* table, size_t output, const std::string& field,
                    Sums sums) {
  const kernels::Epilogue epilogue = read({node, field, node.output(output), sums}, table);
  node.require(epilogue.residual_multiplier == 0 || residual_.has_value(), field + ".residual_multiplier",
               "wants a residual, which the node has not");
  bound_.push_back({epilogue, node.output_index(output)});
}

const kernels::Epilogue* Epilogues::clamped_line() const {
  const kernels::Epilogue& first = bound_.front().epilogue;
  const bool line = first.form == kernels::EpilogueForm::Real && first.residual_multiplier == 0;
  return line && bound_.size() == 1 ? &first : nullptr;
}

kernels::Residual Epilogues::residual_at(const Frame& frame, int64_t element) const noexcept {
  kernels::Residual residual{.codes = nullptr, .reals = nullptr, .stride = channels_, .grid = residual_->grid};
  if (residual_->real) {
    residual.reals = frame.tensor<const float>(residual_->index) + element;
  } else {
    residual.codes = frame.tensor<const uint8_t>(residual_->index) + element;
  }
  return residual;
}

template <class Sum>
void Epilogues::apply(const Frame& frame, const SumBlock<Sum>& block) const noexcept {
  const int64_t element = block.pixel * channels_ + block.channel;
  for (const Bound& bound : bound_) {
    const bool real = bound.epilogue.form == kernels::EpilogueForm::Real;
    kernels::apply(
        bound.epilogue,
        kernels::EpilogueBlock<Sum>{
            .sums = block.sums,
            .sums_stride = block.stride,
            .residual = bound.epilogue.residual_multiplier == 0 ? kernels::Residual{} : residual_at(frame, element),
            .out = frame.tensor<std::byte>(bound.output) + element * (real ? sizeof(float) : 1),
            .out_stride = channels_,
            .pixels = block.pixels,
            .channel_begin = block.channel,
            .channels = block.channels});
  }
}

template void Epilogues::apply(const Frame&, const SumBlock<int32_t>&) const noexcept;
template void Epilogues::apply(const Frame&, const SumBlock<double>&) const noexcept;
template void Epilogues::apply(const Frame&, const SumBlock<float>&) const noexcept;

}  // namespace tidbit::internal
