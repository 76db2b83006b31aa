// Whole files in and out.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace tidbit::tools {

/// Writes the parts one after the other to a temporary beside `path`, then renames it: `path` is whole, or as it was.
/// What is no regular file (/dev/null, a pipe) is written in place. Throws Error.
void write_file(const std::string& path, std::initializer_list<std::span<const std::byte>> parts);

/// Throws what write_file() would, before work that would be in vain.
void require_writable(const std::string& path);

/// A small file whole. Throws Error.
std::string read_text(const std::string& path);

/// One label a line. Throws Error where there is none.
std::vector<std::string> read_labels(const std::string& path);

/// "1,234,567"
std::string with_separators(size_t number);

}  // namespace tidbit::tools
