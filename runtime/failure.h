// How the inside of the runtime says that something failed: a Failure is thrown, and becomes a Status at the API.
#pragma once

#include <concepts>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tidbit/tidbit.hpp"

namespace tidbit::internal {

struct Failure {
  StatusCode code;
  std::string message;
};

inline void append(std::string& line, std::string_view part) { line += part; }
inline void append(std::string& line, std::integral auto part) { line += std::to_string(part); }

/// The parts, one after the other.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::string line;
  (append(line, parts), ...);
  return line;
}

/// A name out of a file, fit for a message of one line.
inline std::string printable(std::string_view name) {
  constexpr size_t kLongest = 80;
  std::string result(name.substr(0, kLongest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return name.size() > kLongest ? result + "..." : result;
}

/// What `body` returns, or the Status of what it threw.
template <class T, class Body>
Result<T> guarded(const Body& body) noexcept {
  try {
    return body();
  } catch (Failure& failure) {
    return Status(failure.code, std::move(failure.message));
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::OutOfMemory, "out of memory");
  } catch (const std::length_error&) {  // a container asked for more than the address space
    return Status(StatusCode::OutOfMemory, "out of memory");
  }
}

}  // namespace tidbit::internal
