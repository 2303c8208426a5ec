#include "services/identity/user_directory.h"

#include <future>
#include <set>
#include <utility>
#include <vector>

#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"
#include "services/identity/limits.h"
#include "services/identity/session_repository.h"
#include "services/identity/user_repository.h"

namespace postern::identity {
namespace {

constexpr std::chrono::seconds kReadTimeout{10};
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

UserDirectory::UserDirectory(db::Executor& database, const SecretWrapper& wrapper,
                             std::string_view trust_domain, metrics::Registry& metrics)
    : database_(database),
      wrapper_(wrapper),
      tokens_(trust_domain),
      users_gauge_(metrics.Gauge("postern_users", "Users, disabled ones included.")),
      revision_gauge_(metrics.Gauge("postern_identity_revision",
                                    "Revision of the identities as this process knows it.")),
      poller_("users", kDirectoryPoll, [this] {
        const absl::Status status = RefreshOnExecutor();
        if (!status.ok() && warn_limit_.Allow()) {
          log::Warn("user_directory_stale", "error", status.ToString());
        }
      }) {}

UserDirectory::~UserDirectory() { Stop(); }

absl::Status UserDirectory::Start() {
  if (absl::Status status = RefreshOnExecutor(); !status.ok()) return status;
  poller_.Start();
  return absl::OkStatus();
}

void UserDirectory::Stop() { poller_.Stop(); }

absl::Status UserDirectory::RefreshOnExecutor() {
  // Shared: the work may outlive the wait.
  auto promise = std::make_shared<std::promise<absl::Status>>();
  auto done = promise->get_future();
  auto work = [this, promise](absl::StatusOr<db::Connection*> connection) {
    promise->set_value(connection.ok() ? Refresh(**connection) : connection.status());
  };
  if (!database_.TrySubmit(Deadline::After(kReadTimeout), std::move(work))) {
    return absl::UnavailableError("the database executor is busy");
  }
  return done.get();
}

absl::Status UserDirectory::Refresh(db::Connection& connection) {
  const std::lock_guard one_at_a_time(reading_);
  const auto asked_at = std::chrono::steady_clock::now();
  const auto revision = SelectRevision(connection);
  if (!revision.ok()) return revision.status();
  const std::int64_t known = this->revision();
  if (*revision != known) {
    if (absl::Status status = ReadChanges(connection, *revision, known); !status.ok()) {
      return status;
    }
  }
  const std::lock_guard lock(mutex_);
  read_at_ = asked_at;
  return absl::OkStatus();
}

absl::Status UserDirectory::ReadChanges(db::Connection& connection, std::int64_t revision,
                                        std::int64_t known) {
  // Gone back: the database was restored from a backup.
  const bool from_scratch = known == 0 || revision < known;
  if (from_scratch && known != 0) log::Warn("identities_went_back", "from", known, "to", revision);
  const std::int64_t after = from_scratch ? 0 : known;
  const std::int64_t forget_before_us = NowMicros() - Micros(kEndedSessionMemory);
  const auto rows = SelectUsersAfterRevision(connection, after);
  if (!rows.ok()) return rows.status();
  const auto ended = SelectEnded(connection, after, forget_before_us);
  if (!ended.ok()) return ended.status();
  auto keys = ReadKeys(connection);
  if (!keys.ok()) return keys.status();

  const std::lock_guard lock(mutex_);
  if (from_scratch) users_.clear();
  for (const UserRow& row : *rows) {
    Known& user = users_[row.user.id()];
    user.active = row.user.state() == v1::USER_STATE_ACTIVE;
    user.caller.id = row.user.id();
    user.caller.email = row.user.email();
    user.caller.admin = row.user.role() == v1::USER_ROLE_ADMIN;
    user.caller.must_change_password = row.user.must_change_password();
    user.caller.clients = std::make_shared<const std::set<std::string>>(
        row.user.client_ids().begin(), row.user.client_ids().end());
  }
  absl::erase_if(ended_, [&](const auto& one) { return one.second < forget_before_us; });
  for (const auto& [id, at_us] : *ended) ended_[id] = at_us;
  keys_ = *std::move(keys);
  verified_.clear();
  revision_ = revision;
  users_gauge_.Set(static_cast<double>(users_.size()));
  revision_gauge_.Set(static_cast<double>(revision));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const TokenKeys>> UserDirectory::ReadKeys(
    db::Connection& connection) {
  const auto rows = SelectTokenKeys(connection);
  if (!rows.ok()) return rows.status();
  const std::shared_ptr<const TokenKeys> before = keys();
  auto keys = std::make_shared<TokenKeys>();
  for (const TokenKeyRow& row : *rows) {
    if (const auto known = before->find(row.id); known != before->end()) {
      keys->emplace(row.id, known->second);
      continue;
    }
    const auto secret = wrapper_.Unwrap(row.id, row.wrapped);
    auto key = secret.ok() ? MakeTokenKey(row.id, row.created_at_us, *secret)
                           : absl::StatusOr<std::shared_ptr<const TokenKey>>(secret.status());
    if (key.ok()) {
      keys->emplace(row.id, *std::move(key));
    } else if (warn_limit_.Allow()) {
      // Its tokens are refreshed under another key.
      log::Warn("token_key_unusable", "kid", row.id.ToString(), "error", key.status().ToString());
    }
  }
  return keys;
}

// The signature is checked once; whether the token has ended, each time.
absl::StatusOr<AccessClaims> UserDirectory::Verify(std::string_view token) {
  const std::int64_t now_s = NowMicros() / kMicrosPerSecond;
  const std::string digest = crypto::Sha256(token);
  std::shared_ptr<const TokenKeys> keys;
  {
    const std::lock_guard lock(mutex_);
    const auto known = verified_.find(digest);
    if (known != verified_.end() && known->second.expires_at_s > now_s) return known->second;
    keys = keys_;
  }
  absl::StatusOr<AccessClaims> claims = tokens_.Verify(token, *keys, now_s);
  if (!claims.ok()) return claims;
  const std::lock_guard lock(mutex_);
  // Not by a key that was taken away meanwhile.
  if (keys != keys_) return claims;
  if (verified_.size() >= kVerifiedTokensMax) verified_.clear();
  verified_.insert_or_assign(digest, *claims);
  return claims;
}

absl::StatusOr<rpc::UserCaller> UserDirectory::Check(std::string_view token) {
  const absl::StatusOr<AccessClaims> claims = Verify(token);
  if (!claims.ok()) return claims.status();
  const std::unique_lock lock(mutex_);
  if (std::chrono::steady_clock::now() - read_at_ > kDirectoryAgeMax) {
    return absl::UnavailableError("sessions cannot be checked now; try again");
  }
  // Made by a server that knows more: a session that looks good here may have ended.
  if (claims->revision > revision_) {
    poller_.Nudge();
    return absl::UnavailableError("this server has not heard of the session yet; try again");
  }
  const auto user = users_.find(claims->user_id);
  if (user == users_.end() || !user->second.active || ended_.contains(claims->session)) {
    return absl::UnauthenticatedError("the session has ended");
  }
  rpc::UserCaller caller = user->second.caller;
  caller.session_id = claims->session.ToString();
  return caller;
}

absl::StatusOr<std::shared_ptr<const TokenKey>> UserDirectory::SigningKey() const {
  std::shared_ptr<const TokenKey> key = identity::SigningKey(*keys(), NowMicros());
  if (key == nullptr) return absl::UnavailableError("no key signs tokens now; try again");
  return key;
}

std::shared_ptr<const TokenKeys> UserDirectory::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

std::int64_t UserDirectory::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

}  // namespace postern::identity
