// The numbers that training would have learnt: batch normalizations that fit their inputs, scales that fit what they
// quantize.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "tools/make/network_builder.h"

namespace tidbit::tools::make {

/// Evaluates a QONNX network of one input on random images, and sets each parameter on the way, before what reads it:
/// one pass, in which every layer sees what it will see. Throws compiler::CompileError.
Calibration calibrate(const onnx::ModelProto& network, const std::map<std::string, ScaleRule>& scale_rules,
                      uint64_t seed);

}  // namespace tidbit::tools::make
