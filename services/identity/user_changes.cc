#include "services/identity/user_changes.h"

#include <algorithm>
#include <map>
#include <utility>

#include "services/common/audit/act.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/db/transaction.h"
#include "services/identity/limits.h"
#include "services/identity/session_repository.h"

namespace postern::identity {
namespace {

absl::Status AppendAct(db::Connection& connection, const Actor& actor, const char* action,
                       const v1::User& user, std::map<std::string, std::string> details) {
  audit::Act act;
  act.actor = actor.name;
  act.action = action;
  act.target = StrCat("user/", user.email());
  act.details = std::move(details);
  return audit::Append(connection, act);
}

const char* RoleName(v1::UserRole role) { return role == v1::USER_ROLE_ADMIN ? "admin" : "user"; }

// Locks the user and does `change(user, revision)`, which says whether anything changed.
template <typename Change>
absl::StatusOr<v1::User> ChangeUser(db::Connection& connection, const v1::UserKey& key,
                                    const Change& change) {
  return db::InTransaction(connection, [&]() -> absl::StatusOr<v1::User> {
    const auto revision = RaiseRevision(connection);
    if (!revision.ok()) return revision.status();
    auto row = SelectUser(connection, key, /*lock=*/true);
    if (!row.ok()) return row.status();
    if (absl::Status s = change(row->user, *revision); !s.ok()) return s;
    return row->user;
  });
}

absl::StatusOr<std::int64_t> EndAll(db::Connection& connection, const v1::User& user,
                                    std::int64_t revision) {
  return EndSessionsOf(connection, user.id(), Uuid(), NowMicros(), revision);
}

absl::Status AddLink(db::Connection& connection, std::int64_t id, const std::string& client_id) {
  const auto exists = ClientExists(connection, client_id);
  if (!exists.ok()) return exists.status();
  if (!*exists) return absl::NotFoundError(StrCat("client_id: there is no ", client_id));
  return InsertLink(connection, id, client_id);
}

bool IsLinked(const v1::User& user, const std::string& client_id) {
  return std::find(user.client_ids().begin(), user.client_ids().end(), client_id) !=
         user.client_ids().end();
}

}  // namespace

absl::StatusOr<v1::User> CreateUser(db::Connection& connection, const Actor& actor,
                                    const v1::User& user, const StoredPassword& password) {
  return db::InTransaction(connection, [&]() -> absl::StatusOr<v1::User> {
    const auto revision = RaiseRevision(connection);
    if (!revision.ok()) return revision.status();
    v1::User made = user;
    const auto id = InsertUser(connection, made, password, *revision);
    if (!id.ok()) return id.status();
    made.set_id(*id);
    for (const std::string& client_id : made.client_ids()) {
      if (absl::Status s = AddLink(connection, *id, client_id); !s.ok()) return s;
    }
    absl::Status s =
        AppendAct(connection, actor, "user.create", made, {{"role", RoleName(made.role())}});
    if (!s.ok()) return s;
    return made;
  });
}

absl::StatusOr<v1::User> SetState(db::Connection& connection, const Actor& actor,
                                  const v1::SetUserStateRequest& request) {
  return ChangeUser(connection, request.user(), [&](v1::User& user, std::int64_t revision) {
    if (user.state() == request.state()) return absl::OkStatus();
    if (user.id() == actor.user_id) {
      return absl::FailedPreconditionError("state: nobody disables themselves");
    }
    user.set_state(request.state());
    const bool disabled = request.state() == v1::USER_STATE_DISABLED;
    if (absl::Status s = UpdateState(connection, user.id(), user.state(), revision); !s.ok()) {
      return s;
    }
    std::map<std::string, std::string> details;
    if (!request.reason().empty()) details["reason"] = request.reason();
    if (disabled) {
      const auto ended = EndAll(connection, user, revision);
      if (!ended.ok()) return ended.status();
      details["sessions_ended"] = StrCat(*ended);
    }
    return AppendAct(connection, actor, disabled ? "user.disable" : "user.enable", user,
                     std::move(details));
  });
}

absl::StatusOr<v1::User> SetRole(db::Connection& connection, const Actor& actor,
                                 const v1::SetUserRoleRequest& request) {
  return ChangeUser(connection, request.user(), [&](v1::User& user, std::int64_t revision) {
    if (user.role() == request.role()) return absl::OkStatus();
    if (user.id() == actor.user_id) {
      return absl::FailedPreconditionError("role: nobody changes their own");
    }
    user.set_role(request.role());
    if (absl::Status s = UpdateRole(connection, user.id(), user.role(), revision); !s.ok()) {
      return s;
    }
    const auto ended = EndAll(connection, user, revision);
    if (!ended.ok()) return ended.status();
    return AppendAct(connection, actor, "user.set_role", user,
                     {{"role", RoleName(user.role())}, {"sessions_ended", StrCat(*ended)}});
  });
}

absl::StatusOr<v1::User> ResetPassword(db::Connection& connection, const Actor& actor,
                                       const v1::UserKey& key, const StoredPassword& password) {
  return ChangeUser(connection, key, [&](v1::User& user, std::int64_t revision) {
    user.set_must_change_password(true);
    absl::Status s = UpdatePassword(connection, user.id(), password, revision);
    if (!s.ok()) return s;
    const auto ended = EndAll(connection, user, revision);
    if (!ended.ok()) return ended.status();
    return AppendAct(connection, actor, "user.reset_password", user,
                     {{"sessions_ended", StrCat(*ended)}});
  });
}

absl::StatusOr<v1::User> Link(db::Connection& connection, const Actor& actor,
                              const v1::UserKey& key, const std::string& client_id) {
  return ChangeUser(connection, key, [&](v1::User& user, std::int64_t revision) {
    if (IsLinked(user, client_id)) return absl::OkStatus();
    if (static_cast<std::size_t>(user.client_ids_size()) >= kLinksMax) {
      return absl::FailedPreconditionError("client_id: a user has at most 100 links");
    }
    if (absl::Status s = AddLink(connection, user.id(), client_id); !s.ok()) return s;
    if (absl::Status s = TouchUser(connection, user.id(), revision); !s.ok()) return s;
    user.add_client_ids(client_id);
    std::sort(user.mutable_client_ids()->begin(), user.mutable_client_ids()->end());
    return AppendAct(connection, actor, "user.link", user, {{"client", client_id}});
  });
}

absl::StatusOr<v1::User> Unlink(db::Connection& connection, const Actor& actor,
                                const v1::UserKey& key, const std::string& client_id) {
  return ChangeUser(connection, key, [&](v1::User& user, std::int64_t revision) {
    auto& links = *user.mutable_client_ids();
    const auto link = std::find(links.begin(), links.end(), client_id);
    if (link == links.end()) return absl::OkStatus();
    links.erase(link);
    if (absl::Status s = DeleteLink(connection, user.id(), client_id); !s.ok()) return s;
    if (absl::Status s = TouchUser(connection, user.id(), revision); !s.ok()) return s;
    return AppendAct(connection, actor, "user.unlink", user, {{"client", client_id}});
  });
}

absl::StatusOr<std::int64_t> EndSessions(db::Connection& connection, const Actor& actor,
                                         const std::string& session_id,
                                         const std::string& current) {
  const absl::StatusOr<Uuid> id = Uuid::Parse(session_id.empty() ? current : session_id);
  if (!id.ok()) return absl::InvalidArgumentError("session_id: not one of yours");
  const std::int64_t now_us = NowMicros();
  return db::InTransaction(connection, [&]() -> absl::StatusOr<std::int64_t> {
    const auto revision = RaiseRevision(connection);
    if (!revision.ok()) return revision.status();
    absl::StatusOr<std::int64_t> ended = 0;
    if (session_id.empty()) {
      ended = EndSessionsOf(connection, actor.user_id, *id, now_us, *revision);
    } else {
      const auto session = LockSession(connection, *id);
      if (!session.ok() && !absl::IsNotFound(session.status())) return session.status();
      if (!session.ok() || session->user_id != actor.user_id) {
        return absl::InvalidArgumentError("session_id: not one of yours");
      }
      ended = EndSession(connection, *id, now_us, *revision);
    }
    if (!ended.ok() || *ended == 0) return ended;
    audit::Act act;
    act.actor = actor.name;
    act.action = "session.end";
    act.target = session_id.empty() ? actor.name : StrCat("session/", session_id);
    act.details["sessions_ended"] = StrCat(*ended);
    if (absl::Status s = audit::Append(connection, act); !s.ok()) return s;
    return ended;
  });
}

}  // namespace postern::identity
