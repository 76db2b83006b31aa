// A language for networks: layers, activations and quantizers with random parameters, written as ONNX in either format.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "tools/make/onnx_graph.h"
#include "tools/make/precision.h"

namespace tidbit::tools::make {

/// What calibration finds out about a network, by the name of the parameter: means and variances of batch
/// normalizations, scales of quantizers.
using Calibration = std::map<std::string, std::vector<float>>;

/// How a quantizer's scale follows from its input: factor * the root of the mean square.
struct ScaleRule {
  std::string parameter;  // quantizers with the same one share their scale
  double factor;
};

struct LayerOptions {
  int64_t kernel = 1, stride = 1, padding = 0, groups = 1;
  bool batch_norm = true;  // else a bias
  double gain = 1;         // of the batch normalization, about
  bool edge = false;       // the first or the last layer
  bool ternary = false;    // two bits are -1, 0 and 1
};

struct WindowOptions {
  int64_t kernel = 2, stride = 2, padding = 0;
};

/// The shape of what a window makes of images.
compiler::Shape slid_over(const compiler::Shape& image, int64_t channels, const WindowOptions& window);

NodeWriter set_window(NodeWriter node, const WindowOptions& window);

struct BuilderOptions {
  Precision precision = {};
  Format format = Format::Qonnx;
  double width = 1;  // of layers, as a factor
  uint64_t seed = 1;
};

/// Names are given to what has parameters; they must be unique. Images are NCHW. With a precision of float, quantizers
/// are left out.
class NetworkBuilder {
 public:
  NetworkBuilder(const std::string& name, const BuilderOptions& options, Calibration calibration = {});

  /// So many channels at the network's width: a multiple of 8.
  int64_t wide(int64_t channels) const;

  /// Normalised images, quantized to 8 bits.
  Value image(const compiler::Shape& shape);

  Value convolution(const std::string& name, const Value& x, int64_t channels, const LayerOptions& options);
  Value linear(const std::string& name, const Value& x, int64_t features, const LayerOptions& options = {});

  /// To the network's activation bits. Of quantizers that share a scale, the others name the first.
  Value quantize(const std::string& name, const Value& x, Codes codes, const std::string& scale_of = {});
  Value quantize_to(const std::string& name, const Value& x, Codes codes, int bits, const std::string& scale_of = {});

  Value relu(const Value& x);
  Value leaky_relu(const Value& x, double slope);
  Value prelu(const std::string& name, const Value& x);
  Value sigmoid(const Value& x);
  Value softmax(const Value& x);  // along the last axis
  Value max_pool(const Value& x, const WindowOptions& window);
  Value average_pool(const Value& x, const WindowOptions& window);  // counts the padding
  Value global_average_pool(const Value& x);
  Value flatten(const Value& x);
  Value upsample_nearest(const Value& x);   // twice as large
  Value upsample_bilinear(const Value& x);  // twice as large, corners on corners
  Value add(const Value& a, const Value& b);
  Value concatenate(const std::vector<Value>& parts, size_t axis);

  /// Each pixel's channels divided by their length, times one gain.
  Value l2_normalize(const Value& x, float gain);

  // Reals behind the last layer.
  Value constant(const std::string& name, const compiler::Shape& shape, std::span<const float> values);
  Value combine(const char* op, const Value& a, const Value& b);  // Add, Mul: b has a's rank, or is smaller
  Value reshape(const Value& x, const compiler::Shape& shape);
  Value transpose(const Value& x, const std::vector<int64_t>& permutation);
  Value slice(const Value& x, size_t axis, int64_t begin, int64_t end);

  /// The selected [batch, class, box], best first; boxes are [N, boxes, 4] corners, scores [N, classes, boxes].
  Value select_boxes(const Value& boxes, const Value& scores, int64_t most_per_class, float overlap, float score);

  void output(const std::string& name, const Value& value);
  void output_indices(const std::string& name, const Value& value);

  /// By the quantizer's node.
  const std::map<std::string, ScaleRule>& scale_rules() const { return scale_rules_; }

  onnx::ModelProto finish() { return graph_.finish(); }

 private:
  /// Weights [row][depth] and what follows them, before they are quantized.
  struct Parameters {
    std::vector<float> weights;
    std::vector<float> offset;                // bias, or the batch normalization's
    std::vector<float> gain, mean, variance;  // empty: no batch normalization
  };

  Parameters random_parameters(const std::string& name, int64_t rows, int64_t depth, const LayerOptions& options);
  Value layer(const std::string& name, const char* op, const Value& x, const compiler::Shape& weight_shape,
              compiler::Shape shape, const LayerOptions& options);
  std::string quantized_weights(const std::string& name, const compiler::Shape& shape, const Parameters& parameters,
                                const LayerOptions& options);
  std::vector<std::string> folded_layer(const std::string& name, const Value& x, const compiler::Shape& weight_shape,
                                        Parameters parameters, bool per_row);
  Value batch_normalization(const std::string& name, const Value& x, const Parameters& parameters);
  Value fake_quantize(const std::string& name, const Value& x, Codes codes, int bits, float scale);
  Value quantize_dequantize(const std::string& name, const Value& x, Codes codes, float scale);
  Value still_codes(Value moved, const Value& from);
  Value upsample(const Value& x, const char* mode, const char* coordinates);
  Value node(const char* op, const std::vector<Value>& inputs, compiler::Shape shape);

  /// A name for a node without parameters.
  std::string unnamed(const char* op);

  /// Found by calibration, or `otherwise` before it.
  std::vector<float> calibrated(const std::string& parameter, size_t count, float otherwise) const;

  OnnxGraph graph_;
  const BuilderOptions options_;
  const Calibration calibration_;
  std::map<std::string, ScaleRule> scale_rules_;
  std::map<std::string, double> deviations_;  // of the values behind a batch normalization
  std::map<std::string, size_t> unnamed_;     // nodes without parameters so far, by operator
};

}  // namespace tidbit::tools::make
