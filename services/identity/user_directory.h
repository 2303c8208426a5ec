#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/db/executor.h"
#include "services/common/exec/poller.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/user.h"
#include "services/identity/access_token.h"
#include "services/identity/token_key.h"
#include "services/identity/token_key_repository.h"

namespace postern::identity {

// Users, ended sessions and token keys in memory, so that each call of a portal is checked without
// the database: the signature of its token, whether its session has ended, whether the user is
// active, and what role they have now. A thread reads what changed four times a second, since
// other servers change it too; a change that this server makes is read before it is answered, so
// it takes effect at once here and within that time elsewhere. What has not been read for five
// seconds is not believed: calls are then UNAVAILABLE. Thread-safe, except Start and Stop.
class UserDirectory {
 public:
  // `database` and `wrapper` must outlive this.
  UserDirectory(db::Executor& database, const SecretWrapper& wrapper, std::string_view trust_domain,
                metrics::Registry& metrics);
  ~UserDirectory();
  // Reads everything, then starts the thread.
  absl::Status Start();
  // Idempotent.
  void Stop();

  // Reads what changed, on the calling thread.
  absl::Status Refresh(db::Connection& connection);
  // Looks for changes now rather than at the next turn.
  void Nudge() { poller_.Nudge(); }

  // Whose token this is: rpc::CheckUser.
  absl::StatusOr<rpc::UserCaller> Check(std::string_view token);

  // The key to sign with. Unavailable when there is none that opens.
  absl::StatusOr<std::shared_ptr<const TokenKey>> SigningKey() const;
  // A key by its id, or null.
  std::shared_ptr<const TokenKeys> keys() const;
  // Of the identities as they are known here.
  std::int64_t revision() const;
  const AccessTokens& tokens() const { return tokens_; }

 private:
  struct Known {
    rpc::UserCaller caller;
    bool active = false;
  };

  absl::StatusOr<AccessClaims> Verify(std::string_view token);
  absl::Status RefreshOnExecutor();
  absl::Status ReadChanges(db::Connection& connection, std::int64_t revision, std::int64_t known);
  absl::StatusOr<std::shared_ptr<const TokenKeys>> ReadKeys(db::Connection& connection);

  db::Executor& database_;
  const SecretWrapper& wrapper_;
  const AccessTokens tokens_;
  prometheus::Gauge& users_gauge_;
  prometheus::Gauge& revision_gauge_;

  std::mutex reading_;  // One look at a time.
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::int64_t, Known> users_;
  absl::flat_hash_map<Uuid, std::int64_t> ended_;  // Session to when it ended.
  std::shared_ptr<const TokenKeys> keys_ = std::make_shared<TokenKeys>();
  // By SHA-256 of the token: a portal shows the same one with every call.
  absl::flat_hash_map<std::string, AccessClaims> verified_;
  std::int64_t revision_ = 0;
  std::chrono::steady_clock::time_point read_at_;

  log::RateLimit warn_limit_{10'000};
  exec::Poller poller_;
};

}  // namespace postern::identity
