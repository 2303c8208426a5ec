#include "services/identity/user_repository.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "services/common/base/strings.h"
#include "services/common/base/utf8.h"

namespace postern::identity {
namespace {

constexpr char kSelectRevision[] = "SELECT revision FROM identity_revision";
constexpr char kRaiseRevision[] = "UPDATE identity_revision SET revision = revision + 1";
constexpr char kColumns[] =
    "SELECT u.id, u.email, u.name, u.role, u.state, u.must_change_password, u.created_at_us,"
    " u.last_login_at_us, u.password_changed_at_us, u.password_hash, u.password_expires_at_us,"
    " u.revision, (SELECT GROUP_CONCAT(l.client_id ORDER BY l.client_id) FROM user_clients l"
    " WHERE l.user_id = u.id) FROM users u";
constexpr char kOfId[] = " WHERE u.id = ?";
constexpr char kOfEmail[] = " WHERE u.email = ?";
constexpr char kLock[] = " FOR UPDATE";
constexpr char kAfterRevision[] = " WHERE u.revision > ?";
constexpr char kPage[] =
    " WHERE u.email > ? AND u.email >= ? AND u.email < ? AND (? = 0 OR u.state = ?)"
    " AND (? = 0 OR u.role = ?) AND (? = '' OR EXISTS (SELECT 1 FROM user_clients k"
    " WHERE k.user_id = u.id AND k.client_id = ?)) ORDER BY u.email LIMIT ?";
constexpr char kInsertUser[] =
    "INSERT INTO users (email, name, role, state, password_hash, must_change_password,"
    " password_expires_at_us, created_at_us, revision) VALUES (?,?,?,?,?,?,?,?,?)";
constexpr char kSelectNewId[] = "SELECT LAST_INSERT_ID()";
constexpr char kUpdateState[] = "UPDATE users SET state = ?, revision = ? WHERE id = ?";
constexpr char kUpdateRole[] = "UPDATE users SET role = ?, revision = ? WHERE id = ?";
constexpr char kUpdatePassword[] =
    "UPDATE users SET password_hash = ?, must_change_password = ?, password_expires_at_us = ?,"
    " password_changed_at_us = GREATEST(password_changed_at_us, ?), revision = ? WHERE id = ?";
constexpr char kUpdateHash[] = "UPDATE users SET password_hash = ? WHERE id = ?";
constexpr char kTouchUser[] = "UPDATE users SET revision = ? WHERE id = ?";
constexpr char kClientExists[] = "SELECT 1 FROM clients WHERE client_id = ?";
constexpr char kInsertLink[] =
    "INSERT INTO user_clients (user_id, client_id) VALUES (?,?)"
    " ON DUPLICATE KEY UPDATE client_id = VALUES(client_id)";
constexpr char kDeleteLink[] = "DELETE FROM user_clients WHERE user_id = ? AND client_id = ?";
constexpr char kInsertLogin[] =
    "INSERT INTO user_logins (user_id, at_us, succeeded, address, user_agent) VALUES (?,?,?,?,?)";
constexpr char kUpdateLastLogin[] = "UPDATE users SET last_login_at_us = ? WHERE id = ?";
constexpr char kSelectLogins[] =
    "SELECT at_us, succeeded, address, user_agent FROM user_logins WHERE user_id = ?"
    " ORDER BY id DESC LIMIT ?";
constexpr char kIsKnownAddress[] =
    "SELECT 1 FROM user_logins WHERE user_id = ? AND address = ? AND succeeded = 1 LIMIT 1";

UserRow ReadUser(const db::Row& row) {
  UserRow read;
  v1::User& user = read.user;
  user.set_id(row.Int(0));
  user.set_email(row.String(1));
  user.set_name(row.String(2));
  user.set_role(static_cast<v1::UserRole>(row.Int(3)));
  user.set_state(static_cast<v1::UserState>(row.Int(4)));
  user.set_must_change_password(row.Int(5) != 0);
  user.set_created_at_us(row.Int(6));
  user.set_last_login_at_us(row.Int(7));
  user.set_password_changed_at_us(row.Int(8));
  read.password_hash = row.String(9);
  read.password_expires_at_us = row.Int(10);
  read.revision = row.Int(11);
  if (!row.IsNull(12)) {
    const std::string links = row.String(12);
    for (const auto client_id : absl::StrSplit(links, ',')) {
      user.add_client_ids(std::string(client_id));
    }
  }
  return read;
}

absl::StatusOr<std::vector<UserRow>> Select(db::Connection& connection, const std::string& sql,
                                            const std::vector<db::Value>& values) {
  std::vector<UserRow> rows;
  const absl::Status status = connection.Query(sql, values, [&rows](const db::Row& row) {
    rows.push_back(ReadUser(row));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<std::int64_t> SelectNumber(db::Connection& connection, const std::string& sql,
                                          const std::vector<db::Value>& values) {
  std::int64_t number = 0;
  const absl::Status status = connection.Query(sql, values, [&number](const db::Row& row) {
    number = row.Int(0);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return number;
}

}  // namespace

absl::StatusOr<std::int64_t> SelectRevision(db::Connection& connection) {
  const auto revision = SelectNumber(connection, kSelectRevision, {});
  if (revision.ok() && *revision == 0) {
    return absl::InternalError("the table identity_revision is empty");
  }
  return revision;
}

absl::StatusOr<std::int64_t> RaiseRevision(db::Connection& connection) {
  if (auto raised = connection.Execute(kRaiseRevision); !raised.ok()) return raised.status();
  return SelectRevision(connection);
}

absl::StatusOr<UserRow> SelectUser(db::Connection& connection, const v1::UserKey& key, bool lock) {
  const bool by_id = key.key_case() == v1::UserKey::kId;
  const std::string sql = StrCat(kColumns, by_id ? kOfId : kOfEmail, lock ? kLock : "");
  const db::Value value = by_id ? db::Value(key.id()) : db::Value(std::string_view(key.email()));
  auto rows = Select(connection, sql, {value});
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::NotFoundError("user: there is none of this name");
  return std::move(rows->front());
}

absl::StatusOr<std::optional<UserRow>> FindUserByEmail(db::Connection& connection,
                                                       const std::string& email) {
  const std::string sql = StrCat(kColumns, kOfEmail);
  auto rows = Select(connection, sql, {std::string_view(email)});
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::optional<UserRow>();
  return std::optional<UserRow>(std::move(rows->front()));
}

absl::StatusOr<std::vector<UserRow>> SelectUsersAfterRevision(db::Connection& connection,
                                                              std::int64_t revision) {
  const std::string sql = StrCat(kColumns, kAfterRevision);
  return Select(connection, sql, {revision});
}

absl::StatusOr<std::vector<v1::User>> SelectUsers(db::Connection& connection,
                                                  const v1::ListUsersRequest& filter,
                                                  const std::string& after_email,
                                                  std::int64_t limit) {
  const std::string sql = StrCat(kColumns, kPage);
  const std::string prefix_end = StrCat(filter.email_prefix(), "\x7f");
  const std::int64_t state = filter.state();
  const std::int64_t role = filter.role();
  const std::string_view client_id = filter.client_id();
  auto rows =
      Select(connection, sql,
             {std::string_view(after_email), std::string_view(filter.email_prefix()),
              std::string_view(prefix_end), state, state, role, role, client_id, client_id, limit});
  if (!rows.ok()) return rows.status();
  std::vector<v1::User> users;
  for (UserRow& row : *rows) users.push_back(std::move(row.user));
  return users;
}

absl::StatusOr<std::int64_t> InsertUser(db::Connection& connection, const v1::User& user,
                                        const StoredPassword& password, std::int64_t revision) {
  const auto inserted = connection.Execute(
      kInsertUser, {std::string_view(user.email()), std::string_view(user.name()),
                    static_cast<std::int64_t>(user.role()), static_cast<std::int64_t>(user.state()),
                    std::string_view(password.hash), std::int64_t{password.must_change},
                    password.expires_at_us, user.created_at_us(), revision});
  if (absl::IsAlreadyExists(inserted.status())) {
    return absl::AlreadyExistsError("email: there is a user with it already");
  }
  if (!inserted.ok()) return inserted.status();
  return SelectNumber(connection, kSelectNewId, {});
}

absl::Status UpdateState(db::Connection& connection, std::int64_t id, v1::UserState state,
                         std::int64_t revision) {
  return connection.Execute(kUpdateState, {static_cast<std::int64_t>(state), revision, id})
      .status();
}

absl::Status UpdateRole(db::Connection& connection, std::int64_t id, v1::UserRole role,
                        std::int64_t revision) {
  return connection.Execute(kUpdateRole, {static_cast<std::int64_t>(role), revision, id}).status();
}

absl::Status UpdatePassword(db::Connection& connection, std::int64_t id,
                            const StoredPassword& password, std::int64_t revision) {
  return connection
      .Execute(kUpdatePassword,
               {std::string_view(password.hash), std::int64_t{password.must_change},
                password.expires_at_us, password.changed_at_us, revision, id})
      .status();
}

absl::Status UpdateHash(db::Connection& connection, std::int64_t id, const std::string& hash) {
  return connection.Execute(kUpdateHash, {std::string_view(hash), id}).status();
}

absl::StatusOr<bool> ClientExists(db::Connection& connection, const std::string& client_id) {
  if (!IsAscii(client_id)) return false;
  const auto found = SelectNumber(connection, kClientExists, {std::string_view(client_id)});
  if (!found.ok()) return found.status();
  return *found == 1;
}

absl::Status InsertLink(db::Connection& connection, std::int64_t id, const std::string& client_id) {
  return connection.Execute(kInsertLink, {id, std::string_view(client_id)}).status();
}

absl::Status DeleteLink(db::Connection& connection, std::int64_t id, const std::string& client_id) {
  return connection.Execute(kDeleteLink, {id, std::string_view(client_id)}).status();
}

absl::Status TouchUser(db::Connection& connection, std::int64_t id, std::int64_t revision) {
  return connection.Execute(kTouchUser, {revision, id}).status();
}

absl::Status InsertLogin(db::Connection& connection, std::int64_t user_id,
                         const v1::LoginRecord& login) {
  return connection
      .Execute(kInsertLogin,
               {user_id, login.at_us(), std::int64_t{login.succeeded()},
                std::string_view(login.address()), std::string_view(login.user_agent())})
      .status();
}

absl::Status UpdateLastLogin(db::Connection& connection, std::int64_t user_id, std::int64_t at_us) {
  return connection.Execute(kUpdateLastLogin, {at_us, user_id}).status();
}

absl::StatusOr<std::vector<v1::LoginRecord>> SelectLogins(db::Connection& connection,
                                                          std::int64_t user_id,
                                                          std::int64_t limit) {
  std::vector<v1::LoginRecord> logins;
  const absl::Status status =
      connection.Query(kSelectLogins, {user_id, limit}, [&logins](const db::Row& row) {
        v1::LoginRecord& login = logins.emplace_back();
        login.set_at_us(row.Int(0));
        login.set_succeeded(row.Int(1) != 0);
        login.set_address(row.String(2));
        login.set_user_agent(row.String(3));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return logins;
}

absl::StatusOr<bool> IsKnownAddress(db::Connection& connection, std::int64_t user_id,
                                    const std::string& address) {
  const auto found =
      SelectNumber(connection, kIsKnownAddress, {user_id, std::string_view(address)});
  if (!found.ok()) return found.status();
  return *found == 1;
}

}  // namespace postern::identity
