#include "services/identity/sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/common/audit/act.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"
#include "services/common/db/transaction.h"
#include "services/common/log/log.h"
#include "services/identity/limits.h"
#include "services/identity/password.h"

namespace postern::identity {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr char kLoginsName[] = "postern_logins_total";
constexpr char kLoginsHelp[] = "Attempts to log in or to change a password, by how they ended.";
// What no password is: it only takes as long as any other.
constexpr char kDummyPassword[] = "nobody has this password";

absl::Status WrongLogin() {
  return absl::UnauthenticatedError("the e-mail or the password is wrong");
}
absl::Status Over() { return absl::UnauthenticatedError("the session is over"); }
absl::Status Busy() { return absl::ResourceExhaustedError("too much work in hand; try again"); }

audit::Act ActOf(std::string actor, const char* action, std::string target) {
  audit::Act act;
  act.actor = std::move(actor);
  act.action = action;
  act.target = std::move(target);
  return act;
}

std::string UserName(const std::string& email) { return StrCat("user/", email); }

// Why a right password is not enough; empty: it is.
std::string Obstacle(const UserRow& user, std::int64_t now_us) {
  if (user.user.state() != v1::USER_STATE_ACTIVE) return "disabled";
  if (user.password_expires_at_us != 0 && user.password_expires_at_us <= now_us) {
    return "one-time password too old";
  }
  return {};
}

v1::UserKey KeyOf(std::int64_t id) {
  v1::UserKey key;
  key.set_id(id);
  return key;
}

std::int64_t ExpiryOf(const SessionRow& session) {
  return std::min(session.refreshed_at_us + Micros(kSessionIdleMax),
                  session.created_at_us + Micros(kSessionLifeMax));
}

// The token that the session's current hash is of, when `token` led to it.
std::optional<RefreshToken> Successor(const RefreshToken& token, const SessionRow& session,
                                      const TokenKeys& keys) {
  for (const auto& [id, key] : keys) {
    RefreshToken next = token.Next(*key);
    if (crypto::ConstantTimeEqual(next.Sha256(), session.refresh_sha256)) return next;
  }
  return std::nullopt;
}

}  // namespace

// An attempt on its way.
struct Sessions::Run {
  Run(Attempt a, Deadline d, Then t) : attempt(std::move(a)), deadline(d), then(std::move(t)) {}
  void Fail(absl::Status status, std::int64_t retry_after_s = 0) {
    then(std::move(status), attempt, std::move(verified), retry_after_s);
  }

  Attempt attempt;
  const Deadline deadline;
  const Then then;
  Verified verified;
};

Sessions::Sessions(db::Executor& database, exec::BoundedExecutor& hashers, UserDirectory& directory,
                   int bcrypt_cost, OnThrottled on_throttled, metrics::Registry& metrics)
    : database_(database),
      hashers_(hashers),
      directory_(directory),
      cost_(bcrypt_cost),
      on_throttled_(std::move(on_throttled)),
      dummy_hash_(HashPassword(kDummyPassword, bcrypt_cost).value_or("")),
      succeeded_(metrics.Counter(kLoginsName, kLoginsHelp, {{"result", "succeeded"}})),
      failed_(metrics.Counter(kLoginsName, kLoginsHelp, {{"result", "failed"}})),
      throttled_(metrics.Counter(kLoginsName, kLoginsHelp, {{"result", "throttled"}})),
      reused_(metrics.Counter("postern_refresh_tokens_reused_total",
                              "Sessions ended because an old refresh token came again.")) {}

void Sessions::Verify(Attempt attempt, Deadline deadline, Then then) {
  auto run = std::make_shared<Run>(std::move(attempt), deadline, std::move(then));
  auto finish = [run](absl::StatusOr<db::Connection*> connection) {
    run->then(std::move(connection), run->attempt, std::move(run->verified), 0);
  };
  auto hash = [this, run, finish] {
    CheckHash(*run);
    if (!database_.TrySubmit(run->deadline, finish)) run->Fail(Busy());
  };
  auto look = [this, run, hash](absl::StatusOr<db::Connection*> connection) {
    if (!connection.ok()) return run->Fail(connection.status());
    const absl::StatusOr<std::int64_t> wait_s = Look(**connection, *run);
    if (!wait_s.ok()) return run->Fail(wait_s.status());
    if (*wait_s > 0) {
      throttled_.Increment();
      on_throttled_(run->verified.user ? UserName(run->attempt.email) : run->attempt.actor);
      return run->Fail(
          absl::ResourceExhaustedError(StrCat("too many attempts; try again in ", *wait_s, " s")),
          *wait_s);
    }
    if (!hashers_.TrySubmit(hash)) run->Fail(Busy());
  };
  if (!database_.TrySubmit(deadline, look)) run->Fail(Busy());
}

