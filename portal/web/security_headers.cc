#include "portal/web/security_headers.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace postern::portal {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kFields{{
    // Bootstrap's style sheet has its small pictures as data: addresses.
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
     "base-uri 'none'"},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    // With no-referrer browsers would send `Origin: null` with our own forms.
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy",
     "camera=(), microphone=(), geolocation=(), payment=(), usb=(), accelerometer=(), "
     "gyroscope=(), magnetometer=()"},
}};

}  // namespace

void AddSecurityHeaders(http::Response& response) {
  for (const auto& [name, value] : kFields) response.fields.emplace_back(name, value);
  const bool has_cache_control =
      std::any_of(response.fields.begin(), response.fields.end(),
                  [](const auto& field) { return field.first == "Cache-Control"; });
  if (!has_cache_control) response.fields.emplace_back("Cache-Control", "no-store");
}

}  // namespace postern::portal
