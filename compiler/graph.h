// The compiler's graph: plain structs, values and nodes by index. Import makes it from ONNX, the passes of
// passes/passes.h rewrite it, evaluate.h gives its meaning, emit.h writes it as a .tbit file.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "schema/grid.h"

namespace tidbit::compiler {

/// What cannot be compiled, and why, in one line that names the node. The compiler's one exception type.
class CompileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Shape = std::vector<int64_t>;

/// Number of elements. Throws CompileError where that many numbers do not fit a machine's address space.
int64_t elements(const Shape& shape);
std::string to_string(const Shape& shape);

/// A dense row-major tensor of real numbers, or of codes.
struct Tensor {
  Shape shape;
  std::vector<double> data;

  static Tensor scalar(double value) { return {{}, {value}}; }
};

enum class Rounding : uint8_t { HalfEven, Floor, Ceil, TowardZero, AwayFromZero, HalfUp, HalfDown };

double round_to_integer(double x, Rounding rounding);

/// A fake quantizer: y = (clamp(round(x/scale + zero_point), lowest, highest) - zero_point) * scale, or, where
/// `bipolar`, y = x >= 0 ? scale : -scale. scale and zero_point broadcast against x (numpy's rules).
struct Quantizer {
  Tensor scale;
  Tensor zero_point;
  double lowest = 0, highest = 0;
  Rounding rounding = Rounding::HalfEven;
  bool bipolar = false;
};

/// The integer form of quantized values: real = scale * (grid.step*u + grid.base). One scale, or one an index of
/// `axis`.
struct Quantization {
  Grid grid;
  std::vector<double> scales;
  int axis = -1;  // of the per-index scales; -1: one scale
};

/// A window over the spatial axes; 2-D. 1-D operators are imported with a height of 1.
struct Window {
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1};
  int64_t pad_begin[2] = {0, 0}, pad_end[2] = {0, 0};  // resolved: no auto_pad, no ceil_mode
};

enum class Layout : uint8_t { ChannelsFirst, ChannelsLast };

