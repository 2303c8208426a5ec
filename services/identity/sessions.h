#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/user_service.pb.h"
#include "services/common/base/time.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/executor.h"
#include "services/common/exec/bounded_executor.h"
#include "services/common/metrics/metrics.h"
#include "services/identity/login_throttle.h"
#include "services/identity/refresh_token.h"
#include "services/identity/session_repository.h"
#include "services/identity/user_directory.h"
#include "services/identity/user_repository.h"

namespace postern::identity {

// Sessions: how they begin, go on and end, and everything that looks at passwords. Passwords are
// hashed on a bounded executor of their own, between two pieces of database work, so that slow
// hashing holds no connection. Thread-safe.
class Sessions {
 public:
  // `actor` was turned away because there were too many attempts. Must not block.
  using OnThrottled = std::function<void(const std::string& actor)>;

  // What a session is answered with.
  struct Begun {
    v1::SessionTokens tokens;
    v1::User user;
  };
  // Somebody who says a password.
  struct Attempt {
    std::string email;  // Lower case.
    crypto::Secret password;
    crypto::Secret new_password;  // For a change; empty: none.
    std::string address;
    std::string user_agent;
    std::string actor;  // The portal, for the audit log.
  };
  // `retry_after_s` is not 0 with RESOURCE_EXHAUSTED for too many attempts.
  template <typename Result>
  using Done = std::function<void(absl::StatusOr<Result>, std::int64_t retry_after_s)>;

  // All must outlive this. `bcrypt_cost`: 4 to 31.
  Sessions(db::Executor& database, exec::BoundedExecutor& hashers, UserDirectory& directory,
           int bcrypt_cost, OnThrottled on_throttled, metrics::Registry& metrics);

  // Calls back once, on some thread. The same error, after the same time, whatever is wrong.
  void Login(Attempt attempt, Deadline deadline, Done<Begun> done);
  // Changes the password of `attempt.email` and ends their sessions but `session_id`.
  void ChangePassword(Attempt attempt, std::string session_id, Deadline deadline,
                      Done<v1::User> done);
  // Hashes a password, then runs `work` with it on the database executor; or calls back with an
  // error.
  void HashThen(crypto::Secret password, Deadline deadline,
                std::function<void(absl::StatusOr<db::Connection*>, std::string hash)> work);

  // See v1::UserService.
  absl::StatusOr<Begun> Refresh(db::Connection& connection, const std::string& refresh_token,
                                const std::string& actor);
  absl::Status Logout(db::Connection& connection, const std::string& refresh_token);

 private:
  // What was found out about an attempt.
  struct Verified {
    std::optional<UserRow> user;
    bool known_address = false;
    bool correct = false;
    std::string new_hash;  // Of the new password, or of the same under the cost of today.
  };
  struct Run;

  // Throttle and user, then the hash, then `then` on the database executor.
  using Then = std::function<void(absl::StatusOr<db::Connection*>, const Attempt&, Verified,
                                  std::int64_t retry_after_s)>;
  void Verify(Attempt attempt, Deadline deadline, Then then);
  absl::StatusOr<std::int64_t> Look(db::Connection& connection, Run& run);
  void CheckHash(Run& run) const;
  absl::Status Refuse(db::Connection& connection, const Attempt& attempt, const Verified& verified);
  absl::StatusOr<Begun> Begin(db::Connection& connection, const Attempt& attempt,
                              const Verified& verified);
  absl::StatusOr<v1::User> Change(db::Connection& connection, const Attempt& attempt,
                                  const Verified& verified, const std::string& session_id);
  absl::StatusOr<Begun> Answer(const SessionRow& session, const v1::User& user,
                               const RefreshToken& token) const;

  db::Executor& database_;
  exec::BoundedExecutor& hashers_;
  UserDirectory& directory_;
  const int cost_;
  const OnThrottled on_throttled_;
  // Stands in for users who do not exist.
  const std::string dummy_hash_;
  prometheus::Counter& succeeded_;
  prometheus::Counter& failed_;
  prometheus::Counter& throttled_;
  prometheus::Counter& reused_;
};

}  // namespace postern::identity
