// The operators that a model may have.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace tidbit::compiler {

/// Operators of domains that mean the same.
struct OperatorFamily {
  std::vector<std::string_view> domains;
  std::vector<std::string_view> operators;  // sorted
};
std::vector<OperatorFamily> imported_operators();

/// An operator that is refused for a reason; others that are not imported are merely unknown.
struct RefusedOperator {
  std::string_view name, reason;
};
std::span<const RefusedOperator> refused_operators();

}  // namespace tidbit::compiler
