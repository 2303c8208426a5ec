#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "postern/v1/message_service.pb.h"
#include "services/common/base/uuid.h"
#include "tests/load/random.h"

namespace postern::load {

// What a preload lays down.
struct PreloadPlan {
  std::int64_t messages = 0;
  std::int64_t clients = 0;
  std::int64_t begin_us = 0;    // When the first one was accepted, since the Unix epoch.
  std::int64_t end_us = 0;      // After the last one. They are spread evenly.
  bool delivered_only = false;  // None is dead or to be tried again.
};

// One message as if it had come and gone its way.
struct PreloadMessage {
  Uuid id;
  std::string client_id;
  std::string number;
  std::string client_ref;
  std::string body;
  v1::MessageState state = v1::MESSAGE_STATE_DELIVERED;
  std::string_view reason;  // Why it is dead, or why its last attempt failed.
  std::int64_t attempts = 1;
  std::int64_t accepted_at_us = 0;
  std::int64_t delivered_at_us = 0;  // 0: not.
};

// `client-00`, `client-01`, …
std::string PreloadClient(std::int64_t index);

// Makes messages by their place, 0 to `messages` - 1 of the plan:
// - Clients are uneven: of a thousand the first has a tenth of all messages, the last a thirtieth
//   of a percent.
// - A number belongs to one client. A twentieth of a client's messages are from one number, the
//   others from so many that each has about ten.
// - The reference of message n is `ref-<n>`, that of every hundredth one `newsletter`.
// - Of 1,000 one is dead, of 10,000 one is retried (no key opens it), of 100 one was delivered by
//   its second attempt, 30 s late. The others took 8 to 68 ms.
// Bodies have 160 characters. Not thread-safe.
class PreloadMessages {
 public:
  PreloadMessages(const PreloadPlan& plan, std::uint64_t seed) : plan_(plan), random_(seed) {}

  PreloadMessage Make(std::int64_t place);

 private:
  Uuid MakeId(std::int64_t place, std::int64_t at_us);
  std::string MakeBody();
  std::int64_t PickClient();

  const PreloadPlan plan_;
  Random random_;
};

}  // namespace postern::load
