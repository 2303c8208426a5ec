#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/base/time.h"
#include "services/common/db/connection.h"
#include "services/common/metrics/metrics.h"

namespace postern::db {

// Threads that own one database connection each, behind a bounded queue. A broken connection is
// discarded and opened again at the next piece of work; while the database is away each piece of
// work is told so at once (after one try per second). Thread-safe.
class Executor {
 public:
  // Called on an executor thread, exactly once for work that was taken: with a connection, or with
  // the reason why there is none (Unavailable; DeadlineExceeded when the deadline passed in the
  // queue).
  using Work = std::function<void(absl::StatusOr<Connection*>)>;

  Executor(Settings settings, std::size_t threads, std::size_t queue_max,
           metrics::Registry& metrics);
  ~Executor();
  // False when the queue is full or after Stop: the work was not taken.
  [[nodiscard]] bool TrySubmit(Deadline deadline, Work work);
  // Does what is queued, joins the threads.
  void Stop();
  // Whether the last use of the database worked.
  bool healthy() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::db
