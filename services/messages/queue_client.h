#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/redis/connection.h"

namespace postern::messages {

// A connection to the queue for threads that wait for their answer (reconciler, ledger): the
// connection lives on a thread of its own and is opened again when it broke, at most once a second.
// Thread-safe; one exchange at a time.
//
// Construct before those who use it; stop it after they have stopped, or to wake them.
class QueueClient {
 public:
  explicit QueueClient(redis::Settings settings);
  ~QueueClient();

  // Sends `wire`, which holds `replies` commands, and waits for as many replies. Errors are those
  // of redis::Connection; Unavailable after Stop.
  absl::StatusOr<std::vector<redis::Reply>> Exchange(std::string wire, std::size_t replies);
  // Ends a running exchange, joins the thread. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::messages
