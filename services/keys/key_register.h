#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"

// The tables `master_keys`, `master_key_holders` and `data_keys` as the keeper of the master keys
// uses them. Each function blocks; errors are those of db::Connection. Times are the database's.
namespace postern::keys {

// A row of `master_keys`.
struct MasterKeyRow {
  std::uint32_t version = 0;
  std::string check_value;
  std::int64_t activated_at_us = 0;  // 0: never.
  std::int64_t retired_at_us = 0;    // 0: not.
};

// By version.
absl::StatusOr<std::vector<MasterKeyRow>> SelectMasterKeys(db::Connection& connection);
// Nothing happens when the version has a row already.
absl::Status InsertMasterKey(db::Connection& connection, std::uint32_t version,
                             const std::string& check_value, bool active);
// Both false when the row is not as the change needs it: activated or retired already.
absl::StatusOr<bool> ActivateMasterKey(db::Connection& connection, std::uint32_t version);
absl::StatusOr<bool> RetireMasterKey(db::Connection& connection, std::uint32_t version);
// How long the version has been active, in microseconds.
absl::StatusOr<std::int64_t> MicrosSinceActivation(db::Connection& connection,
                                                   std::uint32_t version);

// Says that `server` lives and holds these versions.
absl::Status AnnounceHolder(db::Connection& connection, const std::string& server,
                            const std::set<std::uint32_t>& versions);
// The versions of each server that announced itself within `within_us`.
absl::StatusOr<std::map<std::string, std::set<std::uint32_t>>> SelectHolders(
    db::Connection& connection, std::int64_t within_us);

// A data key as the table holds it.
struct WrappedRow {
  Uuid id;
  v1::WrappedDataKey wrapped;
};

// How many data keys each version wraps.
absl::StatusOr<std::map<std::uint32_t, std::int64_t>> CountDataKeys(db::Connection& connection);
// Data keys after `after` that another version than `active` wraps, by id.
absl::StatusOr<std::vector<WrappedRow>> SelectToRewrap(db::Connection& connection,
                                                       std::uint32_t active, const Uuid& after,
                                                       std::int64_t limit);
// Whether the row was still as it was read.
absl::StatusOr<bool> UpdateWrapped(db::Connection& connection, const WrappedRow& before,
                                   const v1::WrappedDataKey& after);

}  // namespace postern::keys
