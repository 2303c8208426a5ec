#pragma once

#include <string>

#include "postern/v1/envelope.pb.h"
#include "postern/v1/message_service.pb.h"

namespace postern::edge {

// What `GET /api/v1/messages/{id}` tells about a message.
struct StatusView {
  std::string json;
  bool final = false;              // Delivered or dead: it will not change by itself.
  std::int64_t retry_after_s = 0;  // When it is worth asking again, unless final.
};

// From the register. `now_us`: microseconds since the Unix epoch.
StatusView ViewOf(const v1::Message& message, std::int64_t now_us);
// From the edge's own buffer: accepted, and not yet known to the register.
StatusView ViewOf(const v1::Envelope& envelope);

// The body of the 202: `{"id","status","accepted_at"}`. `id` in its text form.
std::string AcceptedJson(const std::string& id, std::int64_t accepted_at_us);

}  // namespace postern::edge
