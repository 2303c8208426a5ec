#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace postern::edge {

// Room for idempotency keys that one lane has taken in the queue, by client: keys are counted in
// blocks, and only the message that takes a block has anything to do with the counts. What is left
// of a block is given up after kBlockLife, and with the connection. Not thread-safe.
class KeyAllowance {
 public:
  using Clock = std::chrono::steady_clock;

  // One message with a key is about to go: the block that it has to take, `step` or 0.
  std::int64_t Use(const std::string& client_id, std::int64_t step, Clock::time_point now);
  // It used no room after all; `block`: what Use said.
  void Return(const std::string& client_id, std::int64_t block);
  // The queue has no room for another block (`refused`), or gave one: until it does, each message
  // asks for itself.
  void Note(const std::string& client_id, bool refused);
  void Clear() { clients_.clear(); }

 private:
  struct Entry {
    std::int64_t left = 0;  // Below 0 when a block was refused that messages had counted on.
    Clock::time_point since;
    bool refused = false;
  };
  absl::flat_hash_map<std::string, Entry> clients_;
};

}  // namespace postern::edge
