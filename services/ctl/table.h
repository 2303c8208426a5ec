#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace postern::ctl {

// Text that may go to a terminal: control characters, broken UTF-8 and characters that turn the
// writing direction are shown as
// `\xNN` or `\u{NNNN}`, so that data cannot drive the terminal.
std::string Printable(std::string_view text);

// How many columns a terminal needs for printable UTF-8; wide characters take two.
std::size_t DisplayWidth(std::string_view text);

// Rows under a header, columns aligned with two blanks between. Cells are made printable.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  // As many cells as the header has.
  void Add(std::vector<std::string> cells);
  void Print(std::ostream& out, bool with_header) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace postern::ctl
