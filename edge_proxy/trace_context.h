#pragma once

#include <string>
#include <string_view>

#include "services/common/base/uuid.h"
#include "services/common/http/message.h"

namespace postern::edge {

// Whether `value` is a `traceparent` of version 00 (W3C Trace Context, level 1, section 3.2): 55
// characters, lower-case hexadecimal, no id all zero.
bool IsValidTraceparent(std::string_view value);

// The one that the client sent, a view into the request; empty when it sent none or a bad one.
std::string_view TraceOf(const http::Request& request);

// A `traceparent` for a request that brought none: the trace id is the request id, so that both
// find each other; not sampled.
std::string MakeTraceparent(const Uuid& request_id, const Uuid& message_id);

}  // namespace postern::edge