// The user, and how long the attempt has to wait.
absl::StatusOr<std::int64_t> Sessions::Look(db::Connection& connection, Run& run) {
  auto user = FindUserByEmail(connection, run.attempt.email);
  if (!user.ok()) return user.status();
  run.verified.user = *std::move(user);
  const std::int64_t user_id = run.verified.user ? run.verified.user->user.id() : 0;
  const auto known = IsKnownAddress(connection, user_id, run.attempt.address);
  if (!known.ok()) return known.status();
  run.verified.known_address = *known;
  return LoginThrottle::Begin(connection, {run.attempt.email, run.attempt.address, *known},
                              NowMicros());
}

void Sessions::CheckHash(Run& run) const {
  Verified& verified = run.verified;
  const std::string& hash = verified.user ? verified.user->password_hash : dummy_hash_;
  const std::string_view password = run.attempt.password.view();
  verified.correct = CheckPassword(password, hash) && verified.user.has_value();
  if (!verified.correct) return;
  const std::string_view next = run.attempt.new_password.view();
  if (!next.empty() || NeedsRehash(hash, cost_)) {
    verified.new_hash = HashPassword(next.empty() ? password : next, cost_).value_or("");
  }
}

void Sessions::HashThen(
    crypto::Secret password, Deadline deadline,
    std::function<void(absl::StatusOr<db::Connection*>, std::string hash)> work) {
  auto held = std::make_shared<crypto::Secret>(std::move(password));
  auto task = std::make_shared<decltype(work)>(std::move(work));
  const bool taken = hashers_.TrySubmit([this, held, deadline, task] {
    absl::StatusOr<std::string> hash = HashPassword(held->view(), cost_);
    if (!hash.ok()) return (*task)(hash.status(), std::string());
    auto write = [task, hash = *std::move(hash)](absl::StatusOr<db::Connection*> connection) {
      (*task)(std::move(connection), hash);
    };
    if (!database_.TrySubmit(deadline, std::move(write))) (*task)(Busy(), std::string());
  });
  if (!taken) (*task)(Busy(), std::string());
}

void Sessions::Login(Attempt attempt, Deadline deadline, Done<Begun> done) {
  Verify(std::move(attempt), deadline,
         [this, done = std::move(done)](absl::StatusOr<db::Connection*> connection,
                                        const Attempt& said, Verified verified,
                                        std::int64_t retry_after_s) {
           if (!connection.ok()) return done(connection.status(), retry_after_s);
           done(Begin(**connection, said, verified), 0);
         });
}

void Sessions::ChangePassword(Attempt attempt, std::string session_id, Deadline deadline,
                              Done<v1::User> done) {
  Verify(std::move(attempt), deadline,
         [this, done = std::move(done), session_id = std::move(session_id)](
             absl::StatusOr<db::Connection*> connection, const Attempt& said, Verified verified,
             std::int64_t retry_after_s) {
           if (!connection.ok()) return done(connection.status(), retry_after_s);
           done(Change(**connection, said, verified, session_id), 0);
         });
}

// Writes down that an attempt failed.
absl::Status Sessions::Refuse(db::Connection& connection, const Attempt& attempt,
                              const Verified& verified) {
  failed_.Increment();
  const std::int64_t now_us = NowMicros();
  const auto written = db::InTransaction(connection, [&]() -> absl::StatusOr<bool> {
    // What was typed for somebody who does not exist may be a password: it is not kept.
    audit::Act act = ActOf(attempt.actor, "session.begin",
                           verified.user ? UserName(attempt.email) : "user/unknown");
    act.outcome = audit::Outcome::kRefused;
    act.details["address"] = attempt.address;
    if (verified.user) {
      act.details["why"] =
          verified.correct ? Obstacle(*verified.user, now_us) : std::string("wrong password");
      v1::LoginRecord login;
      login.set_at_us(now_us);
      login.set_address(attempt.address);
      login.set_user_agent(attempt.user_agent);
      if (absl::Status s = InsertLogin(connection, verified.user->user.id(), login); !s.ok()) {
        return s;
      }
    }
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    return true;
  });
  return written.ok() ? WrongLogin() : written.status();
}

