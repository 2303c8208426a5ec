#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "services/common/db/connection.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/identity/token_key_repository.h"

namespace postern::identity {

// Makes the next token key in time (after 30 days, or when another version of the master key
// wraps), removes those whose last token has ended, and purges old sessions, logins and throttles
// in bounded steps. Every server does it; the database keeps them from doing it twice.
class IdentityUpkeep {
 public:
  // `wrapper` must outlive this. `on_changed`: after a key was made.
  IdentityUpkeep(db::Settings database, const SecretWrapper& wrapper,
                 std::function<void()> on_changed);
  ~IdentityUpkeep();
  // Makes a token key if there is none, then starts the thread.
  absl::Status Start(db::Connection& connection);
  // Idempotent.
  void Stop();

  // One round on the calling thread.
  absl::Status RunOnce(db::Connection& connection);

 private:
  absl::Status KeepKeys(db::Connection& connection);
  absl::Status Purge(db::Connection& connection);

  const db::Settings database_;
  const SecretWrapper& wrapper_;
  const std::function<void()> on_changed_;
  log::RateLimit warn_limit_{60'000};
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::identity