// --- Operators. Inputs are listed behind each; [brackets] are optional.
namespace op {

// Real values, as in ONNX.

/// x, w [O, C/groups, kh, kw] or, channels last, [O, kh, kw, C/groups], [bias [O]]
struct Convolution {
  Window window;
  int64_t groups = 1;
  Layout layout = Layout::ChannelsFirst;
};

/// a, b: batched and broadcast as in ONNX
struct MatMul {};

/// x, scale, bias, mean, variance (each [C], C the extent of `axis`)
struct BatchNormalization {
  double epsilon = 1e-5;
  int axis = 1;
};

enum class BinaryFunction : uint8_t { Add, Sub, Mul, Div, Pow };

/// a, b: broadcast
struct Binary {
  BinaryFunction function;
};

enum class UnaryFunction : uint8_t {
  Relu,
  Sigmoid,
  Tanh,
  Exp,
  Log,
  Sqrt,
  Abs,
  Erf,
  HardSwish,  // x * clip(x/6 + 1/2, 0, 1)
  Gelu,
  GeluTanh,  // the approximation of Gelu by tanh
};

struct Unary {
  UnaryFunction function;
};

struct LeakyRelu {
  double slope = 0.01;
};

/// x, slope (broadcast)
struct PRelu {};

struct Clip {
  double lowest, highest;
};

struct Softmax {
  int axis = -1;
};

struct FakeQuant {
  Quantizer quantizer;
};

/// q = round_half_even(x/scale + zero_point); y = (clamp(rounding(q/divisor)) - output_zero_point) * output_scale
struct Trunc {
  double scale = 1, zero_point = 0;
  double divisor = 1;
  double lowest, highest;  // infinite where the file names no limits
  double output_scale = 1, output_zero_point = 0;
  Rounding rounding = Rounding::Floor;
};

/// How many of its channel's thresholds x reaches: #{t : x >= t}.
struct MultiThreshold {
  int axis = 1;                    // of the channels
  int64_t channels = 1;            // or 1 for all
  std::vector<double> thresholds;  // [channels][steps], ascending
};

struct MaxPool {
  Window window;
  Layout layout = Layout::ChannelsFirst;
};

/// Global pools have the image as their window.
struct AveragePool {
  Window window;
  bool count_padding = false;
  Layout layout = Layout::ChannelsFirst;
};

struct Reshape {};  // to the output's shape

struct Transpose {
  std::vector<int> permutation;
};

struct Concat {
  int axis = 0;
};

struct Pad {
  std::vector<int64_t> before, after;
  double value = 0;
};

/// Output pixel (y, x) is input pixel (rows[y], columns[x]).
struct Resize {
  std::vector<int64_t> rows, columns;
  Layout layout = Layout::ChannelsFirst;
};

/// Along the axis, output i is input indices[i].
struct Gather {
  int axis = 0;
  std::vector<int64_t> indices;
};

/// Where the outputs of an axis lie between the inputs: at `first` and `second`, by the weight of the second.
struct Interpolation {
  std::vector<int64_t> first, second;
  std::vector<double> weight;
};

/// Bilinear.
struct Interpolate {
  Interpolation rows, columns;
  Layout layout = Layout::ChannelsFirst;
};

/// The largest (or smallest) k along the axis, best first, of equal ones the lower index: the elements, or their
/// indices.
struct TopK {
  int axis = 0;
  int64_t k = 1;
  bool smallest = false, indices = false;
};

/// boxes [B,N,4], scores [B,C,N]; gives [B*C*min(most_per_class, N), 3] rows of batch, class and box, the last ones of
/// -1 where fewer are selected.
struct NonMaxSuppression {
  bool centered = false;
  int64_t most_per_class = 0;
  float overlap_threshold = 0, score_threshold = -std::numeric_limits<float>::infinity();
};

// Lowered operators, one for one those of schema/tidbit.fbs that work on codes. Channels are the last axis, layouts
// ChannelsLast. Pass `lower` makes them.

struct Thresholds {
  int64_t channels = 1, steps = 0;
  int32_t lowest = 0;
  std::vector<double> values;    // [channels][steps]; integers where the sums are
  std::vector<uint8_t> falling;  // [channels]
};

struct Affine {
  bool float32 = false;
  std::vector<double> multiplier, offset;  // one a channel or one
  double residual_multiplier = 0;
  int32_t lowest = 0, highest = 0;
  // What is below the knee before it is rounded is multiplied and moved once more. Empty: no knee.
  std::vector<double> knee = {}, slope_below = {}, offset_below = {};
};

/// (sum*multiplier + offset) >> shift, rounded down; one a channel or one, at least 32 bits shifted out.
struct FixedPointLine {
  std::vector<int32_t> multiplier;
  std::vector<int64_t> offset;
  std::vector<uint8_t> shift;
};

/// A line of integer sums, and another one for those below the knee. Empty knee: none.
struct FixedPoint {
  FixedPointLine line;
  int32_t lowest = 0, highest = 0;
  std::vector<int32_t> knee = {};
  FixedPointLine below = {};
};

struct RealAffine {
  std::vector<double> multiplier, offset;
  double residual_multiplier = 0;
  float lowest = -std::numeric_limits<float>::infinity(), highest = std::numeric_limits<float>::infinity();
};

using Epilogue = std::variant<Thresholds, Affine, FixedPoint, RealAffine>;

/// Weights [row][tap][channel] as codes on a grid, or, where `grid` is empty, as reals.
struct Weights {
  int64_t rows = 0, taps = 0, channels = 0;
  std::optional<Grid> grid;
  std::vector<uint8_t> codes;
  std::vector<float> reals;
  std::vector<double> scales;  // one or one a row (an output channel); only for real activations
};

enum class LinearKind : uint8_t { Quantized, Depthwise, RealInput };

/// x, [residual]; one output an epilogue
struct Linear {
  LinearKind kind;
  Window window;
  int64_t groups = 1;
  Weights weights;
  std::vector<Epilogue> epilogues;
};

struct Quantize {
  Epilogue epilogue;
};

struct Dequantize {
  int64_t channels = 1;
  std::vector<float> values;  // [channels][levels]
};

struct Lookup {
  int64_t channels = 1;
  std::vector<uint8_t> codes;  // [channels][levels of the input]
};

/// a, b of one shape
struct Combine {
  std::vector<uint8_t> codes;  // [levels of a][levels of b]
};

/// a, b of one shape, as codes: the values of a are the sums, b is the residual
struct ResidualAdd {
  Epilogue epilogue;
};

/// x as codes: integer sums, then the epilogue
struct CodePool {
  Window window;
  Epilogue epilogue;
};

/// x as codes: the interpolated real, then the epilogue
struct CodeInterpolate {
  Interpolation rows, columns;
  Epilogue epilogue;
};

/// One function of a chain on reals; its meaning is that of file::MapFunction.
struct MapStep {
  enum class Function : uint8_t {
    Affine,
    Clamp,
    LeakyRelu,
    Sigmoid,
    Tanh,
    FakeQuant,
    Bipolar,
    Exp,
    Log,
    Sqrt,
    Abs,
    Erf,
    HardSwish,
    Gelu,
    GeluTanh,
    Power,
    Quotient,
  } function;
  std::vector<double> a, b;  // one a channel or one
  double lowest = 0, highest = 0;
  Rounding rounding = Rounding::HalfEven;
};

struct Map {
  std::vector<MapStep> steps;
};

}  // namespace op

