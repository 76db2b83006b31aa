// How the command fails: with one line that says what is wrong, where, and what to do.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

/// The work failed (exit code 1). The message is one line: "<what and where>: <what to do>".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// The value of a runtime call, or its message as an Error.
template <class T>
T require(Result<T> result) {
  if (!result) throw Error(result.status().message());
  return *std::move(result);
}

}  // namespace tidbit::tools
