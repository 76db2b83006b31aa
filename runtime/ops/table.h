// Every operator of the schema.
#pragma once

#include <memory>

#include "runtime/ops/op.h"

namespace tidbit::internal {

/// The operator of a node, checked: throws Failure. `tag` is not NONE and not beyond the schema's.
std::unique_ptr<Op> make_op(file::Operator tag, const NodeReader&, const OpOptions&);

// One for each member of the schema's union, in the file of its name or of its nearest relation.
using MakeOp = std::unique_ptr<Op>(const NodeReader&, const OpOptions&);
MakeOp make_convolution, make_depthwise_convolution, make_real_convolution, make_quantize, make_dequantize, make_lookup,
    make_combine, make_residual_add, make_map, make_binary, make_matmul, make_softmax, make_max_pool, make_average_pool,
    make_transpose, make_reshape, make_concat, make_pad, make_resize, make_gather, make_interpolate, make_top_k,
    make_non_max_suppression;

}  // namespace tidbit::internal
