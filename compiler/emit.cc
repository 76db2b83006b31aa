#include "compiler/emit.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <limits>
#include <map>

#include "schema/bitplanes.h"
#include "schema/container.h"
#include "schema/tidbit_generated.h"

namespace tidbit::compiler {
namespace {

template <class T>
using Offset = flatbuffers::Offset<T>;

/// The widest codes that are kept as bit-planes.
constexpr int kPlaneBits = 4;

/// The blobs behind the flatbuffer. Small ones go where the alignment of large ones left room.
class Tail {
 public:
  template <class T>
  file::Blob add(const std::vector<T>& values) {
    const size_t size = values.size() * sizeof(T);
    const size_t offset = place(size, container::blob_alignment(size));
    if (!values.empty()) std::memcpy(bytes_.data() + offset, values.data(), size);
    return {offset, size};
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  static size_t aligned(size_t offset, size_t alignment) { return (offset + alignment - 1) / alignment * alignment; }

  size_t place(size_t size, size_t alignment) {
    const size_t in_gap = aligned(gap_begin_, alignment);
    if (in_gap + size <= gap_end_) {
      gap_begin_ = in_gap + size;
      return in_gap;
    }
    const size_t end = bytes_.size(), offset = aligned(end, alignment);
    if (offset - end > gap_end_ - gap_begin_) gap_begin_ = end, gap_end_ = offset;
    bytes_.resize(offset + size);
    return offset;
  }

  std::vector<std::byte> bytes_;
  size_t gap_begin_ = 0, gap_end_ = 0;  // the widest that is left
};

template <class T, class... Options>
concept OneOf = (std::same_as<T, Options> || ...);

template <class To, class From>
std::vector<To> converted(const std::vector<From>& values) {
  std::vector<To> result;
  result.reserve(values.size());
  for (const From& value : values) result.push_back(static_cast<To>(value));
  return result;
}

file::Rounding rounding_of(Rounding rounding) {
  switch (rounding) {
    case Rounding::HalfEven:
      return file::Rounding::HalfEven;
    case Rounding::Floor:
      return file::Rounding::Floor;
    case Rounding::Ceil:
      return file::Rounding::Ceil;
    case Rounding::TowardZero:
      return file::Rounding::TowardZero;
    case Rounding::AwayFromZero:
      return file::Rounding::AwayFromZero;
    case Rounding::HalfUp:
      return file::Rounding::HalfUp;
    case Rounding::HalfDown:
      return file::Rounding::HalfDown;
  }
  return file::Rounding::HalfEven;
}

CompileError not_lowered(const Node& node) {
  return CompileError(node.name + " (" + std::string(name(node.op)) + "): was not lowered; a fault of the compiler");
}

file::BinaryFunction binary_of(op::BinaryFunction function, const Node& node) {
  switch (function) {
    case op::BinaryFunction::Add:
      return file::BinaryFunction::Add;
    case op::BinaryFunction::Sub:
      return file::BinaryFunction::Sub;
    case op::BinaryFunction::Mul:
      return file::BinaryFunction::Mul;
    case op::BinaryFunction::Div:
      return file::BinaryFunction::Div;
    case op::BinaryFunction::Pow:
      break;
  }
  throw not_lowered(node);
}

/// Both list the same functions in the same order.
file::MapFunction map_function_of(op::MapStep::Function function) {
  static_assert(static_cast<int>(op::MapStep::Function::Quotient) == static_cast<int>(file::MapFunction::MAX));
  return static_cast<file::MapFunction>(function);
}

class Emitter {
 public:
  Emitter(const Graph& graph, const CompileOptions& options) : graph_(graph), options_(options) {}

