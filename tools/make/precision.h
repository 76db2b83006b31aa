// How finely a made network is quantized, and how that is written.
#pragma once

#include <cstdint>

namespace tidbit::tools::make {

/// Bits of 1 to 8; 0: float.
struct Precision {
  int weight_bits = 8, activation_bits = 8;

  /// Of the first and the last layer, which keep 8 bits, as is usual.
  Precision edge() const { return {weight_bits == 0 ? 0 : 8, activation_bits == 0 ? 0 : 8}; }
};

enum class Format : uint8_t {
  Qonnx,  // Quant and BipolarQuant
  Qdq,    // QuantizeLinear and DequantizeLinear, int8 alone; batch normalization is folded into the weights
};

}  // namespace tidbit::tools::make
