#include "services/clients/client_repository.h"

#include <string_view>
#include <utility>

#include "services/common/audit/act.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"

namespace postern::clients {
namespace {

// The row lock that this takes is held until the commit: revisions become visible in order.
constexpr char kRaiseRevision[] = "UPDATE directory_revision SET revision = revision + 1";
constexpr char kSelectRevision[] = "SELECT revision FROM directory_revision";
constexpr char kInsertClient[] =
    "INSERT INTO clients (client_id, domain, state, revision, created_at_us) VALUES (?,?,?,?,?)";
constexpr char kInsertCertificate[] =
    "INSERT INTO client_certificates (sha256, client_id, created_at_us) VALUES (?,?,?)";
constexpr char kSelectPage[] =
    "SELECT c.client_id, c.domain, c.state, c.created_at_us, c.revision, k.sha256 FROM "
    "(SELECT * FROM clients WHERE client_id > ? ORDER BY client_id LIMIT ?) c "
    "LEFT JOIN client_certificates k ON k.client_id = c.client_id ORDER BY c.client_id, k.sha256";
constexpr char kSelectChanges[] =
    "SELECT c.client_id, c.domain, c.state, c.created_at_us, c.revision, k.sha256 FROM "
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
  const std::vector<db::Value> certificate = {std::string_view(*sha256),
                                              std::string_view(new_client.client_id), now_us};
  if (auto inserted = connection.Execute(kInsertCertificate, certificate); !inserted.ok()) {
    return Named(inserted.status(), "certificate_sha256", new_client.certificate_sha256);
  }

  v1::Client client;
  client.set_client_id(new_client.client_id);
  client.set_domain(new_client.domain);
  client.add_certificate_sha256(new_client.certificate_sha256);
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

}  // namespace

absl::StatusOr<v1::Client> InsertClient(db::Connection& connection, const NewClient& client,
                                        const std::string& actor, std::int64_t now_us) {
  if (absl::Status begun = connection.Begin(); !begun.ok()) return begun;
  absl::StatusOr<v1::Client> inserted = InsertRows(connection, client, now_us);
  absl::Status status = inserted.status();
  if (status.ok()) status = AppendCreated(connection, client, actor);
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) {
    connection.Rollback();
    return status;
  }
  return inserted;
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
