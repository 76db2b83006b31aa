#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidbit::tools {

Table::Table(std::initializer_list<std::string_view> headings) {
  std::vector<std::string> cells;
  for (std::string_view heading : headings) {
    right_.push_back(heading.starts_with('>'));
    if (right_.back()) heading.remove_prefix(1);
    cells.emplace_back(heading);
  }
  rows_.push_back(std::move(cells));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(right_.size());
  for (std::string& cell : cells) {
    std::ranges::replace_if(
        cell, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      if (column > 0) line += "  ";
      line += right_[column] ? fmt::format("{:>{}}", row[column], widths[column])
                             : fmt::format("{:<{}}", row[column], widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace tidbit::tools
