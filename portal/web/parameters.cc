#include "portal/web/parameters.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "portal/web/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

bool IsUnreserved(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// Length of the sequence that begins with `lead`, and the bounds of its second byte; 0: none does.
struct Sequence {
  int length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
};
Sequence SequenceOf(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xc2 && lead <= 0xdf) return {2};
  if (lead == 0xe0) return {3, 0xa0, 0xbf};
  if (lead == 0xed) return {3, 0x80, 0x9f};
  if (lead >= 0xe1 && lead <= 0xef) return {3};
  if (lead == 0xf0) return {4, 0x90, 0xbf};
  if (lead == 0xf4) return {4, 0x80, 0x8f};
  if (lead >= 0xf1 && lead <= 0xf3) return {4};
  return {};
}

}  // namespace

absl::StatusOr<std::string> FormDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const absl::StatusOr<std::string> byte = HexDecode(text.substr(i + 1, 2));
      if (!byte.ok() || byte->size() != 1) {
        return absl::InvalidArgumentError(
            "a percent sign is not followed by two hexadecimal digits");
      }
      out.append(*byte);
      i += 2;
    }
  }
  return out;
}

std::string FormEncode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsUnreserved(byte)) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 0xf]);
    }
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = SequenceOf(static_cast<unsigned char>(text[i]));
    const auto length = static_cast<std::size_t>(sequence.length);
    if (length == 0 || text.size() - i < length) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      const unsigned char low = k == 1 ? sequence.low : 0x80;
      const unsigned char high = k == 1 ? sequence.high : 0xbf;
      if (byte < low || byte > high) return false;
    }
    i += length;
  }
  return true;
}

absl::StatusOr<Parameters> Parameters::Parse(std::string_view text) {
  Parameters parsed;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.empty()) continue;
    if (parsed.fields_.size() == kParametersMax) {
      return absl::InvalidArgumentError(StrCat("more than ", kParametersMax, " fields"));
    }
    const std::size_t equals = std::min(field.find('='), field.size());
    absl::StatusOr<std::string> name = FormDecode(field.substr(0, equals));
    if (!name.ok()) return name.status();
    absl::StatusOr<std::string> value =
        FormDecode(field.substr(std::min(equals + 1, field.size())));
    if (!value.ok()) return value.status();
    if (!IsUtf8(*name) || !IsUtf8(*value)) {
      return absl::InvalidArgumentError("a field is not UTF-8");
    }
    parsed.fields_.emplace_back(*std::move(name), *std::move(value));
  }
  return parsed;
}

std::string_view Parameters::Get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (field == name) return value;
  }
  return {};
}

bool Parameters::Has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return field.first == name; });
}

std::vector<std::string> Parameters::All(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [field, value] : fields_) {
    if (field == name && !value.empty()) values.push_back(value);
  }
  return values;
}

void Parameters::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

void Parameters::Add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

void Parameters::Remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return field.first == name; });
}

void Parameters::Remove(std::string_view name, std::string_view value) {
  std::erase_if(fields_,
                [&](const auto& field) { return field.first == name && field.second == value; });
}

std::string Parameters::ToQuery() const {
  std::string query;
  for (const auto& [name, value] : fields_) {
    if (value.empty()) continue;
    StrAppend(&query, query.empty() ? "?" : "&", FormEncode(name), "=", FormEncode(value));
  }
  return query;
}

}  // namespace postern::portal
