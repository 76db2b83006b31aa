#include "compiler/emit/operators.h"

#include <algorithm>
#include <concepts>
#include <limits>

namespace tidbit::compiler {
namespace {

template <class T, class... Options>
concept OneOf = (std::same_as<T, Options> || ...);

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

template <class T>
EmittedOperator emitted(flatbuffers::Offset<T> table) {
  return {file::OperatorTraits<T>::enum_value, table.Union()};
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Linear& linear) {
  std::vector<flatbuffers::Offset<file::Epilogue>> epilogues;
  const bool integers = linear.kind != op::LinearKind::RealInput;
  for (const op::Epilogue& epilogue : linear.epilogues) epilogues.push_back(parts.epilogue(epilogue, integers));
  const auto epilogue_vector = parts.builder().CreateVector(epilogues);
  const auto window = parts.window(linear.window);
  const auto weights = parts.weights(linear.weights);
  const auto groups = static_cast<uint32_t>(linear.groups);
  switch (linear.kind) {
    case op::LinearKind::Quantized:
      return emitted(file::CreateConvolution(parts.builder(), window, groups, weights, epilogue_vector));
    case op::LinearKind::Depthwise:
      return emitted(file::CreateDepthwiseConvolution(parts.builder(), window, weights, epilogue_vector));
    case op::LinearKind::RealInput:
      break;
  }
  return emitted(file::CreateRealConvolution(parts.builder(), window, groups, weights, epilogue_vector));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Quantize& quantize) {
  return emitted(file::CreateQuantize(parts.builder(), parts.epilogue(quantize.epilogue, false)));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Dequantize& dequantize) {
  const file::Blob values = parts.parameters(dequantize.values);
  return emitted(file::CreateDequantize(parts.builder(), &values));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Lookup& lookup) {
  const file::Blob codes = parts.parameters(lookup.codes);
  return emitted(file::CreateLookup(parts.builder(), &codes));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Combine& combine) {
  const file::Blob codes = parts.parameters(combine.codes);
  return emitted(file::CreateCombine(parts.builder(), &codes));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::ResidualAdd& add) {
  const auto epilogue = parts.epilogue(add.epilogue, true);
  return emitted(file::CreateResidualAdd(parts.builder(), parts.builder().CreateVector(&epilogue, 1)));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::CodePool& pool) {
  const auto epilogue = parts.epilogue(pool.epilogue, true);
  return emitted(file::CreateAveragePool(parts.builder(), parts.window(pool.window), true, epilogue));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Map& map) {
  std::vector<flatbuffers::Offset<file::MapStep>> steps;
  for (const op::MapStep& step : map.steps) {
    const file::Blob a = parts.parameters(step.a), b = parts.parameters(step.b);
    steps.push_back(file::CreateMapStep(parts.builder(), map_function_of(step.function), step.a.empty() ? nullptr : &a,
                                        step.b.empty() ? nullptr : &b, step.lowest, step.highest,
                                        rounding_of(step.rounding)));
  }
  return emitted(file::CreateMap(parts.builder(), parts.builder().CreateVector(steps)));
}

EmittedOperator emit_op(FileParts& parts, const Node& node, const op::Binary& binary) {
  return emitted(file::CreateBinary(parts.builder(), binary_of(binary.function, node)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::MatMul&) {
  return emitted(file::CreateMatMul(parts.builder()));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Softmax& softmax) {
  return emitted(file::CreateSoftmax(parts.builder(), static_cast<uint32_t>(softmax.axis)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::MaxPool& pool) {
  return emitted(file::CreateMaxPool(parts.builder(), parts.window(pool.window)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::AveragePool& pool) {
  return emitted(file::CreateAveragePool(parts.builder(), parts.window(pool.window), pool.count_padding));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Transpose& transpose) {
  const auto permutation = parts.vector(converted<uint32_t>(transpose.permutation));
  return emitted(file::CreateTranspose(parts.builder(), permutation));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Reshape&) {
  return emitted(file::CreateReshape(parts.builder()));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Concat& concat) {
  return emitted(file::CreateConcat(parts.builder(), static_cast<uint32_t>(concat.axis)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Pad& pad) {
  const auto before = parts.vector(converted<uint32_t>(pad.before));
  const auto after = parts.vector(converted<uint32_t>(pad.after));
  return emitted(file::CreatePad(parts.builder(), before, after, static_cast<float>(pad.value)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Resize& resize) {
  const file::Blob rows = parts.parameters(converted<uint32_t>(resize.rows));
  const file::Blob columns = parts.parameters(converted<uint32_t>(resize.columns));
  return emitted(file::CreateResize(parts.builder(), &rows, &columns));
}

EmittedOperator emit_op(FileParts& parts, const Node&, const op::Gather& gather) {
  const file::Blob indices = parts.parameters(converted<uint32_t>(gather.indices));
  return emitted(file::CreateGather(parts.builder(), static_cast<uint32_t>(gather.axis), &indices));
}
flatbuffers::Offset<file::Interpolation> interpolation(FileParts& parts, const op::Interpolation& along) {
  const file::Blob first = parts.parameters(converted<uint32_t>(along.first));
  const file::Blob second = parts.parameters(converted<uint32_t>(along.second));
  const file::Blob weight = parts.parameters(along.weight);
  return file::CreateInterpolation(parts.builder(), &first, &second, &weight);
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::Interpolate& interpolate) {
  const auto rows = interpolation(parts, interpolate.rows), columns = interpolation(parts, interpolate.columns);
  return emitted(file::CreateInterpolate(parts.builder(), rows, columns));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::CodeInterpolate& interpolate) {
  const auto rows = interpolation(parts, interpolate.rows), columns = interpolation(parts, interpolate.columns);
  return emitted(file::CreateInterpolate(parts.builder(), rows, columns, parts.epilogue(interpolate.epilogue, false)));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::TopK& top) {
  return emitted(file::CreateTopK(parts.builder(), static_cast<uint32_t>(top.axis), top.smallest, top.indices));
}
EmittedOperator emit_op(FileParts& parts, const Node&, const op::NonMaxSuppression& n) {
  const int64_t most = std::min<int64_t>(n.most_per_class, std::numeric_limits<uint32_t>::max());
  return emitted(file::CreateNonMaxSuppression(parts.builder(), n.centered, static_cast<uint32_t>(most),
                                               n.overlap_threshold, n.score_threshold));
}

/// Operators that lowering replaces. Every operator must be here or above: std::visit needs an overload for each.
template <class Op>
requires OneOf<Op, op::Convolution, op::BatchNormalization, op::Unary, op::LeakyRelu, op::PRelu, op::Clip,
               op::FakeQuant, op::Trunc, op::MultiThreshold>
    EmittedOperator emit_op(FileParts&, const Node& node, const Op&) {
  throw not_lowered(node);
}

}  // namespace

EmittedOperator emit_operator(FileParts& parts, const Node& node) {
  return std::visit([&](const auto& op) { return emit_op(parts, node, op); }, node.op);
}

}  // namespace tidbit::compiler
