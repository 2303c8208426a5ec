#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace postern::portal {

// The bytes that a percent-encoded text stands for; `+` is a blank. InvalidArgument for a broken
// escape.
absl::StatusOr<std::string> FormDecode(std::string_view text);
// For a name or value in a query or form: everything but letters, digits and `-._~` is escaped.
std::string FormEncode(std::string_view text);
// Whether the text is UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool IsUtf8(std::string_view text);

// The fields of a query or a form (`application/x-www-form-urlencoded`), in their order. A value.
class Parameters {
 public:
  // InvalidArgument for a broken escape, what is not UTF-8, or more than kParametersMax fields.
  static absl::StatusOr<Parameters> Parse(std::string_view text);

  // The first value; empty when there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  // Every value that is not empty.
  std::vector<std::string> All(std::string_view name) const;

  // In place of all that it had.
  void Set(std::string_view name, std::string_view value);
  void Add(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  // Only this value of it.
  void Remove(std::string_view name, std::string_view value);

  bool empty() const { return fields_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  // With the question mark, without fields that are empty; nothing when there are none.
  std::string ToQuery() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace postern::portal
