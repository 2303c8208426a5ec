#pragma once

#include <hiredis/hiredis.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace postern::redis {

// A RESP2 reply, owned. Views into it live as long as the reply.
class Reply {
 public:
  // Takes over a reply that hiredis allocated.
  explicit Reply(redisReply* raw) : raw_(raw, freeReplyObject) {}
  // A reply that lies in memory which it shares with others.
  Reply(const std::shared_ptr<void>& memory, redisReply* raw) : raw_(memory, raw) {}

  bool IsNil() const { return raw_->type == REDIS_REPLY_NIL; }
  bool IsError() const { return raw_->type == REDIS_REPLY_ERROR; }
  bool IsArray() const { return raw_->type == REDIS_REPLY_ARRAY; }
  bool IsInteger() const { return raw_->type == REDIS_REPLY_INTEGER; }
  // The text of a string, status or error.
  std::string_view text() const {
    return raw_->str ? std::string_view(raw_->str, raw_->len) : std::string_view();
  }
  std::int64_t integer() const { return raw_->integer; }
  const redisReply& raw() const { return *raw_; }
  // Of an array, each on its own; they share its memory.
  std::vector<Reply> Elements() const;

  // OK unless it is an error: NOGROUP, UNBLOCKED and no such key are NotFound; NOSCRIPT is
  // NotFound; OOM, MISCONF, BUSY, LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN are
  // Unavailable; NOAUTH, WRONGPASS and NOPERM are PermissionDenied; BUSYGROUP is AlreadyExists; the
  // rest is Internal. The message begins with Redis's own error code.
  absl::Status ToStatus() const;

 private:
  std::shared_ptr<redisReply> raw_;
};

}  // namespace postern::redis
