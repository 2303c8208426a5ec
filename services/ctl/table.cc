#include "services/ctl/table.h"

#include <wchar.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

namespace postern::ctl {
namespace {

constexpr std::string_view kGap = "  ";

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 1;  // In bytes.
};

// The code point that `text` begins with, or nothing where it is not UTF-8.
std::optional<CodePoint> FirstCodePoint(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return CodePoint{lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return std::nullopt;
  char32_t value = lead & (0xFF >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    value = (value << 6) | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[size] || value > 0x10FFFF || surrogate) return std::nullopt;
  return CodePoint{value, size};
}

bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Marks and overrides of writing direction, and line separators.
bool IsFormatting(char32_t c) {
  return c == 0x061C || (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

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
