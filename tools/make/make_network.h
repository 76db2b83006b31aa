// A network of a family: built small, calibrated, and built again as asked.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>

#include "tools/make/families.h"

namespace tidbit::tools::make {

struct NetworkOptions {
  BuilderOptions builder = {};                // Format::Qdq needs 8 and 8 bits
  int64_t image_height = 0, image_width = 0;  // 0: as is usual for the family
};

/// The same options give the same network; the weights depend on the seed alone. Throws Error where the images are too
/// small for the family, or the format has no such bits.
onnx::ModelProto make_network(const Family& family, const NetworkOptions& options);

}  // namespace tidbit::tools::make
