#include "services/clients/client_repository.h"

#include <string_view>
#include <utility>

#include "services/common/audit/act.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/utf8.h"

namespace postern::clients {
namespace {

// The row lock that this takes is held until the commit: revisions become visible in order.
constexpr char kRaiseRevision[] = "UPDATE directory_revision SET revision = revision + 1";
constexpr char kSelectRevision[] = "SELECT revision FROM directory_revision";
constexpr char kInsertClient[] =
    "INSERT INTO clients (client_id, domain, state, revision, created_at_us) VALUES (?,?,?,?,?)";
constexpr char kInsertCertificate[] =
    "INSERT INTO client_certificates (sha256, client_id, created_at_us) VALUES (?,?,?)";
constexpr char kSelectClient[] =
    "SELECT c.client_id, c.domain, c.state, c.created_at_us, c.revision, k.sha256, "
    "c.messages_per_second, c.burst, c.messages_per_day FROM clients c "
    "LEFT JOIN client_certificates k ON k.client_id = c.client_id WHERE c.client_id = ? "
    "ORDER BY k.sha256";
constexpr char kUpdateLimits[] =
    "UPDATE clients SET messages_per_second = ?, burst = ?, messages_per_day = ?, revision = ? "
    "WHERE client_id = ?";
constexpr char kClearLimits[] =
    "UPDATE clients SET messages_per_second = NULL, burst = NULL, messages_per_day = NULL, "
    "revision = ? WHERE client_id = ?";
constexpr char kUpdateState[] = "UPDATE clients SET state = ?, revision = ? WHERE client_id = ?";
constexpr char kSelectPage[] =
    "SELECT c.client_id, c.domain, c.state, c.created_at_us, c.revision, k.sha256, "
    "c.messages_per_second, c.burst, c.messages_per_day FROM "
    "(SELECT * FROM clients WHERE client_id > ? ORDER BY client_id LIMIT ?) c "
    "LEFT JOIN client_certificates k ON k.client_id = c.client_id ORDER BY c.client_id, k.sha256";
constexpr char kSelectChanges[] =
    "SELECT c.client_id, c.domain, c.state, c.created_at_us, c.revision, k.sha256, "
    "c.messages_per_second, c.burst, c.messages_per_day FROM "
    "(SELECT * FROM clients WHERE revision > ? OR (revision = ? AND client_id > ?) "
    "ORDER BY revision, client_id LIMIT ?) c "
    "LEFT JOIN client_certificates k ON k.client_id = c.client_id "
    "ORDER BY c.revision, c.client_id, k.sha256";

// Rows come grouped by client, one for each certificate.
absl::StatusOr<std::vector<DirectoryEntry>> Collect(db::Connection& connection, const char* sql,
                                                    const std::vector<db::Value>& values) {
  std::vector<DirectoryEntry> entries;
  const absl::Status status = connection.Query(sql, values, [&entries](const db::Row& row) {
    std::string id = row.String(0);
    if (entries.empty() || entries.back().client.client_id() != id) {
      v1::Client& client = entries.emplace_back().client;
      client.set_client_id(std::move(id));
      client.set_domain(row.String(1));
      client.set_state(static_cast<v1::ClientState>(row.Int(2)));
      client.set_created_at_us(row.Int(3));
      entries.back().revision = row.Int(4);
      if (!row.IsNull(6)) {
        v1::ClientLimits& limits = *client.mutable_limits();
        limits.set_messages_per_second(static_cast<std::int32_t>(row.Int(6)));
        limits.set_burst(static_cast<std::int32_t>(row.Int(7)));
        limits.set_messages_per_day(row.Int(8));
      }
    }
    if (!row.IsNull(5)) {
      entries.back().client.add_certificate_sha256(HexEncode(row.String(5)));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return entries;
}

absl::Status Named(absl::Status status, std::string_view field, const std::string& value) {
  if (status.code() != absl::StatusCode::kAlreadyExists) return status;
  return absl::AlreadyExistsError(StrCat(field, ": ", value, " is already registered"));
}

absl::StatusOr<v1::Client> InsertRows(db::Connection& connection, const NewClient& new_client,
                                      std::int64_t now_us) {
  auto sha256 = HexDecode(new_client.certificate_sha256);
  if (!sha256.ok()) return sha256.status();
  if (auto raised = connection.Execute(kRaiseRevision); !raised.ok()) return raised.status();
  auto revision = SelectRevision(connection);
  if (!revision.ok()) return revision.status();

  const std::vector<db::Value> row = {std::string_view(new_client.client_id),
                                      std::string_view(new_client.domain),
                                      std::int64_t{v1::CLIENT_STATE_ACTIVE}, *revision, now_us};
  if (auto inserted = connection.Execute(kInsertClient, row); !inserted.ok()) {
    return Named(inserted.status(), "client_id", new_client.client_id);
  }
  if (!new_client.certificate_sha256.empty()) {
    const std::vector<db::Value> certificate = {std::string_view(*sha256),
                                                std::string_view(new_client.client_id), now_us};
    if (auto inserted = connection.Execute(kInsertCertificate, certificate); !inserted.ok()) {
      return Named(inserted.status(), "certificate_sha256", new_client.certificate_sha256);
    }
  }

  v1::Client client;
  client.set_client_id(new_client.client_id);
  client.set_domain(new_client.domain);
  if (!new_client.certificate_sha256.empty()) {
    client.add_certificate_sha256(new_client.certificate_sha256);
  }
  client.set_state(v1::CLIENT_STATE_ACTIVE);
  client.set_created_at_us(now_us);
  return client;
}

absl::Status AppendCreated(db::Connection& connection, const NewClient& client,
                           const std::string& actor) {
  audit::Act act;
  act.actor = actor;
  act.action = "client.create";
  act.target = StrCat("client/", client.client_id);
  act.details = {{"domain", client.domain}, {"certificate_sha256", client.certificate_sha256}};
  return audit::Append(connection, act);
}

// Raises the directory's revision first: its lock orders this with every other change.
absl::StatusOr<v1::Client> ChangeState(db::Connection& connection, const StateChange& change) {
  if (auto raised = connection.Execute(kRaiseRevision); !raised.ok()) return raised.status();
  auto revision = SelectRevision(connection);
  if (!revision.ok()) return revision.status();
  auto client = SelectClient(connection, change.client_id);
  if (!client.ok() || client->state() == change.state) return client;
  const auto updated = connection.Execute(
      kUpdateState, {std::int64_t{change.state}, *revision, std::string_view(change.client_id)});
  if (!updated.ok()) return updated.status();
  client->set_state(change.state);
  audit::Act act;
  act.actor = change.actor;
  act.action = change.state == v1::CLIENT_STATE_SUSPENDED ? "client.suspend" : "client.resume";
  act.target = StrCat("client/", change.client_id);
  if (!change.reason.empty()) act.details = {{"reason", change.reason}};
  if (absl::Status appended = audit::Append(connection, act); !appended.ok()) return appended;
  return client;
}

absl::Status WriteLimits(db::Connection& connection, const LimitsChange& change,
                         std::int64_t revision) {
  const std::string_view id = change.client_id;
  if (!change.limits.has_value()) {
    return connection.Execute(kClearLimits, {revision, id}).status();
  }
  return connection
      .Execute(kUpdateLimits, {std::int64_t{change.limits->messages_per_second()},
                               std::int64_t{change.limits->burst()},
                               std::int64_t{change.limits->messages_per_day()}, revision, id})
      .status();
}

absl::StatusOr<v1::Client> ChangeLimits(db::Connection& connection, const LimitsChange& change) {
  if (auto raised = connection.Execute(kRaiseRevision); !raised.ok()) return raised.status();
  auto revision = SelectRevision(connection);
  if (!revision.ok()) return revision.status();
  auto client = SelectClient(connection, change.client_id);
  if (!client.ok()) return client;
  if (absl::Status s = WriteLimits(connection, change, *revision); !s.ok()) return s;
  audit::Act act;
  act.actor = change.actor;
  act.action = "client.limit";
  act.target = StrCat("client/", change.client_id);
  if (change.limits.has_value()) {
    act.details = {{"messages_per_second", std::to_string(change.limits->messages_per_second())},
                   {"burst", std::to_string(change.limits->burst())},
                   {"messages_per_day", std::to_string(change.limits->messages_per_day())}};
    *client->mutable_limits() = *change.limits;
  } else {
    act.details = {{"limits", "default"}};
    client->clear_limits();
  }
  if (!change.reason.empty()) act.details.emplace("reason", change.reason);
  if (absl::Status appended = audit::Append(connection, act); !appended.ok()) return appended;
  return client;
}

// Runs `change` in a transaction.
template <typename Change>
absl::StatusOr<v1::Client> InTransaction(db::Connection& connection, const Change& change) {
  if (absl::Status begun = connection.Begin(); !begun.ok()) return begun;
  absl::StatusOr<v1::Client> client = change();
  absl::Status status = client.status();
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) {
    connection.Rollback();
    return status;
  }
  return client;
}

}  // namespace

absl::StatusOr<v1::Client> SelectClient(db::Connection& connection, const std::string& client_id) {
  const absl::Status none = absl::NotFoundError(StrCat("client_id: there is no ", client_id));
  if (!IsAscii(client_id)) return none;
  auto entries = Collect(connection, kSelectClient, {std::string_view(client_id)});
  if (!entries.ok()) return entries.status();
  if (entries->empty()) return none;
  return std::move(entries->front().client);
}

absl::StatusOr<v1::Client> UpdateState(db::Connection& connection, const StateChange& change) {
  return InTransaction(connection, [&] { return ChangeState(connection, change); });
}

absl::StatusOr<v1::Client> UpdateLimits(db::Connection& connection, const LimitsChange& change) {
  return InTransaction(connection, [&] { return ChangeLimits(connection, change); });
}

absl::StatusOr<v1::Client> InsertClient(db::Connection& connection, const NewClient& client,
                                        const std::string& actor, std::int64_t now_us) {
  return InTransaction(connection, [&] {
    absl::StatusOr<v1::Client> inserted = InsertRows(connection, client, now_us);
    if (!inserted.ok()) return inserted;
    const absl::Status appended = AppendCreated(connection, client, actor);
    return appended.ok() ? inserted : absl::StatusOr<v1::Client>(appended);
  });
}

absl::StatusOr<std::vector<v1::Client>> SelectClients(db::Connection& connection,
                                                      const std::string& after_id,
                                                      std::int64_t limit) {
  auto entries = Collect(connection, kSelectPage, {std::string_view(after_id), limit});
  if (!entries.ok()) return entries.status();
  std::vector<v1::Client> clients;
  clients.reserve(entries->size());
  for (DirectoryEntry& entry : *entries) clients.push_back(std::move(entry.client));
  return clients;
}

absl::StatusOr<std::int64_t> SelectRevision(db::Connection& connection) {
  std::int64_t revision = 0;
  const absl::Status status =
      connection.Query(kSelectRevision, {}, [&revision](const db::Row& row) {
        revision = row.Int(0);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  if (revision == 0) return absl::InternalError("the table directory_revision is empty");
  return revision;
}

absl::StatusOr<std::vector<DirectoryEntry>> SelectChanges(db::Connection& connection,
                                                          std::int64_t after_revision,
                                                          const std::string& after_id,
                                                          std::int64_t limit) {
  return Collect(connection, kSelectChanges,
                 {after_revision, after_revision, std::string_view(after_id), limit});
}

}  // namespace postern::clients
