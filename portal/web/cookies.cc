#include "portal/web/cookies.h"

#include <algorithm>
#include <set>

#include "portal/web/limits.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

std::string_view Trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

}  // namespace

Cookies ParseCookies(std::string_view field) {
  Cookies cookies;
  std::set<std::string, std::less<>> twice;
  for (std::size_t count = 0; !field.empty() && count < kCookiesMax; ++count) {
    const std::size_t end = std::min(field.find(';'), field.size());
    const std::string_view pair = Trim(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    std::string name(pair.substr(0, equals));
    if (!cookies.emplace(name, pair.substr(equals + 1)).second) twice.insert(std::move(name));
  }
  for (const std::string& name : twice) cookies.erase(name);
  return cookies;
}

std::string FormatSetCookie(std::string_view name, std::string_view value, CookieLife life) {
  std::string text = StrCat(name, "=", value, "; Path=/; Secure; HttpOnly; SameSite=Lax");
  if (life.max_age.has_value()) StrAppend(&text, "; Max-Age=", life.max_age->count());
  return text;
}

}  // namespace postern::portal
