#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "postern/v1/certificate_service.pb.h"
#include "services/certificates/authority/folder.h"
#include "services/common/db/executor.h"
#include "services/common/exec/poller.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/watchers.h"

namespace postern::certificates {

// Where a watcher stands in the order of changes of the trust.
struct TrustCursor {
  std::int64_t generation = 0;  // 0: has seen nothing of this process.
  std::int64_t revision = 0;    // Everything up to it was given.
  bool services_only = false;
  // A revision whose steps are being given, 0 for none, and the CRL given last.
  std::int64_t towards = 0;
  std::string issuer;
};

// Whom to trust, in memory, kept up to date by a thread that reads the revision of the trust twice
// a second and when nudged: other servers change it, too. Watchers take their steps from memory,
// each at its own pace. A step holds one CRL at most. Thread-safe, except Start and Stop.
class TrustFeed {
 public:
  // `database` must outlive this. `on_change` is called on the feed's thread after each change,
  // once the watchers were told.
  TrustFeed(db::Executor& database, std::function<void()> on_change, metrics::Registry& metrics);
  ~TrustFeed();
  // Reads everything, then starts the thread. The database's error when it cannot be read.
  absl::Status Start();
  // Ends the thread and every watch. Idempotent.
  void Stop();

  // Looks for changes now rather than at the next turn.
  void Nudge() { poller_.Nudge(); }

  rpc::Watchers& watchers() { return watchers_; }
  // A cursor for somebody who has applied everything up to `revision`; 0 for nothing, and so is a
  // revision that the trust has not reached (a database restored from a backup).
  TrustCursor CursorAfter(std::int64_t revision, bool services_only) const;
  // Fills `step` with what comes after the cursor and moves it. False when there is nothing.
  bool NextStep(TrustCursor& cursor, v1::WatchTrustResponse& step) const;

  // The newest CRL of a trusted CA such as `clients-1`, DER.
  std::optional<std::string> Crl(const std::string& issuer) const;

 private:
  struct HeldCrl {
    v1::Crl crl;
    std::int64_t holds_revision = 0;
    std::int64_t revision = 0;
  };
  struct EarlyRevocation {
    v1::RevokedSerial revoked;
    std::int64_t revision = 0;
  };
  struct Trust {
    std::string services_pem;
    std::string clients_pem;
    std::int64_t services_revision = 0;  // At which the bundle last changed.
    std::int64_t clients_revision = 0;
    std::map<std::string, HeldCrl> crls;  // Of trusted CAs, by name.
    std::vector<EarlyRevocation> early;   // In no CRL yet.
    std::int64_t revision = 0;
  };

  absl::Status Refresh();
  absl::Status Read(db::Connection& connection);
  absl::StatusOr<Trust> ReadTrust(db::Connection& connection, std::int64_t revision,
                                  const Trust& known) const;
  bool Begin(TrustCursor& cursor, v1::WatchTrustResponse& step) const;

  db::Executor& database_;
  const std::function<void()> on_change_;
  prometheus::Gauge& revision_gauge_;

  mutable std::mutex mutex_;
  Trust trust_;
  std::int64_t generation_ = 1;

  rpc::Watchers watchers_;
  log::RateLimit warn_limit_{10'000};
  exec::Poller poller_;
};

}  // namespace postern::certificates
