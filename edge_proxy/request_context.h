#pragma once

#include <string>

#include "services/common/base/uuid.h"

namespace postern::edge {

// What is known of a request beside its content.
struct RequestContext {
  Uuid request_uuid;
  std::string request_id;
  std::string message_id;  // Of the message that it made.
};

}  // namespace postern::edge
