#pragma once

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"

namespace postern::statistics {

// Folds the journal into the tables that are read, once a second, and purges old buckets. A
// transaction adds what some journal rows say and removes them: it is done once, or not at all,
// whatever ends when. Every server folds; rows that one has in hand the others leave out.
class Folder {
 public:
  Folder(db::Settings database, metrics::Registry& metrics);
  ~Folder();
  void Start();
  // Folds what is there, if the database is. Idempotent.
  void Stop();

  // One transaction on the calling thread: how many journal rows it folded.
  absl::StatusOr<std::int64_t> FoldOnce(db::Connection& connection);

 private:
  std::chrono::milliseconds Step(db::Connection& connection);
  absl::Status Purge(db::Connection& connection);

  const db::Settings database_;
  prometheus::Counter& folded_;
  prometheus::Counter& failures_;
  log::RateLimit warn_limit_{10'000};
  std::chrono::steady_clock::time_point next_purge_;
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::statistics