absl::StatusOr<Sessions::Begun> Sessions::Begin(db::Connection& connection, const Attempt& attempt,
                                                const Verified& verified) {
  if (!verified.correct || !Obstacle(*verified.user, NowMicros()).empty()) {
    return Refuse(connection, attempt, verified);
  }
  const std::int64_t user_id = verified.user->user.id();
  SessionRow session;
  session.id = Uuid::Random();
  session.user_id = user_id;
  session.created_at_us = session.refreshed_at_us = NowMicros();
  session.expires_at_us = ExpiryOf(session);
  session.address = attempt.address;
  session.user_agent = attempt.user_agent;
  const RefreshToken token = RefreshToken::First(session.id);
  session.refresh_sha256 = session.previous_sha256 = token.Sha256();

  const auto begun = db::InTransaction(connection, [&]() -> absl::StatusOr<UserRow> {
    const auto live = SelectLiveSessions(connection, user_id, session.created_at_us, kSessionsMax);
    if (!live.ok()) return live.status();
    if (live->size() == static_cast<std::size_t>(kSessionsMax)) {
      const auto revision = RaiseRevision(connection);
      if (!revision.ok()) return revision.status();
      const auto ended = EndSession(connection, live->back().id, session.created_at_us, *revision);
      if (!ended.ok()) return ended.status();
    }
    auto user = SelectUser(connection, KeyOf(user_id), /*lock=*/true);
    if (!user.ok()) return user.status();
    // Changed since the password was looked at.
    if (user->password_hash != verified.user->password_hash ||
        !Obstacle(*user, session.created_at_us).empty()) {
      return WrongLogin();
    }
    if (absl::Status s = InsertSession(connection, session); !s.ok()) return s;
    v1::LoginRecord login;
    login.set_at_us(session.created_at_us);
    login.set_succeeded(true);
    login.set_address(attempt.address);
    login.set_user_agent(attempt.user_agent);
    if (absl::Status s = InsertLogin(connection, user_id, login); !s.ok()) return s;
    if (absl::Status s = UpdateLastLogin(connection, user_id, login.at_us()); !s.ok()) return s;
    if (!verified.new_hash.empty()) {
      if (absl::Status s = UpdateHash(connection, user_id, verified.new_hash); !s.ok()) return s;
    }
    const LoginThrottle::Attempt counted{attempt.email, attempt.address, verified.known_address};
    if (absl::Status s = LoginThrottle::Succeeded(connection, counted); !s.ok()) return s;
    audit::Act act =
        ActOf(UserName(attempt.email), "session.begin", StrCat("session/", session.id.ToString()));
    act.details["address"] = attempt.address;
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    user->user.set_last_login_at_us(login.at_us());
    return user;
  });
  if (!begun.ok()) return begun.status();
  succeeded_.Increment();
  if (absl::Status s = directory_.Refresh(connection); !s.ok()) return s;
  return Answer(session, begun->user, token);
}

absl::StatusOr<v1::User> Sessions::Change(db::Connection& connection, const Attempt& attempt,
                                          const Verified& verified, const std::string& session_id) {
  if (!verified.correct) {
    const absl::Status refused = Refuse(connection, attempt, verified);
    if (!absl::IsUnauthenticated(refused)) return refused;
    return absl::InvalidArgumentError("current_password: is wrong");
  }
  if (verified.new_hash.empty()) return absl::InternalError("the new password was not hashed");
  const absl::StatusOr<Uuid> session = Uuid::Parse(session_id);
  if (!session.ok()) return session.status();
  const std::int64_t now_us = NowMicros();
  auto changed = db::InTransaction(connection, [&]() -> absl::StatusOr<v1::User> {
    const auto revision = RaiseRevision(connection);
    if (!revision.ok()) return revision.status();
    const std::int64_t id = verified.user->user.id();
    auto user = SelectUser(connection, KeyOf(id), /*lock=*/true);
    if (!user.ok()) return user.status();
    if (user->password_hash != verified.user->password_hash) {
      return absl::InvalidArgumentError("current_password: is wrong");
    }
    StoredPassword password;
    password.hash = verified.new_hash;
    password.changed_at_us = now_us;
    if (absl::Status s = UpdatePassword(connection, id, password, *revision); !s.ok()) return s;
    const auto ended = EndSessionsOf(connection, id, *session, now_us, *revision);
    if (!ended.ok()) return ended.status();
    const LoginThrottle::Attempt counted{attempt.email, attempt.address, verified.known_address};
    if (absl::Status s = LoginThrottle::Succeeded(connection, counted); !s.ok()) return s;
    audit::Act act =
        ActOf(UserName(attempt.email), "user.change_password", UserName(attempt.email));
    act.details["sessions_ended"] = StrCat(*ended);
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    user->user.set_must_change_password(false);
    user->user.set_password_changed_at_us(now_us);
    return user->user;
  });
  if (!changed.ok()) return changed.status();
  if (absl::Status s = directory_.Refresh(connection); !s.ok()) return s;
  return changed;
}