using Operator =
    std::variant<op::Convolution, op::MatMul, op::BatchNormalization, op::Binary, op::Unary, op::LeakyRelu, op::PRelu,
                 op::Clip, op::Softmax, op::FakeQuant, op::Trunc, op::MultiThreshold, op::MaxPool, op::AveragePool,
                 op::Reshape, op::Transpose, op::Concat, op::Pad, op::Resize, op::Gather, op::Interpolate, op::TopK,
                 op::NonMaxSuppression, op::Linear, op::Quantize, op::Dequantize, op::Lookup, op::Combine,
                 op::ResidualAdd, op::CodePool, op::CodeInterpolate, op::Map>;

/// "Convolution", ...: for messages and reports.
std::string_view name(const Operator& op);

using ValueId = int32_t;
constexpr ValueId kNoValue = -1;  // an optional input that is absent

struct Value {
  std::string name;  // of the ONNX value it is; empty for one a pass made up
  Shape shape;
  std::optional<Tensor> constant;  // real values; its shape is `shape`
  /// Of a constant: its values are exactly on this grid. Of any other value with `codes`: what its codes mean.
  std::optional<Quantization> quantization;
  bool codes = false;          // holds codes, not reals
  bool channels_last = false;  // axis 1 of the ONNX value is the last axis here
};

struct Node {
  std::string name;  // unique; ONNX's, or made from its first output
  Operator op;
  std::vector<ValueId> inputs;  // kNoValue for an absent optional one
  std::vector<ValueId> outputs;
  std::string note = {};  // for the report: why the node is what it is
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;  // each after those whose outputs it reads
  std::vector<ValueId> inputs, outputs;

  ValueId add(Value value) {
    values.push_back(std::move(value));
    return static_cast<ValueId>(values.size() - 1);
  }
  Value& operator[](ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& operator[](ValueId id) const { return values[static_cast<size_t>(id)]; }
};

/// The index of the node that makes each value; -1 for inputs and constants.
std::vector<int32_t> producers(const Graph&);

/// The number of node inputs and graph outputs that read each value.
std::vector<int32_t> reader_counts(const Graph&);

/// Throws CompileError where the graph breaks a rule: an index out of range, a value made twice or read before it is
/// made, a shape that does not follow from the operator.
void verify(const Graph&);

/// The shapes of a node's outputs, from its inputs'. Throws CompileError where they do not fit the operator.
std::vector<Shape> output_shapes(const Graph&, const Node&);

/// One line a node: for people, and for golden tests.
std::string to_text(const Graph&);

}  // namespace tidbit::compiler
