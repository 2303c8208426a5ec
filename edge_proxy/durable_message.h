#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "services/common/base/uuid.h"

namespace postern::edge {

// A message that the queue has acknowledged: it is on disk. The views live as long as the call that
// gets it.
struct DurableMessage {
  Uuid id;
  std::uint32_t shard = 0;
  std::string_view entry_id;
  std::string_view envelope;  // Serialised postern.v1.Envelope.
};

// Takes what one pipeline made durable, before the callers hear of it. `durable_at_us`:
// microseconds since the Unix epoch. Called on the lane's thread; must not block.
using OnDurable = std::function<void(std::span<const DurableMessage>, std::int64_t durable_at_us)>;

}  // namespace postern::edge
