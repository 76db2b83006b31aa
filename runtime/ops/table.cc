#include "runtime/ops/table.h"

#include <array>

namespace tidbit::internal {
namespace {

struct Entry {
  file::Operator tag;
  MakeOp* make;
};

constexpr std::array kOps = {
    Entry{file::Operator::NONE, nullptr},
    Entry{file::Operator::Convolution, make_convolution},
    Entry{file::Operator::DepthwiseConvolution, make_depthwise_convolution},
    Entry{file::Operator::RealConvolution, make_real_convolution},
    Entry{file::Operator::Quantize, make_quantize},
    Entry{file::Operator::Dequantize, make_dequantize},
    Entry{file::Operator::Lookup, make_lookup},
    Entry{file::Operator::Combine, make_combine},
    Entry{file::Operator::Map, make_map},
    Entry{file::Operator::Binary, make_binary},
    Entry{file::Operator::MatMul, make_matmul},
    Entry{file::Operator::Softmax, make_softmax},
    Entry{file::Operator::MaxPool, make_max_pool},
    Entry{file::Operator::AveragePool, make_average_pool},
    Entry{file::Operator::Transpose, make_transpose},
    Entry{file::Operator::Reshape, make_reshape},
    Entry{file::Operator::Concat, make_concat},
    Entry{file::Operator::Pad, make_pad},
    Entry{file::Operator::Resize, make_resize},
    Entry{file::Operator::Gather, make_gather},
    Entry{file::Operator::Interpolate, make_interpolate},
    Entry{file::Operator::TopK, make_top_k},
    Entry{file::Operator::NonMaxSuppression, make_non_max_suppression},
    Entry{file::Operator::ResidualAdd, make_residual_add},
};

constexpr bool in_order_of_tags() {
  for (size_t i = 0; i < kOps.size(); ++i) {
    if (kOps[i].tag != static_cast<file::Operator>(i)) return false;
  }
  return true;
}

static_assert(kOps.size() == static_cast<size_t>(file::Operator::MAX) + 1, "an operator of the schema is missing here");
static_assert(in_order_of_tags());

}  // namespace

std::unique_ptr<Op> make_op(file::Operator tag, const NodeReader& node, const OpOptions& options) {
  return kOps[static_cast<size_t>(tag)].make(node, options);
}

}  // namespace tidbit::internal
