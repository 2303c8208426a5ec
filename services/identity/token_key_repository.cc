#include "services/identity/token_key_repository.h"

#include <string_view>
#include <utility>

namespace postern::identity {
namespace {

constexpr char kSelect[] =
    "SELECT id, master_key_version, wrapped, created_at_us FROM token_keys"
    " ORDER BY created_at_us DESC, id";
constexpr char kInsert[] =
    "INSERT INTO token_keys (id, master_key_version, wrapped, created_at_us) VALUES (?,?,?,?)";
constexpr char kDelete[] = "DELETE FROM token_keys WHERE id = ?";

}  // namespace

absl::StatusOr<std::vector<TokenKeyRow>> SelectTokenKeys(db::Connection& connection) {
  std::vector<TokenKeyRow> rows;
  const absl::Status status = connection.Query(kSelect, {}, [&rows](const db::Row& row) {
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(row.String(0));
    if (!id.ok()) return id.status();
    TokenKeyRow& key = rows.emplace_back();
    key.id = *id;
    key.wrapped.set_master_key_version(static_cast<std::uint32_t>(row.Int(1)));
    key.wrapped.set_ciphertext(row.String(2));
    key.created_at_us = row.Int(3);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

absl::Status InsertTokenKey(db::Connection& connection, const TokenKeyRow& row) {
  return connection
      .Execute(kInsert, {row.id.bytes(), std::int64_t{row.wrapped.master_key_version()},
                         std::string_view(row.wrapped.ciphertext()), row.created_at_us})
      .status();
}

absl::Status DeleteTokenKey(db::Connection& connection, const Uuid& id) {
  return connection.Execute(kDelete, {id.bytes()}).status();
}

}  // namespace postern::identity
