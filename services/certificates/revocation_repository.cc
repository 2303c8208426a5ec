#include "services/certificates/revocation_repository.h"

#include <utility>

#include "services/certificates/limits.h"
#include "services/common/base/strings.h"
#include "services/common/pki/certificate.h"

namespace postern::certificates {
namespace {

constexpr std::int64_t kDayMicros = std::int64_t{24} * 3600 * kMicrosPerSecond;

constexpr char kRaiseRevision[] = "UPDATE trust_revision SET revision = revision + 1";
constexpr char kSelectRevision[] = "SELECT revision FROM trust_revision";
constexpr char kSelectAuthorities[] =
    "SELECT name, state, certificate FROM certificate_authorities ORDER BY name";
constexpr char kInsertAuthority[] =
    "INSERT INTO certificate_authorities (name, state, certificate, revision, changed_at_us) "
    "VALUES (?,?,?,?,?)";
constexpr char kUpdateAuthority[] =
    "UPDATE certificate_authorities SET state = ?, revision = ?, changed_at_us = ? "
    "WHERE name = ? AND state <> ?";
constexpr char kCountValid[] =
    "SELECT COUNT(*) FROM certificates WHERE issuer = ? AND not_after_us > ? AND revoked_at_us = 0";
constexpr char kInsertRevoked[] =
    "INSERT INTO revoked_certificates (issuer, serial, revoked_at_us, reason, not_after_us, "
    "revision) VALUES (?,?,?,?,?,?)";
constexpr char kMarkRevoked[] =
    "UPDATE certificates SET revoked_at_us = ?, revocation_reason = ? "
    "WHERE serial = ? AND revoked_at_us = 0";
constexpr char kIsRevoked[] = "SELECT 1 FROM revoked_certificates WHERE issuer = ? AND serial = ?";
constexpr char kSelectEntries[] =
    "SELECT serial, revoked_at_us, reason FROM revoked_certificates "
    "WHERE issuer = ? AND not_after_us > ?";
constexpr char kNewestRevocation[] =
    "SELECT COALESCE(MAX(revision), 0) FROM revoked_certificates WHERE issuer = ? AND revision > ?";
constexpr char kSelectRevokedAfter[] =
    "SELECT serial, revision FROM revoked_certificates WHERE issuer = ? AND revision > ? "
    "ORDER BY revision, serial";
constexpr char kFindCrl[] =
    "SELECT number, this_update_s, next_update_s, entries, holds_revision, '' FROM crls "
    "WHERE issuer = ?";
constexpr char kFindCrlWithDer[] =
    "SELECT number, this_update_s, next_update_s, entries, holds_revision, crl FROM crls "
    "WHERE issuer = ?";
constexpr char kReplaceCrl[] =
    "INSERT INTO crls (issuer, number, this_update_s, next_update_s, entries, holds_revision, "
    "revision, crl) VALUES (?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE number = VALUES(number), "
    "this_update_s = VALUES(this_update_s), next_update_s = VALUES(next_update_s), "
    "entries = VALUES(entries), holds_revision = VALUES(holds_revision), "
    "revision = VALUES(revision), crl = VALUES(crl)";

absl::StatusOr<std::int64_t> Number(db::Connection& connection, const char* sql,
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

absl::StatusOr<std::int64_t> ReadTrustRevision(db::Connection& connection) {
  auto revision = Number(connection, kSelectRevision, {});
  if (revision.ok() && *revision == 0) {
    return absl::InternalError("the table trust_revision is empty");
  }
  return revision;
}

absl::StatusOr<std::int64_t> RaiseTrustRevision(db::Connection& connection) {
  if (auto raised = connection.Execute(kRaiseRevision); !raised.ok()) return raised.status();
  return ReadTrustRevision(connection);
}

absl::StatusOr<std::vector<authority::IssuerRecord>> SelectAuthorities(db::Connection& connection) {
  std::vector<authority::IssuerRecord> records;
  const auto on_row = [&records](const db::Row& row) -> absl::Status {
    const auto name = authority::IssuerName::Parse(row.String(0));
    auto certificate = pki::ParseCertificate(row.String(2));
    if (!name.ok() || !certificate.ok()) {
      return absl::InternalError(StrCat("issuing CA ", row.String(0), " cannot be read"));
    }
    records.push_back({*name, static_cast<authority::State>(row.Int(1)), *std::move(certificate)});
    return absl::OkStatus();
  };
  const absl::Status status = connection.Query(kSelectAuthorities, {}, on_row);
  if (!status.ok()) return status;
  return records;
}

absl::Status InsertAuthority(db::Connection& connection, const authority::IssuerRecord& record,
                             std::int64_t revision, std::int64_t now_us) {
  const std::string name = record.name.ToString();
  const std::string der = pki::CertificateDer(record.certificate.get());
  return connection
      .Execute(kInsertAuthority, {std::string_view(name), static_cast<std::int64_t>(record.state),
                                  std::string_view(der), revision, now_us})
      .status();
}

absl::Status UpdateAuthority(db::Connection& connection, const authority::IssuerRecord& record,
                             std::int64_t revision, std::int64_t now_us) {
  const std::string name = record.name.ToString();
  const auto state = static_cast<std::int64_t>(record.state);
  return connection
      .Execute(kUpdateAuthority, {state, revision, now_us, std::string_view(name), state})
      .status();
}

absl::StatusOr<std::int64_t> CountValid(db::Connection& connection, const std::string& issuer,
                                        std::int64_t now_us) {
  return Number(connection, kCountValid, {std::string_view(issuer), now_us});
}

absl::StatusOr<bool> RecordRevocation(db::Connection& connection, const NewRevocation& revocation,
                                      const std::optional<StoredCertificate>& certificate,
                                      std::int64_t revision) {
  const auto known = IsRevoked(connection, revocation.issuer, revocation.serial);
  if (!known.ok() || *known) return known.ok() ? absl::StatusOr<bool>(false) : known;
  absl::Status status =
      connection
          .Execute(kInsertRevoked, {std::string_view(revocation.issuer), revocation.serial.bytes(),
                                    revocation.revoked_at_us, std::int64_t{revocation.reason},
                                    revocation.not_after_us, revision})
          .status();
  if (status.ok() && certificate) {
    status = connection
                 .Execute(kMarkRevoked, {revocation.revoked_at_us, std::int64_t{revocation.reason},
                                         revocation.serial.bytes()})
                 .status();
    if (status.ok() && certificate->profile == "client") {
      status = UnregisterFromClient(connection, *certificate);
    }
  }
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> IsRevoked(db::Connection& connection, const std::string& issuer,
                               const pki::Serial& serial) {
  const auto found = Number(connection, kIsRevoked, {std::string_view(issuer), serial.bytes()});
  if (!found.ok()) return found.status();
  return *found == 1;
}

absl::StatusOr<std::vector<authority::RevokedEntry>> SelectRevokedEntries(
    db::Connection& connection, const std::string& issuer, std::int64_t now_us) {
  std::vector<authority::RevokedEntry> entries;
  const auto on_row = [&entries](const db::Row& row) -> absl::Status {
    const auto serial = pki::Serial::FromBytes(row.String(0));
    if (!serial.ok()) return absl::InternalError("a stored serial number cannot be read");
    entries.push_back({*serial, row.Int(1) / kMicrosPerSecond, static_cast<int>(row.Int(2))});
    return absl::OkStatus();
  };
  const absl::Status status =
      connection.Query(kSelectEntries, {std::string_view(issuer), now_us - kDayMicros}, on_row);
  if (!status.ok()) return status;
  return entries;
}

absl::StatusOr<std::int64_t> NewestRevocation(db::Connection& connection, const std::string& issuer,
                                              std::int64_t revision) {
  return Number(connection, kNewestRevocation, {std::string_view(issuer), revision});
}

absl::StatusOr<std::vector<RevokedAfter>> SelectRevokedAfter(db::Connection& connection,
                                                             const std::string& issuer,
                                                             std::int64_t revision) {
  std::vector<RevokedAfter> revoked;
  const auto on_row = [&revoked](const db::Row& row) -> absl::Status {
    const auto serial = pki::Serial::FromBytes(row.String(0));
    if (!serial.ok()) return absl::InternalError("a stored serial number cannot be read");
    revoked.push_back({*serial, row.Int(1)});
    return absl::OkStatus();
  };
  const absl::Status status =
      connection.Query(kSelectRevokedAfter, {std::string_view(issuer), revision}, on_row);
  if (!status.ok()) return status;
  return revoked;
}

absl::StatusOr<std::optional<StoredCrl>> FindCrl(db::Connection& connection,
                                                 const std::string& issuer, bool with_der) {
  std::optional<StoredCrl> found;
  const char* const sql = with_der ? kFindCrlWithDer : kFindCrl;
  const absl::Status status =
      connection.Query(sql, {std::string_view(issuer)}, [&](const db::Row& row) {
        found.emplace();
        found->issuer = issuer;
        found->header = {row.Int(0), row.Int(1), row.Int(2)};
        found->entries = row.Int(3);
        found->holds_revision = row.Int(4);
        found->der = row.String(5);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return found;
}

absl::Status ReplaceCrl(db::Connection& connection, const StoredCrl& crl, std::int64_t revision) {
  return connection
      .Execute(kReplaceCrl, {std::string_view(crl.issuer), crl.header.number,
                             crl.header.this_update_s, crl.header.next_update_s, crl.entries,
                             crl.holds_revision, revision, std::string_view(crl.der)})
      .status();
}

}  // namespace postern::certificates
