#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "postern/v1/user_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/identity/sessions.h"
#include "services/identity/user_changes.h"
#include "services/identity/user_directory.h"

namespace postern::identity {

// gRPC adapter of the identities. Which role may call what is the server's to say (method table).
// Thread-safe.
class UserService final : public v1::UserService::CallbackService {
 public:
  // All must outlive the server that this service is registered with.
  UserService(db::Executor& database, UserDirectory& directory, Sessions& sessions)
      : database_(database), directory_(directory), sessions_(sessions) {}

  grpc::ServerUnaryReactor* Login(grpc::CallbackServerContext* context,
                                  const v1::LoginRequest* request,
                                  v1::LoginResponse* response) override;
  grpc::ServerUnaryReactor* RefreshSession(grpc::CallbackServerContext* context,
                                           const v1::RefreshSessionRequest* request,
                                           v1::RefreshSessionResponse* response) override;
  grpc::ServerUnaryReactor* Logout(grpc::CallbackServerContext* context,
                                   const v1::LogoutRequest* request,
                                   v1::LogoutResponse* response) override;
  grpc::ServerUnaryReactor* GetProfile(grpc::CallbackServerContext* context,
                                       const v1::GetProfileRequest* request,
                                       v1::GetProfileResponse* response) override;
  grpc::ServerUnaryReactor* ChangePassword(grpc::CallbackServerContext* context,
                                           const v1::ChangePasswordRequest* request,
                                           v1::ChangePasswordResponse* response) override;
  grpc::ServerUnaryReactor* EndSessions(grpc::CallbackServerContext* context,
                                        const v1::EndSessionsRequest* request,
                                        v1::EndSessionsResponse* response) override;
  grpc::ServerUnaryReactor* CreateUser(grpc::CallbackServerContext* context,
                                       const v1::CreateUserRequest* request,
                                       v1::CreateUserResponse* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* context,
                                    const v1::GetUserRequest* request,
                                    v1::GetUserResponse* response) override;
  grpc::ServerUnaryReactor* SetUserState(grpc::CallbackServerContext* context,
                                         const v1::SetUserStateRequest* request,
                                         v1::SetUserStateResponse* response) override;
  grpc::ServerUnaryReactor* SetUserRole(grpc::CallbackServerContext* context,
                                        const v1::SetUserRoleRequest* request,
                                        v1::SetUserRoleResponse* response) override;
  grpc::ServerUnaryReactor* ResetPassword(grpc::CallbackServerContext* context,
                                          const v1::ResetPasswordRequest* request,
                                          v1::ResetPasswordResponse* response) override;
  grpc::ServerUnaryReactor* LinkClient(grpc::CallbackServerContext* context,
                                       const v1::LinkClientRequest* request,
                                       v1::LinkClientResponse* response) override;
  grpc::ServerUnaryReactor* UnlinkClient(grpc::CallbackServerContext* context,
                                         const v1::UnlinkClientRequest* request,
                                         v1::UnlinkClientResponse* response) override;

 private:
  using Work = std::function<absl::Status(db::Connection&)>;

  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, Work work);
  // A change of one user, after which the directory is read anew.
  using Change = std::function<absl::StatusOr<v1::User>(db::Connection&, const Actor&)>;
  grpc::ServerUnaryReactor* AnswerChange(grpc::CallbackServerContext* context, Change change,
                                         v1::User* user);
  grpc::ServerUnaryReactor* AnswerWithPassword(
      grpc::CallbackServerContext* context, crypto::Secret password,
      std::function<absl::StatusOr<v1::User>(db::Connection&, const Actor&, StoredPassword)> write,
      v1::User* user);
  // For whom the portal calls. Unauthenticated when for nobody.
  absl::StatusOr<rpc::UserCaller> Caller(const grpc::CallbackServerContext& context);
  Actor ActorOf(const grpc::CallbackServerContext& context);

  db::Executor& database_;
  UserDirectory& directory_;
  Sessions& sessions_;
};

}  // namespace postern::identity