  Compiled run() {
    number_tensors();
    std::vector<Offset<file::Tensor>> tensors;
    std::vector<Offset<file::Constant>> constants;
    for (ValueId id : order_) {
      tensors.push_back(tensor(graph_[id]));
      if (graph_[id].constant) constants.push_back(constant(id));
    }
    std::vector<Offset<file::Node>> nodes;
    for (const Node& node : graph_.nodes) nodes.push_back(emit_node(node));
    const auto name = fb_.CreateString(options_.name.empty() ? graph_.name : options_.name);
    const auto producer = fb_.CreateString("tidbit " TIDBIT_VERSION);
    const auto tensor_vector = fb_.CreateVector(tensors);
    const auto constant_vector = fb_.CreateVector(constants);
    const auto node_vector = fb_.CreateVector(nodes);
    const auto inputs = indices(graph_.inputs), outputs = indices(graph_.outputs);
    const auto preprocessing = emit_preprocessing();
    const auto labels = fb_.CreateVectorOfStrings(options_.labels);
    fb_.FinishSizePrefixed(file::CreateModel(fb_, container::kVersion, producer, name, tensor_vector, constant_vector,
                                             node_vector, inputs, outputs, preprocessing, labels, tail_.bytes().size()),
                           file::ModelIdentifier());
    result_.file.resize(container::align(fb_.GetSize()) + tail_.bytes().size());
    std::memcpy(result_.file.data(), fb_.GetBufferPointer(), fb_.GetSize());
    std::ranges::copy(tail_.bytes(), result_.file.end() - static_cast<ptrdiff_t>(tail_.bytes().size()));
    return std::move(result_);
  }

 private:
  // --- Tensors: the values that nodes and the graph refer to, in the order in which they are made.

  void number_tensors() {
    index_.assign(graph_.values.size(), UINT32_MAX);
    const auto add = [&](ValueId id) {
      uint32_t& index = index_[static_cast<size_t>(id)];
      if (index != UINT32_MAX) return;
      index = static_cast<uint32_t>(order_.size());
      order_.push_back(id);
    };
    std::ranges::for_each(graph_.inputs, add);
    for (const Node& node : graph_.nodes) {
      std::ranges::for_each(node.inputs, add);
      std::ranges::for_each(node.outputs, add);
    }
    std::ranges::for_each(graph_.outputs, add);
  }

  // Parts that repeat from node to node (names, shapes, grids, windows) are written once and pointed at: they are most
  // of what a small network's file holds besides weights.

  template <class T>
  using Written = std::map<std::vector<uint32_t>, Offset<T>>;

  /// The part that `fields` tell apart, which `write` writes the first time.
  template <class T>
  static Offset<T> shared(Written<T>& written, std::vector<uint32_t> fields, std::invocable auto write) {
    const auto [found, is_new] = written.try_emplace(std::move(fields));
    if (is_new) found->second = write();
    return found->second;
  }

  Offset<flatbuffers::Vector<uint32_t>> vector(const std::vector<uint32_t>& numbers) {
    return shared(vectors_, numbers, [&] { return fb_.CreateVector(numbers); });
  }

  Offset<flatbuffers::Vector<uint32_t>> indices(const std::vector<ValueId>& ids) {
    std::vector<uint32_t> result;
    result.reserve(ids.size());
    for (ValueId id : ids) result.push_back(index_[static_cast<size_t>(id)]);
    return vector(result);
  }

  Offset<file::Grid> emit_grid(const Grid& grid) {
    const auto bits = static_cast<uint8_t>(grid.bits);
    const auto base = static_cast<uint32_t>(grid.base), step = static_cast<uint32_t>(grid.step);
    return shared(grids_, {bits, step, base}, [&] { return file::CreateGrid(fb_, bits, grid.step, grid.base); });
  }

  Offset<file::Tensor> tensor(const Value& value) {
    const auto name = fb_.CreateSharedString(value.name);
    const auto shape = vector(converted<uint32_t>(value.shape));
    if (!value.codes) {
      return file::CreateTensor(fb_, name, shape, file::Element::Real, 0, 1, value.channels_last);
    }
    const auto grid = emit_grid(value.quantization->grid);
    return file::CreateTensor(fb_, name, shape, file::Element::Code, grid, value.quantization->scales[0],
                              value.channels_last);
  }

  Offset<file::Constant> constant(ValueId id) {
    const file::Blob blob = tail_.add(converted<float>(graph_[id].constant->data));
    result_.real_bytes += blob.size();
    return file::CreateConstant(fb_, index_[static_cast<size_t>(id)], &blob);
  }

  // --- Parts of operators.

