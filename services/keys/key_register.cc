#include "services/keys/key_register.h"

#include <utility>

namespace postern::keys {
namespace {

constexpr char kSelectMasterKeys[] =
    "SELECT version, check_value, activated_at_us, retired_at_us FROM master_keys ORDER BY version";
constexpr char kInsertMasterKey[] =
    "INSERT INTO master_keys (version, check_value, activated_at_us)"
    " SELECT ?, ?, ? * CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
    " ON DUPLICATE KEY UPDATE version = master_keys.version";
constexpr char kActivate[] =
    "UPDATE master_keys SET activated_at_us = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
    " WHERE version = ? AND activated_at_us = 0 AND retired_at_us = 0";
constexpr char kRetire[] =
    "UPDATE master_keys SET retired_at_us = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
    " WHERE version = ? AND retired_at_us = 0";
constexpr char kSinceActivation[] =
    "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) - activated_at_us FROM master_keys"
    " WHERE version = ?";
constexpr char kAnnounce[] =
    "INSERT INTO master_key_holders (server, version, seen_at_us)"
    " SELECT ?, ?, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
    " ON DUPLICATE KEY UPDATE seen_at_us = VALUES(seen_at_us)";
constexpr char kHolderVersions[] = "SELECT version FROM master_key_holders WHERE server = ?";
constexpr char kDropHolder[] = "DELETE FROM master_key_holders WHERE server = ? AND version = ?";
constexpr char kSelectHolders[] =
    "SELECT server, version FROM master_key_holders"
    " WHERE seen_at_us > CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) - ?";
constexpr char kCountDataKeys[] =
    "SELECT master_key_version, COUNT(*) FROM data_keys GROUP BY master_key_version";
constexpr char kSelectToRewrap[] =
    "SELECT id, master_key_version, wrapped FROM data_keys"
    " WHERE id > ? AND master_key_version <> ? ORDER BY id LIMIT ?";
constexpr char kUpdateWrapped[] =
    "UPDATE data_keys SET master_key_version = ?, wrapped = ?"
    " WHERE id = ? AND master_key_version = ? AND wrapped = ?";

// Stands for "lives" in `master_key_holders`, so that a server without any usable key is seen.
constexpr std::int64_t kLives = 0;

std::uint32_t Version(const db::Row& row, std::size_t column) {
  return static_cast<std::uint32_t>(row.Int(column));
}

absl::StatusOr<bool> ChangedOne(absl::StatusOr<std::int64_t> changed) {
  if (!changed.ok()) return changed.status();
  return *changed == 1;
}

}  // namespace

absl::StatusOr<std::vector<MasterKeyRow>> SelectMasterKeys(db::Connection& connection) {
  std::vector<MasterKeyRow> rows;
  const absl::Status status = connection.Query(kSelectMasterKeys, {}, [&rows](const db::Row& row) {
    rows.push_back({Version(row, 0), row.String(1), row.Int(2), row.Int(3)});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

absl::Status InsertMasterKey(db::Connection& connection, std::uint32_t version,
                             const std::string& check_value, bool active) {
  return connection
      .Execute(kInsertMasterKey,
               {std::int64_t{version}, std::string_view(check_value), std::int64_t{active ? 1 : 0}})
      .status();
}

absl::StatusOr<bool> ActivateMasterKey(db::Connection& connection, std::uint32_t version) {
  return ChangedOne(connection.Execute(kActivate, {std::int64_t{version}}));
}

absl::StatusOr<bool> RetireMasterKey(db::Connection& connection, std::uint32_t version) {
  return ChangedOne(connection.Execute(kRetire, {std::int64_t{version}}));
}

absl::StatusOr<std::int64_t> MicrosSinceActivation(db::Connection& connection,
                                                   std::uint32_t version) {
  std::int64_t micros = 0;
  const absl::Status status =
      connection.Query(kSinceActivation, {std::int64_t{version}}, [&micros](const db::Row& row) {
        micros = row.Int(0);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return micros;
}

absl::Status AnnounceHolder(db::Connection& connection, const std::string& server,
                            const std::set<std::uint32_t>& versions) {
  std::vector<std::int64_t> gone;
  absl::Status status =
      connection.Query(kHolderVersions, {std::string_view(server)}, [&](const db::Row& row) {
        if (row.Int(0) != kLives && !versions.contains(Version(row, 0))) gone.push_back(row.Int(0));
        return absl::OkStatus();
      });
  for (const std::int64_t version : gone) {
    if (status.ok()) {
      status = connection.Execute(kDropHolder, {std::string_view(server), version}).status();
    }
  }
  if (status.ok()) {
    status = connection.Execute(kAnnounce, {std::string_view(server), kLives}).status();
  }
  for (const std::uint32_t version : versions) {
    if (!status.ok()) break;
    status =
        connection.Execute(kAnnounce, {std::string_view(server), std::int64_t{version}}).status();
  }
  return status;
}

absl::StatusOr<std::map<std::string, std::set<std::uint32_t>>> SelectHolders(
    db::Connection& connection, std::int64_t within_us) {
  std::map<std::string, std::set<std::uint32_t>> holders;
  const absl::Status status =
      connection.Query(kSelectHolders, {within_us}, [&holders](const db::Row& row) {
        std::set<std::uint32_t>& versions = holders[row.String(0)];
        if (row.Int(1) != kLives) versions.insert(Version(row, 1));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return holders;
}

absl::StatusOr<std::map<std::uint32_t, std::int64_t>> CountDataKeys(db::Connection& connection) {
  std::map<std::uint32_t, std::int64_t> counts;
  const absl::Status status = connection.Query(kCountDataKeys, {}, [&counts](const db::Row& row) {
    counts[Version(row, 0)] = row.Int(1);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return counts;
}

absl::StatusOr<std::vector<WrappedRow>> SelectToRewrap(db::Connection& connection,
                                                       std::uint32_t active, const Uuid& after,
                                                       std::int64_t limit) {
  std::vector<WrappedRow> rows;
  const absl::Status status = connection.Query(
      kSelectToRewrap, {after.bytes(), std::int64_t{active}, limit}, [&rows](const db::Row& row) {
        const absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
        if (!id.ok()) return id.status();
        WrappedRow& found = rows.emplace_back();
        found.id = *id;
        found.wrapped.set_master_key_version(Version(row, 1));
        found.wrapped.set_ciphertext(row.String(2));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<bool> UpdateWrapped(db::Connection& connection, const WrappedRow& before,
                                   const v1::WrappedDataKey& after) {
  return ChangedOne(connection.Execute(
      kUpdateWrapped,
      {std::int64_t{after.master_key_version()}, std::string_view(after.ciphertext()),
       before.id.bytes(), std::int64_t{before.wrapped.master_key_version()},
       std::string_view(before.wrapped.ciphertext())}));
}

}  // namespace postern::keys
