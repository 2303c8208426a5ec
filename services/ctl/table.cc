#include "services/ctl/table.h"

#include <wchar.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "services/common/base/utf8.h"

namespace postern::ctl {
namespace {

constexpr std::string_view kGap = "  ";

template <typename... Arguments>
std::string Format(const char* format, Arguments... arguments) {
  char text[16];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

void PrintRow(std::ostream& out, const std::vector<std::string>& cells,
              const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - DisplayWidth(cells[i]), ' ').append(kGap);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::optional<CodePoint> c = FirstCodePoint(text);
    const std::size_t size = c ? c->size : 1;
    if (!c || IsControl(c->value)) {
      const unsigned value =
          c ? static_cast<unsigned>(c->value) : static_cast<std::uint8_t>(text[0]);
      out += value == '\n' ? "\\n" : value == '\t' ? "\\t" : Format("\\x%02x", value);
    } else if (IsFormatting(c->value)) {
      out += Format("\\u{%04x}", static_cast<unsigned>(c->value));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::optional<CodePoint> c = FirstCodePoint(text);
    const int columns = c ? ::wcwidth(static_cast<wchar_t>(c->value)) : 1;
    width += columns >= 0 ? static_cast<std::size_t>(columns) : 1;
    text.remove_prefix(c ? c->size : 1);
  }
  return width;
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  cells.resize(header_.size());
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out, bool with_header) const {
  std::vector<std::size_t> widths(header_.size(), 0);
  const auto widen = [&widths](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(cells[i]));
    }
  };
  if (with_header) widen(header_);
  for (const auto& row : rows_) widen(row);
  if (with_header) PrintRow(out, header_, widths);
  for (const auto& row : rows_) PrintRow(out, row, widths);
}

}  // namespace postern::ctl
