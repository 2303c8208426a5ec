#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace postern::portal {

using Cookies = std::map<std::string, std::string, std::less<>>;

// The cookies of a `Cookie` field. Of a name that comes twice neither counts: somebody tries to
// shadow ours with one of another path or domain. At most kCookiesMax are looked at.
Cookies ParseCookies(std::string_view field);

// How long a browser keeps a cookie.
struct CookieLife {
  // Nullopt: until it is closed. Zero: not at all.
  std::optional<std::chrono::seconds> max_age;
};

// The value of a `Set-Cookie` field for a `__Host-` cookie: Secure, for this host and all paths,
// HttpOnly, SameSite=Lax (a link from elsewhere finds its reader signed in; a form from elsewhere
// does not). `value` must need no escaping.
std::string FormatSetCookie(std::string_view name, std::string_view value, CookieLife life);

}  // namespace postern::portal
