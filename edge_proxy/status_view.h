#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "postern/v1/envelope.pb.h"
#include "postern/v1/message_service.pb.h"

namespace postern::edge {

// What `GET /api/v1/messages/{id}` tells about a message, its timeline included.
struct StatusView {
  std::string json;
  bool final = false;              // Delivered or dead: it will not change by itself.
  std::int64_t retry_after_s = 0;  // When it is worth asking again, unless final.
};

// From the register. `now_us`: microseconds since the Unix epoch.
StatusView ViewOf(const v1::Message& message, std::int64_t now_us);
// From the edge's own buffer: accepted, and not yet known to the register.
StatusView ViewOf(const v1::Envelope& envelope);

// A page of messages as `GET /api/v1/messages` tells it. `next_cursor`: empty on the last page.
std::string ListJson(const v1::ListMessagesResponse& page, const std::string& next_cursor);

// `queued`, `retrying`, `delivered` or `dead`; nullopt for anything else.
std::optional<v1::MessageState> StateOfName(std::string_view name);

// The body of the 202: `{"id","status","accepted_at"}`. `id` in its text form.
std::string AcceptedJson(const std::string& id, std::int64_t accepted_at_us);

}  // namespace postern::edge
