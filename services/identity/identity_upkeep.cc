#include "services/identity/identity_upkeep.h"

#include <string_view>
#include <utility>
#include <vector>

#include "services/common/base/time.h"
#include "services/common/db/transaction.h"
#include "services/identity/limits.h"
#include "services/identity/token_key.h"
#include "services/identity/user_repository.h"

namespace postern::identity {
namespace {

constexpr char kPurgeEnded[] =
    "DELETE FROM user_sessions WHERE revision > 0 AND ended_at_us < ? LIMIT ?";
constexpr char kPurgeExpired[] = "DELETE FROM user_sessions WHERE expires_at_us < ? LIMIT ?";
constexpr char kPurgeLogins[] = "DELETE FROM user_logins WHERE at_us < ? LIMIT ?";
constexpr char kPurgeThrottle[] = "DELETE FROM login_throttle WHERE last_at_us < ? LIMIT ?";

}  // namespace

IdentityUpkeep::IdentityUpkeep(db::Settings database, const SecretWrapper& wrapper,
                               std::function<void()> on_changed)
    : database_(std::move(database)), wrapper_(wrapper), on_changed_(std::move(on_changed)) {}

IdentityUpkeep::~IdentityUpkeep() { Stop(); }

absl::Status IdentityUpkeep::Start(db::Connection& connection) {
  if (absl::Status status = KeepKeys(connection); !status.ok()) return status;
  db::UpkeepThread::Callbacks callbacks;
  const auto warn = [this](const absl::Status& status) {
    if (warn_limit_.Allow()) log::Warn("identity_upkeep_failed", "error", status.ToString());
  };
  callbacks.step = [this, warn](db::Connection& own) -> std::chrono::milliseconds {
    const absl::Status status = RunOnce(own);
    if (!status.ok()) warn(status);
    return kUpkeepInterval;
  };
  callbacks.on_unavailable = warn;
  callbacks.at_end = [](db::Connection&) {};
  thread_ = std::make_unique<db::UpkeepThread>("identity", database_, kUpkeepInterval,
                                               std::move(callbacks));
  return absl::OkStatus();
}

void IdentityUpkeep::Stop() {
  if (thread_) thread_->Stop();
}

absl::Status IdentityUpkeep::RunOnce(db::Connection& connection) {
  if (absl::Status status = KeepKeys(connection); !status.ok()) return status;
  return Purge(connection);
}

absl::Status IdentityUpkeep::KeepKeys(db::Connection& connection) {
  const auto wanted = [this](const std::vector<TokenKeyRow>& rows) {
    return rows.empty() || rows.front().created_at_us < NowMicros() - Micros(kTokenKeyLife) ||
           rows.front().wrapped.master_key_version() != wrapper_.version();
  };
  auto rows = SelectTokenKeys(connection);
  if (!rows.ok()) return rows.status();
  if (wanted(*rows)) {
    const auto made = db::InTransaction(connection, [&]() -> absl::StatusOr<bool> {
      // Whoever raises the revision first makes the key; the others find it.
      if (auto revision = RaiseRevision(connection); !revision.ok()) return revision.status();
      const auto now = SelectTokenKeys(connection);
      if (!now.ok()) return now.status();
      if (!wanted(*now)) return false;
      TokenKeyRow row;
      row.id = Uuid::Random();
      row.created_at_us = NowMicros();
      auto wrapped = wrapper_.Wrap(row.id, NewTokenSecret());
      if (!wrapped.ok()) return wrapped.status();
      row.wrapped = *std::move(wrapped);
      if (absl::Status s = InsertTokenKey(connection, row); !s.ok()) return s;
      log::Info("token_key_made", "kid", row.id.ToString());
      return true;
    });
    if (!made.ok()) return made.status();
    on_changed_();
    return absl::OkStatus();
  }
  // A key is of no use once a younger one has been signing for longer than tokens live.
  for (std::size_t i = 1; i < rows->size(); ++i) {
    if ((*rows)[i - 1].created_at_us > NowMicros() - Micros(kTokenKeyKeep)) continue;
    if (absl::Status s = DeleteTokenKey(connection, (*rows)[i].id); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status IdentityUpkeep::Purge(db::Connection& connection) {
  const std::int64_t now_us = NowMicros();
  const auto purge = [&](const char* sql, std::int64_t before_us) {
    return connection.Execute(sql, {before_us, kUpkeepRows}).status();
  };
  if (absl::Status s = purge(kPurgeEnded, now_us - Micros(kEndedSessionKeep)); !s.ok()) return s;
  if (absl::Status s = purge(kPurgeExpired, now_us - Micros(kEndedSessionKeep)); !s.ok()) return s;
  if (absl::Status s = purge(kPurgeLogins, now_us - Micros(kLoginKeep)); !s.ok()) return s;
  return purge(kPurgeThrottle, now_us - Micros(kThrottleKeep));
}

}  // namespace postern::identity
