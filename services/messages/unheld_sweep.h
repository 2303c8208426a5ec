#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/queue_client.h"

namespace postern::messages {

// Entries that were read and that nobody holds: at or below the group's last-delivered-id, and not
// pending. No worker would ever take one. They come from a consumer that was deleted with what it
// held, from a group that was made or set behind them, or from an append-only file that lost its
// transactions. Each is given, in the step that found it, to the consumer `reconciler` as long
// idle: a worker's next claim takes it. Neither its id nor any count changes.
class UnheldSweep {
 public:
  enum class Mode { kLook, kGiveBack };

  explicit UnheldSweep(QueueClient& queue) : queue_(queue) {}

  // Goes on where the last call ended, through all shards, for at most kSweepRoundsPerRun rounds;
  // from the beginning when the last call came to the end. How many there were. A shard without a
  // group is left to the workers, who make it. Not thread-safe.
  absl::StatusOr<std::int64_t> Run(Mode mode);
  // Whether the last call came to the end.
  bool ended() const;

 private:
  absl::StatusOr<std::int64_t> Round(Mode mode);

  QueueClient& queue_;
  std::array<std::string, redis::kShards> cursors_;  // Empty: this shard is done.
};

}  // namespace postern::messages
