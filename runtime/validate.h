// What a file says of the model around its operators, checked.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/container.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::internal {

struct Constant {
  size_t tensor;
  std::span<const float> values;
};

struct Description {
  std::string name;
  std::vector<TensorInfo> tensors;
  std::vector<NodeInfo> nodes;  // what is known without their operators
  std::vector<Constant> constants;
  std::vector<size_t> inputs, outputs;
  std::optional<ImagePreprocessing> preprocessing;
  std::vector<std::string> labels;
};

/// Throws Failure. After it every index is in range, and every tensor is written once, before it is read.
Description validate(const FileView&, const LoadOptions&);

/// How messages name a node.
std::string title(const NodeInfo&, size_t index);

}  // namespace tidbit::internal
