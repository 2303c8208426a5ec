#pragma once

#include "services/common/http/message.h"

namespace postern::portal {

// Sets the fields that every answer of the portal carries: Content-Security-Policy without any
// exception for inline code, Strict-Transport-Security, no sniffing, no frames, no referrer to
// others, no device features; and, unless the answer says otherwise, `Cache-Control: no-store`.
void AddSecurityHeaders(http::Response& response);

}  // namespace postern::portal
