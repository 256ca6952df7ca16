// A text table with aligned columns.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace bitplex {

// Not thread-safe.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  // Cells may hold any bytes; they are made printable. Missing cells are empty, surplus ones are
  // dropped.
  void AddRow(std::vector<std::string> cells);

  // Titles, then rows; two spaces between columns, none at a line's end.
  void Print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bitplex
