// A table of text with aligned columns.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tidbit::tools {

class Table {
 public:
  /// A heading that starts with '>' makes its column right-aligned.
  explicit Table(std::initializer_list<std::string_view> headings);

  /// One cell a column. Control characters become '?': names come from files.
  void add(std::vector<std::string> cells);

  std::string text() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tidbit::tools
