#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/client_service.pb.h"
#include "services/clients/client_validation.h"
#include "services/common/db/connection.h"

// The tables `clients`, `client_certificates` and `directory_revision`. Each function blocks;
// errors are those of db::Connection.
namespace postern::clients {

// A client and the revision of the directory at which it last changed.
struct DirectoryEntry {
  v1::Client client;
  std::int64_t revision = 0;
};

// Registers a client and adds that to the audit log, in one transaction. `actor` is rpc::PeerName.
// AlreadyExists says whether the id or the fingerprint is taken; Aborted: try again.
absl::StatusOr<v1::Client> InsertClient(db::Connection& connection, const NewClient& client,
                                        const std::string& actor, std::int64_t now_us);

// NotFound names the id.
absl::StatusOr<v1::Client> SelectClient(db::Connection& connection, const std::string& client_id);

// What an operator does to a client's state.
struct StateChange {
  std::string client_id;
  v1::ClientState state = v1::CLIENT_STATE_UNSPECIFIED;
  std::string actor;   // rpc::PeerName.
  std::string reason;  // May be empty.
};

// Sets a client's state and adds that to the audit log, in one transaction. A client that has the
// state already is left alone, and nothing is added. NotFound names the id; Aborted: try again.
absl::StatusOr<v1::Client> UpdateState(db::Connection& connection, const StateChange& change);

// New limits of a client.
struct LimitsChange {
  std::string client_id;
  std::optional<v1::ClientLimits> limits;  // Within their ranges; nullopt: the defaults.
  std::string actor;                       // rpc::PeerName.
  std::string reason;                      // May be empty.
};

// Sets a client's limits and adds that to the audit log, in one transaction. NotFound names the id;
// Aborted: try again.
absl::StatusOr<v1::Client> UpdateLimits(db::Connection& connection, const LimitsChange& change);

// At most `limit` clients whose id is greater than `after_id`, by id.
absl::StatusOr<std::vector<v1::Client>> SelectClients(db::Connection& connection,
                                                      const std::string& after_id,
                                                      std::int64_t limit);

// Grows with each change of a client; changes become visible in the order of their revisions.
absl::StatusOr<std::int64_t> SelectRevision(db::Connection& connection);

// At most `limit` clients that changed after (`after_revision`, `after_id`), by revision and id.
absl::StatusOr<std::vector<DirectoryEntry>> SelectChanges(db::Connection& connection,
                                                          std::int64_t after_revision,
                                                          const std::string& after_id,
                                                          std::int64_t limit);

}  // namespace postern::clients
