#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/redis/reply.h"

namespace postern::edge {

// What Redis looks at before it takes a message, and keeps with it. Everything of one message
// happens in one script, so that it holds among all edges.
struct SubmitTerms {
  std::string client_id;
  std::string key_name;  // KeyedHasher::KeyName; empty: the message has no idempotency key.
  std::string record;    // What is kept beside the key.
  std::int64_t keys_per_client = 0;   // Most keys of one client that are remembered at one time.
  std::int64_t keys_per_shard = 0;    // And of all clients that share a shard.
  std::int64_t messages_per_day = 0;  // Most messages of the client in a day (UTC); 0: no limit.
};

// What became of a message.
struct SubmitResult {
  enum class Kind {
    kFailed,      // `status` says why; whether the queue has the message is not known.
    kAdded,       // The queue has it on disk.
    kHeld,        // Its key was used before: `record` is what was kept then. Nothing was added.
    kClientFull,  // No room for another key of this client. Nothing was added.
    kShardFull,   // No room for another key of the shard. Nothing was added.
    kDayFull,     // The client has sent its messages of the day. Nothing was added.
  };
  Kind kind = Kind::kFailed;
  absl::Status status;
  std::string record;
  std::int64_t sent_today = 0;     // For kAdded under a daily limit, this one included.
  std::int64_t retry_after_s = 0;  // For the three that are full; kAdded under a daily limit: until
                                   // the day ends.
};

// How many keys may be counted at one time for a message of these terms: one where the limits are
// so small that it matters.
std::int64_t KeyBlockMax(const SubmitTerms& terms);

// The scripts that Redis knows, so that their hashes will do.
struct KnownScripts {
  bool keyed = false;
  bool full = false;
};

// Appends the command that submits messages of one shard of which nothing but their keys is to be
// looked at. Its reply has one reply for each. A script that is not `known` goes with it, and is
// known then.
struct KeyedMessage {
  std::string_view envelope;
  const SubmitTerms* terms = nullptr;
};
void AppendKeyedMessages(std::string& wire, std::uint32_t shard,
                         std::span<const KeyedMessage> messages, KnownScripts& known);

// Appends the command that submits any message under `terms`. `block`: how many keys it has to take
// room for, or 0.
void AppendSubmit(std::string& wire, std::uint32_t shard, std::string_view envelope,
                  const SubmitTerms& terms, std::int64_t block, KnownScripts& known);

// What the script answered about a message. `entry_id` is set for kAdded; it lives as long as the
// reply. Internal when the reply is not one of the script.
struct SubmitReply {
  SubmitResult result;
  std::string_view entry_id;
};
absl::StatusOr<SubmitReply> ReadSubmitReply(const redis::Reply& reply);

}  // namespace postern::edge
