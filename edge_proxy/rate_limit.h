#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "services/common/http/message.h"

namespace postern::edge {

// How much a client may send. 0: no limit.
struct RateLimit {
  std::int64_t per_second = 0;  // Messages a second in the long run.
  std::int64_t burst = 0;       // Messages at once after a pause; 0: those of one second.
  std::int64_t per_day = 0;     // Messages a day to all edges together; counted by the queue.

  bool limited() const { return per_second > 0; }
  std::int64_t at_once() const { return burst > 0 ? burst : per_second; }
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// Where a client stands after a request.
struct RateState {
  // Takes over what the queue has counted; nothing when `sent_today` is 0: it has not.
  void SetDay(const RateLimit& limit, std::int64_t sent_today, std::int64_t day_left_s);

  bool allowed = true;             // At least one of the messages.
  std::int64_t taken = 0;          // How many of them, under a limit.
  std::int64_t remaining = 0;      // Messages that it could send at once now.
  std::int64_t full_again_s = 0;   // Until `remaining` is the whole burst again, rounded up.
  std::int64_t retry_after_s = 0;  // Until one more message is allowed, rounded up.
  bool day_known = false;
  std::int64_t day_remaining = 0;
  std::int64_t day_left_s = 0;  // Until the day ends (UTC).
};

// What a client has sent of late, by the generic cell rate algorithm (ITU-T I.371): one number, the
// time at which the client would have nothing left to wait for if it sent evenly. All lanes share
// it; thread-safe, without locks.
class RateMeter {
 public:
  // Takes `messages` out of what `limit` allows at `now_us` (microseconds since the Unix epoch), or
  // as many as there are left. A clock that was set back costs the client at most one burst.
  RateState Take(const RateLimit& limit, std::int64_t now_us, std::int64_t messages = 1);

 private:
  std::atomic<std::int64_t> due_us_{0};
};

// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), for the policies
// "rate" and "day". Nothing for a client without a limit.
void AddRateFields(const RateLimit& limit, const RateState& state, http::Response& response);

}  // namespace postern::edge
