#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace postern::edge {

// Room for idempotency keys that one lane has taken in the queue, by client: keys are counted in
// blocks, and only the message that takes a block has anything to do with the counts. A client's
// first block is of one key, and each is twice as large as the one before, up to the size that is
// asked for: who sends little takes little. What is left of a block is given up after
// kKeyBlockLife, and with the connection. Not thread-safe.
class KeyAllowance {
 public:
  using Clock = std::chrono::steady_clock;

  // One message with a key is about to go: the block that it has to take, at most `block_max`, or
  // 0.
  std::int64_t Use(const std::string& client_id, std::int64_t block_max, Clock::time_point now);
  // It used no room after all; `block`: what Use said.
  void Return(const std::string& client_id, std::int64_t block);
  // The queue gave the block that was asked for.
  void Granted(const std::string& client_id);
  // The queue has no room for another block.
  void Refused(const std::string& client_id);
  void Clear() { clients_.clear(); }

 private:
  struct Entry {
    // Below 0 when messages had counted on a block that was not taken.
    std::int64_t left = 0;
    std::int64_t next_block = 1;
    Clock::time_point since;
  };
  absl::flat_hash_map<std::string, Entry> clients_;
};

}  // namespace postern::edge
