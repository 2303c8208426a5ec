#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Debian builds Abseil with its own string_view, which neither takes nor gives std::string_view.
// These functions stand between.
namespace postern {

inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

namespace internal {
template <typename Value>
decltype(auto) ForAbsl(const Value& value) {
  if constexpr (std::is_same_v<Value, std::string_view>) {
    return ToAbsl(value);
  } else {
    return (value);
  }
}
}  // namespace internal

// As absl::StrCat and absl::StrAppend, for std::string_view too.
template <typename... Values>
std::string StrCat(const Values&... values) {
  return absl::StrCat(internal::ForAbsl(values)...);
}
template <typename... Values>
void StrAppend(std::string* out, const Values&... values) {
  absl::StrAppend(out, internal::ForAbsl(values)...);
}

}  // namespace postern