absl::StatusOr<Sessions::Begun> Sessions::Answer(const SessionRow& session, const v1::User& user,
                                                 const RefreshToken& token) const {
  const auto key = directory_.SigningKey();
  if (!key.ok()) return key.status();
  AccessClaims claims;
  claims.user_id = user.id();
  claims.email = user.email();
  claims.session = session.id;
  claims.revision = directory_.revision();
  claims.issued_at_s = NowMicros() / kMicrosPerSecond;
  claims.expires_at_s = claims.issued_at_s + std::chrono::seconds(kAccessTokenLife).count();
  auto access = directory_.tokens().Sign(claims, **key);
  if (!access.ok()) return access.status();
  Begun begun;
  begun.user = user;
  begun.tokens.set_access_token(*std::move(access));
  begun.tokens.set_access_expires_at_us(claims.expires_at_s * kMicrosPerSecond);
  begun.tokens.set_refresh_token(token.ToString());
  begun.tokens.set_refresh_expires_at_us(session.expires_at_us);
  begun.tokens.set_session_id(session.id.ToString());
  return begun;
}

absl::StatusOr<Sessions::Begun> Sessions::Refresh(db::Connection& connection,
                                                  const std::string& refresh_token,
                                                  const std::string& actor) {
  const absl::StatusOr<RefreshToken> token = RefreshToken::Parse(refresh_token);
  if (!token.ok()) return token.status();
  const auto key = directory_.SigningKey();
  if (!key.ok()) return key.status();
  const std::string sha256 = token->Sha256();
  std::optional<RefreshToken> next;
  bool reused = false;
  std::int64_t user_id = 0;
  const auto refreshed = db::InTransaction(connection, [&]() -> absl::StatusOr<SessionRow> {
    auto session = LockSession(connection, token->session);
    if (absl::IsNotFound(session.status())) return Over();
    if (!session.ok()) return session;
    const std::int64_t now_us = NowMicros();
    if (session->ended_at_us != 0 || session->expires_at_us <= now_us) return Over();
    user_id = session->user_id;
    if (crypto::ConstantTimeEqual(sha256, session->refresh_sha256)) {
      next = token->Next(**key);
      session->previous_sha256 = sha256;
      session->refresh_sha256 = next->Sha256();
      session->refreshed_at_us = now_us;
      session->expires_at_us = ExpiryOf(*session);
      if (absl::Status s = UpdateRefresh(connection, *session); !s.ok()) return s;
      return session;
    }
    if (crypto::ConstantTimeEqual(sha256, session->previous_sha256) &&
        now_us - session->refreshed_at_us <= Micros(kRefreshGrace)) {
      next = Successor(*token, *session, *directory_.keys());
      if (!next) return Over();
      return session;
    }
    reused = true;
    return Over();
  });
  if (reused) {
    reused_.Increment();
    const auto user = SelectUser(connection, KeyOf(user_id));
    const std::int64_t now_us = NowMicros();
    const auto ended = db::InTransaction(connection, [&]() -> absl::StatusOr<bool> {
      const auto revision = RaiseRevision(connection);
      if (!revision.ok()) return revision.status();
      const auto count = EndSession(connection, token->session, now_us, *revision);
      if (!count.ok()) return count.status();
      audit::Act act =
          ActOf(actor, "session.refresh", StrCat("session/", token->session.ToString()));
      act.outcome = audit::Outcome::kRefused;
      act.details["why"] = "an old refresh token came again: the session was ended";
      if (user.ok()) act.details["user"] = user->user.email();
      if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
      return true;
    });
    if (!ended.ok()) return ended.status();
    log::Warn("refresh_token_reused", "session", token->session.ToString());
    if (absl::Status s = directory_.Refresh(connection); !s.ok()) return s;
    return Over();
  }
  if (!refreshed.ok()) return refreshed.status();
  const auto user = SelectUser(connection, KeyOf(refreshed->user_id));
  if (!user.ok()) return absl::IsNotFound(user.status()) ? Over() : user.status();
  if (user->user.state() != v1::USER_STATE_ACTIVE) return Over();
  if (absl::Status s = directory_.Refresh(connection); !s.ok()) return s;
  return Answer(*refreshed, user->user, *next);
}

absl::Status Sessions::Logout(db::Connection& connection, const std::string& refresh_token) {
  const absl::StatusOr<RefreshToken> token = RefreshToken::Parse(refresh_token);
  if (!token.ok()) return absl::OkStatus();
  const auto ended = db::InTransaction(connection, [&]() -> absl::StatusOr<bool> {
    const auto revision = RaiseRevision(connection);
    if (!revision.ok()) return revision.status();
    const auto session = LockSession(connection, token->session);
    if (absl::IsNotFound(session.status())) return false;
    if (!session.ok()) return session.status();
    if (session->ended_at_us != 0) return false;
    const auto user = SelectUser(connection, KeyOf(session->user_id));
    if (!user.ok()) return user.status();
    const auto count = EndSession(connection, token->session, NowMicros(), *revision);
    if (!count.ok()) return count.status();
    const audit::Act act = ActOf(UserName(user->user.email()), "session.end",
                                 StrCat("session/", token->session.ToString()));
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    return true;
  });
  if (!ended.ok()) return ended.status();
  return directory_.Refresh(connection);
}

}  // namespace postern::identity
