#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/user_service.pb.h"
#include "services/common/db/connection.h"
#include "services/identity/user_repository.h"

// What is done to users. Each is one transaction with its row of the audit log, and gives the user
// as it is then. `actor` is for the audit log; `actor_id` is the user who acts, 0: an operator.
// Who answers refreshes the directory afterwards.
namespace postern::identity {

struct Actor {
  std::string name;
  std::int64_t user_id = 0;
};

// AlreadyExists; NotFound for a client that is not registered.
absl::StatusOr<v1::User> CreateUser(db::Connection& connection, const Actor& actor,
                                    const v1::User& user, const StoredPassword& password);
absl::StatusOr<v1::User> SetState(db::Connection& connection, const Actor& actor,
                                  const v1::SetUserStateRequest& request);
absl::StatusOr<v1::User> SetRole(db::Connection& connection, const Actor& actor,
                                 const v1::SetUserRoleRequest& request);
absl::StatusOr<v1::User> ResetPassword(db::Connection& connection, const Actor& actor,
                                       const v1::UserKey& key, const StoredPassword& password);
absl::StatusOr<v1::User> Link(db::Connection& connection, const Actor& actor,
                              const v1::UserKey& key, const std::string& client_id);
absl::StatusOr<v1::User> Unlink(db::Connection& connection, const Actor& actor,
                                const v1::UserKey& key, const std::string& client_id);
// How many sessions of the user were ended: the named one, or all but `current` when none is
// named. InvalidArgument when the named one is not the user's.
absl::StatusOr<std::int64_t> EndSessions(db::Connection& connection, const Actor& actor,
                                         const std::string& session_id, const std::string& current);

}  // namespace postern::identity
