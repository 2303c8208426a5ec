#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/user_service.pb.h"
#include "services/common/db/connection.h"

// The tables `users`, `user_clients`, `user_logins` and `identity_revision`. Each function blocks;
// errors are those of db::Connection. Writers raise the revision first: its lock orders them.
namespace postern::identity {

// A user with what is not for others.
struct UserRow {
  v1::User user;
  std::string password_hash;
  std::int64_t password_expires_at_us = 0;
  std::int64_t revision = 0;
};

// A password as it is stored.
struct StoredPassword {
  std::string hash;
  bool must_change = false;
  std::int64_t expires_at_us = 0;  // 0: never.
  std::int64_t changed_at_us = 0;  // By its owner; 0: not by its owner.
};

absl::StatusOr<std::int64_t> SelectRevision(db::Connection& connection);
// In the caller's transaction; the new one.
absl::StatusOr<std::int64_t> RaiseRevision(db::Connection& connection);

// NotFound when there is none. With `lock`, nobody changes the row until the transaction ends.
absl::StatusOr<UserRow> SelectUser(db::Connection& connection, const v1::UserKey& key,
                                   bool lock = false);
absl::StatusOr<std::optional<UserRow>> FindUserByEmail(db::Connection& connection,
                                                       const std::string& email);
absl::StatusOr<std::vector<UserRow>> SelectUsersAfterRevision(db::Connection& connection,
                                                              std::int64_t revision);
absl::StatusOr<std::vector<v1::User>> SelectUsers(db::Connection& connection,
                                                  const v1::ListUsersRequest& filter,
                                                  const std::string& after_email,
                                                  std::int64_t limit);

// The id of the new user. AlreadyExists when the e-mail is taken.
absl::StatusOr<std::int64_t> InsertUser(db::Connection& connection, const v1::User& user,
                                        const StoredPassword& password, std::int64_t revision);
absl::Status UpdateState(db::Connection& connection, std::int64_t id, v1::UserState state,
                         std::int64_t revision);
absl::Status UpdateRole(db::Connection& connection, std::int64_t id, v1::UserRole role,
                        std::int64_t revision);
absl::Status UpdatePassword(db::Connection& connection, std::int64_t id,
                            const StoredPassword& password, std::int64_t revision);
// The same password under another cost.
absl::Status UpdateHash(db::Connection& connection, std::int64_t id, const std::string& hash);

absl::StatusOr<bool> ClientExists(db::Connection& connection, const std::string& client_id);
absl::Status InsertLink(db::Connection& connection, std::int64_t id, const std::string& client_id);
absl::Status DeleteLink(db::Connection& connection, std::int64_t id, const std::string& client_id);
// Says that links of the user changed.
absl::Status TouchUser(db::Connection& connection, std::int64_t id, std::int64_t revision);

absl::Status InsertLogin(db::Connection& connection, std::int64_t user_id,
                         const v1::LoginRecord& login);
absl::Status UpdateLastLogin(db::Connection& connection, std::int64_t user_id, std::int64_t at_us);
// The newest first.
absl::StatusOr<std::vector<v1::LoginRecord>> SelectLogins(db::Connection& connection,
                                                          std::int64_t user_id, std::int64_t limit);
// Whether the user was let in from there before.
absl::StatusOr<bool> IsKnownAddress(db::Connection& connection, std::int64_t user_id,
                                    const std::string& address);

}  // namespace postern::identity