  Offset<file::Window> emit_window(const Window& w) {
    const auto f = converted<uint32_t>(std::vector<int64_t>{w.kernel[0], w.kernel[1], w.stride[0], w.stride[1],
                                                            w.dilation[0], w.dilation[1], w.pad_begin[0],
                                                            w.pad_begin[1], w.pad_end[0], w.pad_end[1]});
    return shared(windows_, f,
                  [&] { return file::CreateWindow(fb_, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9]); });
  }

  file::Blob weight_data(const op::Weights& weights) {
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

  Offset<file::Weights> emit_weights(const op::Weights& weights) {
    const file::Blob data = weight_data(weights);
    (weights.grid ? result_.weight_bytes : result_.real_bytes) += data.size();
    const file::WeightEncoding encoding = !weights.grid                     ? file::WeightEncoding::Real
                                          : weights.grid->bits > kPlaneBits ? file::WeightEncoding::Bytes
                                                                            : file::WeightEncoding::BitPlanes;
    const auto grid = weights.grid ? emit_grid(*weights.grid) : Offset<file::Grid>();
    const file::Blob scales = tail_.add(weights.scales);
    result_.real_bytes += scales.size();
    return file::CreateWeights(fb_, static_cast<uint32_t>(weights.rows), static_cast<uint32_t>(weights.taps),
                               static_cast<uint32_t>(weights.channels), encoding, grid, &data,
                               weights.scales.empty() ? nullptr : &scales);
  }

  /// A blob whose bytes count as the epilogues'.
  template <class T>
  file::Blob parameters(const std::vector<T>& values) {
    const file::Blob blob = tail_.add(values);
    result_.epilogue_bytes += blob.size();
    return blob;
  }

  Offset<file::Epilogue> emit_form(const op::Thresholds& t, bool integer_sums) {
    const file::Blob values = integer_sums ? parameters(converted<int32_t>(t.values)) : parameters(t.values);
    const bool falls = std::ranges::count(t.falling, 1) > 0;
    const file::Blob falling = falls ? parameters(t.falling) : file::Blob();
    const auto form = file::CreateThresholds(fb_, static_cast<uint8_t>(t.lowest), static_cast<uint32_t>(t.steps),
                                             &values, falls ? &falling : nullptr);
    return file::CreateEpilogue(fb_, file::EpilogueForm::Thresholds, form.Union());
  }

  Offset<file::Epilogue> emit_form(const op::Affine& a, bool) {
    const auto reals = [&](const std::vector<double>& values) {
      return a.float32 ? parameters(converted<float>(values)) : parameters(values);
    };
    const file::Blob multiplier = reals(a.multiplier), offset = reals(a.offset);
    const auto arithmetic = a.float32 ? file::Arithmetic::Float32 : file::Arithmetic::Float64;
    const auto form = file::CreateAffine(fb_, arithmetic, &multiplier, &offset, a.residual_multiplier,
                                         static_cast<uint8_t>(a.lowest), static_cast<uint8_t>(a.highest));
    if (a.knee.empty()) return file::CreateEpilogue(fb_, file::EpilogueForm::Affine, form.Union());
    const file::Blob knee = reals(a.knee), slope = reals(a.slope_below), moved = reals(a.offset_below);
    const auto bent = file::CreateBentAffine(fb_, form, &knee, &slope, &moved);
    return file::CreateEpilogue(fb_, file::EpilogueForm::BentAffine, bent.Union());
  }

  Offset<file::Epilogue> emit_form(const op::RealAffine& r, bool) {
    const file::Blob multiplier = parameters(r.multiplier), offset = parameters(r.offset);
    const auto form = file::CreateRealAffine(fb_, &multiplier, &offset, r.residual_multiplier, r.lowest, r.highest);
    return file::CreateEpilogue(fb_, file::EpilogueForm::RealAffine, form.Union());
  }

  Offset<file::Epilogue> emit_epilogue(const op::Epilogue& epilogue, bool integer_sums) {
    return std::visit([&](const auto& form) { return emit_form(form, integer_sums); }, epilogue);
  }

  // --- Operators.

  struct Emitted {
    file::Operator type;
    Offset<void> table;
  };
  template <class T>
  static Emitted emitted(Offset<T> table) {
    return {file::OperatorTraits<T>::enum_value, table.Union()};
  }

  Emitted emit_op(const Node&, const op::Linear& linear) {
    std::vector<Offset<file::Epilogue>> epilogues;
    const bool integers = linear.kind != op::LinearKind::RealInput;
    for (const op::Epilogue& epilogue : linear.epilogues) epilogues.push_back(emit_epilogue(epilogue, integers));
    const auto epilogue_vector = fb_.CreateVector(epilogues);
    const auto window = emit_window(linear.window);
    const auto weights = emit_weights(linear.weights);
    const auto groups = static_cast<uint32_t>(linear.groups);
    switch (linear.kind) {
      case op::LinearKind::Quantized:
        return emitted(file::CreateConvolution(fb_, window, groups, weights, epilogue_vector));
      case op::LinearKind::Depthwise:
        return emitted(file::CreateDepthwiseConvolution(fb_, window, weights, epilogue_vector));
      case op::LinearKind::RealInput:
        break;
    }
    return emitted(file::CreateRealConvolution(fb_, window, groups, weights, epilogue_vector));
  }

  Emitted emit_op(const Node&, const op::Quantize& quantize) {
    return emitted(file::CreateQuantize(fb_, emit_epilogue(quantize.epilogue, false)));
  }

  Emitted emit_op(const Node&, const op::Dequantize& dequantize) {
    const file::Blob values = parameters(dequantize.values);
    return emitted(file::CreateDequantize(fb_, &values));
  }

  Emitted emit_op(const Node&, const op::Lookup& lookup) {
    const file::Blob codes = parameters(lookup.codes);
    return emitted(file::CreateLookup(fb_, &codes));
  }

  Emitted emit_op(const Node&, const op::Combine& combine) {
    const file::Blob codes = parameters(combine.codes);
    return emitted(file::CreateCombine(fb_, &codes));
  }

  Emitted emit_op(const Node&, const op::ResidualAdd& add) {
    const auto epilogue = emit_epilogue(add.epilogue, true);
    return emitted(file::CreateResidualAdd(fb_, fb_.CreateVector(&epilogue, 1)));
  }

  Emitted emit_op(const Node&, const op::CodePool& pool) {
    const auto epilogue = emit_epilogue(pool.epilogue, true);
    return emitted(file::CreateAveragePool(fb_, emit_window(pool.window), true, epilogue));
  }

  Emitted emit_op(const Node&, const op::Map& map) {
    std::vector<Offset<file::MapStep>> steps;
    for (const op::MapStep& step : map.steps) {
      const file::Blob a = parameters(step.a), b = parameters(step.b);
      steps.push_back(file::CreateMapStep(fb_, map_function_of(step.function), step.a.empty() ? nullptr : &a,
                                          step.b.empty() ? nullptr : &b, step.lowest, step.highest,
                                          rounding_of(step.rounding)));
    }
    return emitted(file::CreateMap(fb_, fb_.CreateVector(steps)));
  }

  Emitted emit_op(const Node& node, const op::Binary& binary) {
    return emitted(file::CreateBinary(fb_, binary_of(binary.function, node)));
  }
  Emitted emit_op(const Node&, const op::MatMul&) { return emitted(file::CreateMatMul(fb_)); }
  Emitted emit_op(const Node&, const op::Softmax& softmax) {
    return emitted(file::CreateSoftmax(fb_, static_cast<uint32_t>(softmax.axis)));
  }
  Emitted emit_op(const Node&, const op::MaxPool& pool) {
    return emitted(file::CreateMaxPool(fb_, emit_window(pool.window)));
  }
  Emitted emit_op(const Node&, const op::AveragePool& pool) {
    return emitted(file::CreateAveragePool(fb_, emit_window(pool.window), pool.count_padding));
  }
  Emitted emit_op(const Node&, const op::Transpose& transpose) {
    const auto permutation = vector(converted<uint32_t>(transpose.permutation));
    return emitted(file::CreateTranspose(fb_, permutation));
  }
  Emitted emit_op(const Node&, const op::Reshape&) { return emitted(file::CreateReshape(fb_)); }
  Emitted emit_op(const Node&, const op::Concat& concat) {
    return emitted(file::CreateConcat(fb_, static_cast<uint32_t>(concat.axis)));
  }
  Emitted emit_op(const Node&, const op::Pad& pad) {
    const auto before = vector(converted<uint32_t>(pad.before));
    const auto after = vector(converted<uint32_t>(pad.after));
    return emitted(file::CreatePad(fb_, before, after, static_cast<float>(pad.value)));
  }
  Emitted emit_op(const Node&, const op::Resize& resize) {
    const file::Blob rows = parameters(converted<uint32_t>(resize.rows));
    const file::Blob columns = parameters(converted<uint32_t>(resize.columns));
    return emitted(file::CreateResize(fb_, &rows, &columns));
  }

  Emitted emit_op(const Node&, const op::Gather& gather) {
    const file::Blob indices = parameters(converted<uint32_t>(gather.indices));
    return emitted(file::CreateGather(fb_, static_cast<uint32_t>(gather.axis), &indices));
  }
  Offset<file::Interpolation> emit_interpolation(const op::Interpolation& along) {
    const file::Blob first = parameters(converted<uint32_t>(along.first));
    const file::Blob second = parameters(converted<uint32_t>(along.second));
    const file::Blob weight = parameters(along.weight);
    return file::CreateInterpolation(fb_, &first, &second, &weight);
  }
  Emitted emit_op(const Node&, const op::Interpolate& interpolate) {
    const auto rows = emit_interpolation(interpolate.rows), columns = emit_interpolation(interpolate.columns);
    return emitted(file::CreateInterpolate(fb_, rows, columns));
  }
  Emitted emit_op(const Node&, const op::CodeInterpolate& interpolate) {
    const auto rows = emit_interpolation(interpolate.rows), columns = emit_interpolation(interpolate.columns);
    return emitted(file::CreateInterpolate(fb_, rows, columns, emit_epilogue(interpolate.epilogue, false)));
  }
  Emitted emit_op(const Node&, const op::TopK& top) {
    return emitted(file::CreateTopK(fb_, static_cast<uint32_t>(top.axis), top.smallest, top.indices));
  }
  Emitted emit_op(const Node&, const op::NonMaxSuppression& n) {
    const int64_t most = std::min<int64_t>(n.most_per_class, std::numeric_limits<uint32_t>::max());
    return emitted(file::CreateNonMaxSuppression(fb_, n.centered, static_cast<uint32_t>(most), n.overlap_threshold,
                                                 n.score_threshold));
  }

  /// Operators that lowering replaces. Every operator must be here or above: std::visit needs an overload for each.
  template <class Op>
  requires OneOf<Op, op::Convolution, op::BatchNormalization, op::Unary, op::LeakyRelu, op::PRelu, op::Clip,
                 op::FakeQuant, op::Trunc, op::MultiThreshold>
      Emitted emit_op(const Node& node, const Op&) {
    throw not_lowered(node);
  }

  Offset<file::Node> emit_node(const Node& node) {
    const Emitted op = std::visit([&](const auto& form) { return emit_op(node, form); }, node.op);
    const auto name = fb_.CreateSharedString(node.name);
    const auto inputs = indices(node.inputs), outputs = indices(node.outputs);
    return file::CreateNode(fb_, name, op.type, op.table, inputs, outputs);
  }

  Offset<file::ImagePreprocessing> emit_preprocessing() {
    if (!options_.preprocessing) return 0;
    const Preprocessing& p = *options_.preprocessing;
    const auto mean = fb_.CreateVector(p.mean), deviation = fb_.CreateVector(p.deviation);
    return file::CreateImagePreprocessing(fb_, p.channels_last, p.bgr, mean, deviation);
  }

  const Graph& graph_;
  const CompileOptions& options_;
  flatbuffers::FlatBufferBuilder fb_;
  Tail tail_;
  Written<flatbuffers::Vector<uint32_t>> vectors_;
  Written<file::Grid> grids_;
  Written<file::Window> windows_;
  std::vector<uint32_t> index_;  // of the tensor that each value is
  std::vector<ValueId> order_;   // the value that each tensor is
  Compiled result_;
};

}  // namespace

Compiled emit(const Graph& graph, const CompileOptions& options) { return Emitter(graph, options).run(); }

}  // namespace tidbit::compiler
