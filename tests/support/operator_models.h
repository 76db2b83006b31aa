// A small model of each operator, for tests that want all of them.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/onnx_builder.h"

namespace tidbit::test {

using Ints = std::vector<int64_t>;

struct OperatorModel {
  const char* name;
  Ints shape;
  std::function<void(OnnxBuilder&)> add;  // from 'a' to 'b'

  OnnxBuilder on_reals() const;
  /// Scales that are no powers of two, the same before and behind: halves are frequent.
  OnnxBuilder between_quantizers(float scale = 0.3F) const;

  friend void PrintTo(const OperatorModel& instance, std::ostream* out) { *out << instance.name; }
};

inline void quantize(OnnxBuilder& model, const char* from, const char* to, float scale, float bits, int is_signed) {
  const std::string name = to;
  model.reals(name + "_scale", {}, {scale}).reals(name + "_zero", {}, {0}).reals(name + "_bits", {}, {bits});
  model.node("Quant", {from, name + "_scale", name + "_zero", name + "_bits"}, to)
      .name("quantizer of " + name)
      .domain("qonnx.custom_op.general")
      .set("signed", is_signed);
}

inline OnnxBuilder OperatorModel::on_reals() const {
  OnnxBuilder model(18);
  model.input("a", shape).output("b");
  add(model);
  return model;
}

inline OnnxBuilder OperatorModel::between_quantizers(float scale) const {
  OnnxBuilder model(18);
  model.input("x", shape).output("y");
  quantize(model, "x", "a", scale, 4, 1);
  add(model);
  quantize(model, "b", "y", scale, 4, 1);
  return model;
}

inline std::vector<float> pattern(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5) * 0.25F;
  return values;
}

inline OperatorModel unary(const char* op) {
  return {op, {2, 3, 4, 5}, [op](OnnxBuilder& m) { m.node(op, {"a"}, "b"); }};
}

inline OperatorModel resize(const char* name, const char* coordinates, float rows, float columns) {
  return {name, {1, 3, 5, 6}, [=](OnnxBuilder& m) {
            m.reals("scales", {4}, {1, 1, rows, columns});
            m.node("Resize", {"a", "", "scales"}, "b")
                .set("mode", "linear")
                .set("coordinate_transformation_mode", coordinates);
          }};
}

inline OperatorModel transposed(const char* name, Ints strides, Ints kernel, Ints pads, Ints dilations, Ints extra,
                                int64_t groups) {
  return {name, {1, 4, 5, 6}, [=](OnnxBuilder& m) {
            m.reals("w", {4, 6 / groups, kernel[0], kernel[1]},
                    pattern(static_cast<size_t>(4 * 6 / groups * kernel[0] * kernel[1])));
            m.reals("bias", {6}, pattern(6));
            quantize(m, "w", "quantized_w", 0.25F, 4, 1);
            m.node("ConvTranspose", {"a", "quantized_w", "bias"}, "b")
                .set("strides", strides)
                .set("pads", pads)
                .set("dilations", dilations)
                .set("output_padding", extra)
                .set("group", groups);
          }};
}

