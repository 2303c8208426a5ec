#include "services/identity/user_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/utf8.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/user.h"
#include "services/identity/limits.h"
#include "services/identity/password.h"
#include "services/identity/user_requests.h"

namespace postern::identity {
namespace {

constexpr char kRetryAfterKey[] = "retry-after";

grpc::Status Busy() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"};
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

void FinishAttempt(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
                   const absl::Status& status, std::int64_t retry_after_s) {
  if (retry_after_s > 0) context->AddTrailingMetadata(kRetryAfterKey, StrCat(retry_after_s));
  reactor->Finish(rpc::ToGrpc(status));
}

// Sessions and logins, as profile and user detail show them.
template <typename Response>
absl::Status FillDetails(db::Connection& connection, const v1::User& user,
                         const std::string& current_session, Response& response) {
  const auto sessions = SelectLiveSessions(connection, user.id(), NowMicros(), kSessionsMax);
  if (!sessions.ok()) return sessions.status();
  for (const SessionRow& session : *sessions) {
    *response.add_sessions() = ToProto(session, current_session);
  }
  auto logins = SelectLogins(connection, user.id(), kLoginsShown);
  if (!logins.ok()) return logins.status();
  for (v1::LoginRecord& login : *logins) *response.add_logins() = std::move(login);
  *response.mutable_user() = user;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<rpc::UserCaller> UserService::Caller(const grpc::CallbackServerContext& context) {
  const absl::StatusOr<std::string_view> token = rpc::BearerToken(context.client_metadata());
  if (!token.ok()) return token.status();
  if (token->empty()) return absl::UnauthenticatedError("a user's token is needed");
  return directory_.Check(*token);
}

Actor UserService::ActorOf(const grpc::CallbackServerContext& context) {
  Actor actor;
  actor.name = rpc::ActorName(context);
  if (!rpc::CalledByPortal(context)) return actor;
  const absl::StatusOr<rpc::UserCaller> caller = Caller(context);
  if (caller.ok()) actor.user_id = caller->id;
  return actor;
}

grpc::ServerUnaryReactor* UserService::Answer(grpc::CallbackServerContext* context, Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto task = [reactor, work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
    reactor->Finish(rpc::ToGrpc(connection.ok() ? work(**connection) : connection.status()));
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(task))) {
    reactor->Finish(Busy());
  }
  return reactor;
}

grpc::ServerUnaryReactor* UserService::AnswerChange(grpc::CallbackServerContext* context,
                                                    Change change, v1::User* user) {
  return Answer(context, [this, change = std::move(change), user,
                          actor = ActorOf(*context)](db::Connection& connection) {
    auto changed = change(connection, actor);
    if (!changed.ok()) return changed.status();
    *user = *std::move(changed);
    return directory_.Refresh(connection);
  });
}

grpc::ServerUnaryReactor* UserService::AnswerWithPassword(
    grpc::CallbackServerContext* context, crypto::Secret password,
    std::function<absl::StatusOr<v1::User>(db::Connection&, const Actor&, StoredPassword)> write,
    v1::User* user) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto work = [this, reactor, user, write = std::move(write), actor = ActorOf(*context)](
                  absl::StatusOr<db::Connection*> connection, std::string hash) {
    if (!connection.ok()) return reactor->Finish(rpc::ToGrpc(connection.status()));
    StoredPassword stored;
    stored.hash = std::move(hash);
    stored.must_change = true;
    stored.expires_at_us = NowMicros() + Micros(kOneTimePasswordLife);
    auto changed = write(**connection, actor, std::move(stored));
    absl::Status status = changed.status();
    if (status.ok()) {
      *user = *std::move(changed);
      status = directory_.Refresh(**connection);
    }
    reactor->Finish(rpc::ToGrpc(status));
  };
  sessions_.HashThen(std::move(password), rpc::CallDeadline(*context, kCallTimeout),
                     std::move(work));
  return reactor;
}

grpc::ServerUnaryReactor* UserService::Login(grpc::CallbackServerContext* context,
                                             const v1::LoginRequest* request,
                                             v1::LoginResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Sessions::Attempt attempt;
  // What cannot be anybody's is nobody's: the answer is the same.
  attempt.email = absl::AsciiStrToLower(request->email().substr(0, kEmailMax + 1));
  if (!ReadEmail(attempt.email).ok()) attempt.email = "";
  attempt.password = crypto::Secret(request->password());
  attempt.address = ReadAddress(request->address());
  attempt.user_agent = ReadUserAgent(request->user_agent());
  attempt.actor = rpc::ActorName(*context);
  sessions_.Login(std::move(attempt), rpc::CallDeadline(*context, kCallTimeout),
                  [context, reactor, response](absl::StatusOr<Sessions::Begun> begun,
                                               std::int64_t retry_after_s) {
                    if (begun.ok()) {
                      *response->mutable_tokens() = std::move(begun->tokens);
                      *response->mutable_user() = std::move(begun->user);
                    }
                    FinishAttempt(context, reactor, begun.status(), retry_after_s);
                  });
  return reactor;
}

grpc::ServerUnaryReactor* UserService::RefreshSession(grpc::CallbackServerContext* context,
                                                      const v1::RefreshSessionRequest* request,
                                                      v1::RefreshSessionResponse* response) {
  return Answer(context, [this, request, response,
                          actor = rpc::ActorName(*context)](db::Connection& connection) {
    auto begun = sessions_.Refresh(connection, request->refresh_token(), actor);
    if (!begun.ok()) return begun.status();
    *response->mutable_tokens() = std::move(begun->tokens);
    *response->mutable_user() = std::move(begun->user);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* UserService::Logout(grpc::CallbackServerContext* context,
                                              const v1::LogoutRequest* request,
                                              v1::LogoutResponse*) {
  return Answer(context, [this, request](db::Connection& connection) {
    return sessions_.Logout(connection, request->refresh_token());
  });
}

grpc::ServerUnaryReactor* UserService::GetProfile(grpc::CallbackServerContext* context,
                                                  const v1::GetProfileRequest*,
                                                  v1::GetProfileResponse* response) {
  auto caller = Caller(*context);
  if (!caller.ok()) return Refuse(context, caller.status());
  return Answer(context, [response, caller = *std::move(caller)](db::Connection& connection) {
    v1::UserKey key;
    key.set_id(caller.id);
    const auto user = SelectUser(connection, key);
    if (!user.ok()) return user.status();
    return FillDetails(connection, user->user, caller.session_id, *response);
  });
}

grpc::ServerUnaryReactor* UserService::ChangePassword(grpc::CallbackServerContext* context,
                                                      const v1::ChangePasswordRequest* request,
                                                      v1::ChangePasswordResponse* response) {
  const auto caller = Caller(*context);
  if (!caller.ok()) return Refuse(context, caller.status());
  absl::Status status = CheckNewPassword(request->new_password(), caller->email, "");
  if (status.ok() && request->new_password() == request->current_password()) {
    status = absl::InvalidArgumentError("new_password: not the old one");
  }
  if (!status.ok()) return Refuse(context, status);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Sessions::Attempt attempt;
  attempt.email = caller->email;
  attempt.password = crypto::Secret(request->current_password());
  attempt.new_password = crypto::Secret(request->new_password());
  attempt.address = ReadAddress(request->address());
  attempt.actor = rpc::ActorName(*context);
  sessions_.ChangePassword(
      std::move(attempt), caller->session_id, rpc::CallDeadline(*context, kCallTimeout),
      [context, reactor, response](absl::StatusOr<v1::User> user, std::int64_t retry_after_s) {
        if (user.ok()) *response->mutable_user() = *std::move(user);
        FinishAttempt(context, reactor, user.status(), retry_after_s);
      });
  return reactor;
}

grpc::ServerUnaryReactor* UserService::EndSessions(grpc::CallbackServerContext* context,
                                                   const v1::EndSessionsRequest* request,
                                                   v1::EndSessionsResponse* response) {
  auto caller = Caller(*context);
  if (!caller.ok()) return Refuse(context, caller.status());
  const Actor actor{rpc::ActorName(*context), caller->id};
  return Answer(context, [this, request, response, actor,
                          current = caller->session_id](db::Connection& connection) {
    const auto ended = identity::EndSessions(connection, actor, request->session_id(), current);
    if (!ended.ok()) return ended.status();
    response->set_ended(static_cast<std::int32_t>(*ended));
    return directory_.Refresh(connection);
  });
}

grpc::ServerUnaryReactor* UserService::CreateUser(grpc::CallbackServerContext* context,
                                                  const v1::CreateUserRequest* request,
                                                  v1::CreateUserResponse* response) {
  const auto user = ReadNewUser(*request);
  if (!user.ok()) return Refuse(context, user.status());
  const std::string password = MakeOneTimePassword();
  return AnswerWithPassword(
      context, crypto::Secret(password),
      [response, password, user = *user](db::Connection& connection, const Actor& actor,
                                         const StoredPassword& stored) {
        auto created = identity::CreateUser(connection, actor, user, stored);
        if (created.ok()) response->set_one_time_password(password);
        return created;
      },
      response->mutable_user());
}

grpc::ServerUnaryReactor* UserService::ResetPassword(grpc::CallbackServerContext* context,
                                                     const v1::ResetPasswordRequest* request,
                                                     v1::ResetPasswordResponse* response) {
  const auto key = ReadKey(request->user());
  if (!key.ok()) return Refuse(context, key.status());
  const bool given = !request->new_password().empty();
  if (given) {
    const absl::Status status = CheckNewPassword(request->new_password(), key->email(), "");
    if (!status.ok()) return Refuse(context, status);
  }
  const std::string password = given ? request->new_password() : MakeOneTimePassword();
  return AnswerWithPassword(
      context, crypto::Secret(password),
      [response, given, password, key = *key](db::Connection& connection, const Actor& actor,
                                              const StoredPassword& stored) {
        auto changed = identity::ResetPassword(connection, actor, key, stored);
        if (changed.ok() && !given) response->set_one_time_password(password);
        return changed;
      },
      response->mutable_user());
}

grpc::ServerUnaryReactor* UserService::ListUsers(grpc::CallbackServerContext* context,
                                                 const v1::ListUsersRequest* request,
                                                 v1::ListUsersResponse* response) {
  std::string after;
  if (!absl::WebSafeBase64Unescape(request->page_token(), &after)) {
    return Refuse(context, absl::InvalidArgumentError("page_token: not a token of this service"));
  }
  if (request->page_size() < 0) {
    return Refuse(context, absl::InvalidArgumentError("page_size: negative"));
  }
  if (!IsAscii(request->email_prefix())) {
    return Refuse(context, absl::InvalidArgumentError("email_prefix: only ASCII characters"));
  }
  v1::ListUsersRequest filter = *request;
  filter.set_email_prefix(absl::AsciiStrToLower(request->email_prefix()));
  const int size =
      request->page_size() == 0 ? kPageDefault : std::min(request->page_size(), kPageMax);
  return Answer(context, [response, after, size, filter](db::Connection& connection) {
    // One more than asked for tells whether there is a next page.
    auto users = SelectUsers(connection, filter, after, size + 1);
    if (!users.ok()) return users.status();
    const bool more = users->size() > static_cast<std::size_t>(size);
    if (more) users->pop_back();
    if (more) response->set_next_page_token(absl::WebSafeBase64Escape(users->back().email()));
    for (v1::User& user : *users) *response->add_users() = std::move(user);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* UserService::GetUser(grpc::CallbackServerContext* context,
                                               const v1::GetUserRequest* request,
                                               v1::GetUserResponse* response) {
  const auto key = ReadKey(request->user());
  if (!key.ok()) return Refuse(context, key.status());
  return Answer(context, [response, key = *key](db::Connection& connection) {
    const auto user = SelectUser(connection, key);
    if (!user.ok()) return user.status();
    return FillDetails(connection, user->user, "", *response);
  });
}

grpc::ServerUnaryReactor* UserService::SetUserState(grpc::CallbackServerContext* context,
                                                    const v1::SetUserStateRequest* request,
                                                    v1::SetUserStateResponse* response) {
  const auto key = ReadKey(request->user());
  absl::Status status = key.status();
  if (status.ok()) status = CheckState(request->state());
  if (status.ok()) status = CheckReason(request->reason());
  if (!status.ok()) return Refuse(context, status);
  v1::SetUserStateRequest change = *request;
  *change.mutable_user() = *key;
  return AnswerChange(
      context,
      [change](db::Connection& connection, const Actor& actor) {
        return SetState(connection, actor, change);
      },
      response->mutable_user());
}

grpc::ServerUnaryReactor* UserService::SetUserRole(grpc::CallbackServerContext* context,
                                                   const v1::SetUserRoleRequest* request,
                                                   v1::SetUserRoleResponse* response) {
  const auto key = ReadKey(request->user());
  absl::Status status = key.status();
  if (status.ok()) status = CheckRole(request->role());
  if (!status.ok()) return Refuse(context, status);
  v1::SetUserRoleRequest change = *request;
  *change.mutable_user() = *key;
  return AnswerChange(
      context,
      [change](db::Connection& connection, const Actor& actor) {
        return SetRole(connection, actor, change);
      },
      response->mutable_user());
}

grpc::ServerUnaryReactor* UserService::LinkClient(grpc::CallbackServerContext* context,
                                                  const v1::LinkClientRequest* request,
                                                  v1::LinkClientResponse* response) {
  const auto key = ReadKey(request->user());
  if (!key.ok()) return Refuse(context, key.status());
  return AnswerChange(
      context,
      [key = *key, request](db::Connection& connection, const Actor& actor) {
        return Link(connection, actor, key, request->client_id());
      },
      response->mutable_user());
}

grpc::ServerUnaryReactor* UserService::UnlinkClient(grpc::CallbackServerContext* context,
                                                    const v1::UnlinkClientRequest* request,
                                                    v1::UnlinkClientResponse* response) {
  const auto key = ReadKey(request->user());
  if (!key.ok()) return Refuse(context, key.status());
  return AnswerChange(
      context,
      [key = *key, request](db::Connection& connection, const Actor& actor) {
        return Unlink(connection, actor, key, request->client_id());
      },
      response->mutable_user());
}

}  // namespace postern::identity
