#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "postern/v1/client_service.pb.h"
#include "services/clients/client_repository.h"
#include "services/common/db/executor.h"
#include "services/common/exec/poller.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/watchers.h"

namespace postern::clients {

// Where a watcher stands in the order of changes.
struct DirectoryCursor {
  std::int64_t generation = 0;  // 0: has seen nothing of this process.
  std::int64_t revision = 0;    // Of the last client given.
  std::string
      client_id;  // The last client given at that revision; empty: the whole revision was given.
  std::int64_t told_revision = -1;  // Of the directory, as last told.
};

// All clients in memory, kept up to date by a thread that reads the directory's revision twice a
// second: other servers change it, too. Watchers take their steps from memory, each at its own
// pace, so a slow one costs nothing but its cursor. Thread-safe, except Start and Stop.
class ClientDirectory {
 public:
  // `database` must outlive this.
  ClientDirectory(db::Executor& database, metrics::Registry& metrics);
  ~ClientDirectory();
  // Reads everything, then starts the thread. The database's error when it cannot be read.
  absl::Status Start();
  // Ends the thread and every watch. Idempotent.
  void Stop();

  // Looks for changes now rather than at the next turn.
  void Nudge() { poller_.Nudge(); }

  // Told after each change; ended by Stop.
  rpc::Watchers& watchers() { return watchers_; }
  // A cursor for somebody who has applied everything up to `revision`; 0 for nothing, and so is a
  // revision that the directory has not reached (a database restored from a backup).
  DirectoryCursor CursorAfter(std::int64_t revision) const;
  // Fills `step` with what comes after the cursor and moves it. False when there is nothing; never
  // at a cursor's first step.
  bool NextStep(DirectoryCursor& cursor, v1::WatchClientsResponse& step) const;

 private:
  using Key = std::pair<std::int64_t, std::string>;  // Revision, client id.

  absl::Status Refresh();
  absl::Status ReadChanges(db::Connection& connection);
  void Apply(std::vector<DirectoryEntry> changes, std::int64_t revision, bool from_scratch);

  db::Executor& database_;
  prometheus::Gauge& revision_gauge_;
  prometheus::Gauge& clients_gauge_;

  mutable std::mutex mutex_;  // The directory.
  std::map<Key, v1::Client> by_revision_;
  std::map<std::string, std::int64_t> revision_of_;
  std::int64_t revision_ = 0;
  std::int64_t generation_ = 0;

  rpc::Watchers watchers_;
  log::RateLimit warn_limit_{10'000};
  exec::Poller poller_;
};

}  // namespace postern::clients