inline std::vector<OperatorModel> operator_models() {
  std::vector<OperatorModel> all;
  for (const char* op : {"Exp", "Erf", "HardSwish", "HardSigmoid", "Gelu", "Abs", "Neg", "GlobalMaxPool"}) {
    all.push_back(unary(op));
  }
  const auto add = [&](const char* name, Ints shape, std::function<void(OnnxBuilder&)> make) {
    all.push_back({name, std::move(shape), std::move(make)});
  };
  add("Sqrt", {2, 3}, [](OnnxBuilder& m) {
    m.node("Relu", {"a"}, "r");
    m.node("Sqrt", {"r"}, "b");
  });
  add("Log", {2, 3}, [](OnnxBuilder& m) {
    m.node("Exp", {"a"}, "r");
    m.node("Log", {"r"}, "b");
  });
  add("Pow", {2, 3}, [](OnnxBuilder& m) { m.reals("two", {}, {2}).node("Pow", {"a", "two"}, "b"); });
  add("GeluTanh", {2, 30}, [](OnnxBuilder& m) { m.node("Gelu", {"a"}, "b").set("approximate", "tanh"); });
  add("Reciprocal", {2, 3}, [](OnnxBuilder& m) {
    m.node("Exp", {"a"}, "r");
    m.node("Reciprocal", {"r"}, "b");
  });
  add("MinAndMax", {2, 3}, [](OnnxBuilder& m) {
    m.reals("low", {}, {-1}).reals("high", {}, {1}).node("Max", {"a", "low"}, "r");
    m.node("Min", {"high", "r"}, "b");
  });
  add("Slice", {1, 6, 5, 4}, [](OnnxBuilder& m) {
    m.integers("from", {3}, {4, -1, 1}).integers("to", {3}, {0, -100, 3}).integers("axes", {3}, {1, 2, 3});
    m.integers("steps", {3}, {-1, -2, 1}).node("Slice", {"a", "from", "to", "axes", "steps"}, "b");
  });
  add("Split", {1, 6, 5, 4}, [](OnnxBuilder& m) {
    m.integers("sizes", {2}, {2, 4});
    m.node("Split", {"a", "sizes"}, "first").set("axis", 1);
    m.graph().mutable_node(m.graph().node_size() - 1)->add_output("second");
    m.node("Concat", {"second", "first", "second"}, "b").set("axis", 1);
  });
  add("Gather", {1, 6, 5, 4}, [](OnnxBuilder& m) {
    m.integers("picks", {2, 2}, {3, -1, 0, 3}).node("Gather", {"a", "picks"}, "b").set("axis", 2);
  });
  add("ReduceMeanOfImages", {1, 6, 5, 4}, [](OnnxBuilder& m) {
    m.integers("axes", {2}, {2, 3}).node("ReduceMean", {"a", "axes"}, "b").set("keepdims", 0);
  });
  add("ReduceMeanOfChannels", {1, 6, 5, 4}, [](OnnxBuilder& m) {
    m.integers("axes", {1}, {1}).node("ReduceMean", {"a", "axes"}, "b");
  });
  add("ReduceSum", {3, 4, 5}, [](OnnxBuilder& m) {
    m.integers("axes", {2}, {0, -1}).node("ReduceSum", {"a", "axes"}, "b");
  });
  add("ReduceMax", {3, 4, 5}, [](OnnxBuilder& m) { m.node("ReduceMax", {"a"}, "b"); });
  add("ReduceL2", {3, 4, 5}, [](OnnxBuilder& m) { m.integers("axes", {1}, {1}).node("ReduceL2", {"a", "axes"}, "b"); });
  add("LayerNormalization", {1, 7, 12}, [](OnnxBuilder& m) {
    m.reals("s", {12}, pattern(12)).reals("o", {12}, pattern(12)).node("LayerNormalization", {"a", "s", "o"}, "b");
  });
  add("InstanceNormalization", {1, 3, 5, 4}, [](OnnxBuilder& m) {
    m.reals("s", {3}, pattern(3)).reals("o", {3}, pattern(3)).node("InstanceNormalization", {"a", "s", "o"}, "b");
  });
  add("LpNormalization", {1, 6, 3, 4}, [](OnnxBuilder& m) { m.node("LpNormalization", {"a"}, "b").set("axis", 1); });
  add("LpNormalizationBySums", {2, 6},
      [](OnnxBuilder& m) { m.node("LpNormalization", {"a"}, "b").set("axis", 1).set("p", 1); });
  add("ArgMax", {1, 6, 3, 4}, [](OnnxBuilder& m) { m.node("ArgMax", {"a"}, "b").set("axis", 1); });
  add("ArgMinLast", {1, 6, 3, 4}, [](OnnxBuilder& m) {
    m.node("ArgMin", {"a"}, "b").set("axis", 3).set("keepdims", 0).set("select_last_index", 1);
  });
  add("TopK", {2, 9, 3}, [](OnnxBuilder& m) {
    m.integers("k", {1}, {4}).node("TopK", {"a", "k"}, "values").set("axis", 1).set("largest", 0);
    m.graph().mutable_node(m.graph().node_size() - 1)->add_output("indices");
    m.node("Add", {"values", "indices"}, "b");
  });
  add("NonMaxSuppression", {1, 20, 6}, [](OnnxBuilder& m) {
    m.integers("sizes", {2}, {4, 2}).node("Split", {"a", "sizes"}, "boxes").set("axis", 2);
    m.graph().mutable_node(m.graph().node_size() - 1)->add_output("by_box");
    m.node("Transpose", {"by_box"}, "scores").set("perm", Ints{0, 2, 1});
    m.integers("most", {}, {5}).reals("overlap", {}, {0.3F}).reals("least", {}, {0.1F});
    m.node("NonMaxSuppression", {"boxes", "scores", "most", "overlap", "least"}, "b");
  });
  add("QuantizeLinear", {1, 2, 4, 4}, [](OnnxBuilder& m) {
    onnx::TensorProto zero = OnnxBuilder::empty_tensor("zero", {}, onnx::TensorProto::UINT8);
    zero.add_int32_data(3);
    onnx::TensorProto weights = OnnxBuilder::empty_tensor("w", {3, 2, 2, 2}, onnx::TensorProto::INT8);
    onnx::TensorProto no_zero = OnnxBuilder::empty_tensor("no_zero", {}, onnx::TensorProto::INT8);
    onnx::TensorProto bias = OnnxBuilder::empty_tensor("bias", {3}, onnx::TensorProto::INT32);
    for (int i = 0; i < 24; ++i) weights.add_int32_data(i % 15 - 7);
    for (int i = 0; i < 3; ++i) bias.add_int32_data(100 * i);
    no_zero.add_int32_data(0);
    for (const auto& tensor : {zero, weights, no_zero, bias}) *m.graph().add_initializer() = tensor;
    m.reals("s", {}, {0.25F}).reals("ws", {3}, {0.5F, 0.25F, 0.1F});
    m.node("QuantizeLinear", {"a", "s", "zero"}, "q");
    m.node("MaxPool", {"q"}, "p").set("kernel_shape", Ints{2, 2}).set("strides", Ints{1, 1});
    m.node("QLinearConv", {"p", "s", "zero", "w", "ws", "no_zero", "s", "zero", "bias"}, "r");
    m.node("QLinearAdd", {"r", "s", "zero", "r", "s", "zero", "s", "zero"}, "t").domain("com.microsoft");
    m.node("DequantizeLinear", {"t", "s", "zero"}, "b");
  });
  add("MatMulInteger", {3, 4}, [](OnnxBuilder& m) {
    onnx::TensorProto weights = OnnxBuilder::empty_tensor("w", {4, 2}, onnx::TensorProto::UINT8);
    onnx::TensorProto zero = OnnxBuilder::empty_tensor("zero", {}, onnx::TensorProto::UINT8);
    for (int i = 0; i < 8; ++i) weights.add_int32_data(30 * i);
    zero.add_int32_data(128);
    for (const auto& tensor : {weights, zero}) *m.graph().add_initializer() = tensor;
    m.reals("s", {}, {0.25F});
    m.node("QuantizeLinear", {"a", "s", "zero"}, "q");
    m.node("MatMulInteger", {"q", "w", "zero", "zero"}, "sums");
    m.node("Cast", {"sums"}, "reals").set("to", 1);
    m.reals("back", {}, {0.01F}).node("Mul", {"reals", "back"}, "b");
  });
  add("MultiThreshold", {1, 3, 4, 4}, [](OnnxBuilder& m) {
    m.reals("w", {3, 3, 1, 1}, {1, -1, 1, -1, -1, 1, 1, 1, 1}).node("Conv", {"a", "w"}, "c");
    m.reals("t", {3, 3}, {-1, 0, 1, -2, 0.5F, 2, 0.1F, 0.2F, 0.3F});
    m.node("MultiThreshold", {"c", "t"}, "b").domain("qonnx.custom_op.general").set("out_bias", -1.0F);
  });
  all.push_back(resize("ResizeHalfPixel", "half_pixel", 2, 2));
  all.push_back(resize("ResizeAlignCorners", "align_corners", 2, 1.5F));
  all.push_back(resize("ResizeAsymmetric", "asymmetric", 0.6F, 3));
  all.push_back(transposed("ConvTranspose2x2", {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, {0, 0}, 1));
  all.push_back(transposed("ConvTranspose4x4", {2, 2}, {4, 4}, {1, 1, 1, 1}, {1, 1}, {0, 0}, 1));
  all.push_back(transposed("ConvTransposeUneven", {3, 1}, {3, 2}, {1, 0, 2, 1}, {2, 1}, {1, 0}, 2));
  return all;
}

}  // namespace tidbit::test
