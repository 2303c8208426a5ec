#include "services/certificates/certificate_repository.h"

#include <utility>

#include "services/certificates/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/pki/certificate.h"

namespace postern::certificates {
namespace {

constexpr char kInsert[] =
    "INSERT INTO certificates (serial, issuer, profile, name, sha256, public_key_sha256, "
    "not_after_us, issued_at_us, requested_by, renewed_from, lineage, certificate) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr char kBySerial[] =
    "SELECT serial, issuer, profile, name, sha256, public_key_sha256, not_after_us, issued_at_us, "
    "requested_by, renewed_from, lineage, revoked_at_us, revocation_reason, certificate "
    "FROM certificates WHERE serial = ?";
constexpr char kBySha256[] =
    "SELECT serial, issuer, profile, name, sha256, public_key_sha256, not_after_us, issued_at_us, "
    "requested_by, renewed_from, lineage, revoked_at_us, revocation_reason, certificate "
    "FROM certificates WHERE sha256 = ?";
constexpr char kByKey[] =
    "SELECT serial, issuer, profile, name, sha256, public_key_sha256, not_after_us, issued_at_us, "
    "requested_by, renewed_from, lineage, revoked_at_us, revocation_reason, certificate "
    "FROM certificates WHERE public_key_sha256 = ? LIMIT 100";
constexpr char kByLineage[] =
    "SELECT serial, issuer, profile, name, sha256, public_key_sha256, not_after_us, issued_at_us, "
    "requested_by, renewed_from, lineage, revoked_at_us, revocation_reason, certificate "
    "FROM certificates WHERE lineage = ?";
constexpr char kLockLineage[] = "SELECT serial FROM certificates WHERE serial = ? FOR UPDATE";
// State: 0 any, 1 valid, 2 expired, 3 revoked.
constexpr char kPage[] =
    "SELECT serial, issuer, profile, name, sha256, public_key_sha256, not_after_us, issued_at_us, "
    "requested_by, renewed_from, lineage, revoked_at_us, revocation_reason, certificate "
    "FROM certificates WHERE (not_after_us > ? OR (not_after_us = ? AND serial > ?)) "
    "AND (? = '' OR profile = ?) AND (? = '' OR name = ?) "
    "AND (? = 0 OR (? = 1 AND revoked_at_us = 0 AND not_after_us > ?) "
    "OR (? = 2 AND revoked_at_us = 0 AND not_after_us <= ?) OR (? = 3 AND revoked_at_us <> 0)) "
    "AND (? = 0 OR (not_after_us > ? AND not_after_us <= ?)) "
    "ORDER BY not_after_us, serial LIMIT ?";
constexpr char kInsertToken[] =
    "INSERT INTO enrolment_tokens (token_sha256, profile, name, hosts, life_s, created_by, "
    "created_at_us, expires_at_us) VALUES (?,?,?,?,?,?,?,?)";
constexpr char kFindToken[] =
    "SELECT profile, name, hosts, life_s, created_by, created_at_us, expires_at_us, used_at_us "
    "FROM enrolment_tokens WHERE token_sha256 = ? FOR UPDATE";
constexpr char kUseToken[] =
    "UPDATE enrolment_tokens SET used_at_us = ?, serial = ? WHERE token_sha256 = ?";
constexpr char kRaiseDirectory[] = "UPDATE directory_revision SET revision = revision + 1";
constexpr char kTouchClient[] =
    "UPDATE clients SET revision = (SELECT revision FROM directory_revision) WHERE client_id = ?";
constexpr char kInsertFingerprint[] =
    "INSERT INTO client_certificates (sha256, client_id, created_at_us) VALUES (?,?,?)";
constexpr char kDeleteFingerprint[] = "DELETE FROM client_certificates WHERE sha256 = ?";
constexpr char kDeleteEnded[] =
    "DELETE k FROM client_certificates k JOIN certificates c ON c.sha256 = k.sha256 "
    "WHERE k.client_id = ? AND c.not_after_us < ?";

pki::Serial SerialOr(const std::string& bytes) {
  return pki::Serial::FromBytes(bytes).value_or(pki::Serial());
}

StoredCertificate FromRow(const db::Row& row) {
  StoredCertificate stored;
  stored.serial = SerialOr(row.String(0));
  stored.issuer = row.String(1);
  stored.profile = row.String(2);
  stored.name = row.String(3);
  stored.sha256 = row.String(4);
  stored.public_key_sha256 = row.String(5);
  stored.not_after_us = row.Int(6);
  stored.issued_at_us = row.Int(7);
  stored.requested_by = row.String(8);
  if (!row.IsNull(9)) stored.renewed_from = SerialOr(row.String(9));
  stored.lineage = SerialOr(row.String(10));
  stored.revoked_at_us = row.Int(11);
  stored.revocation_reason = static_cast<int>(row.Int(12));
  stored.der = row.String(13);
  return stored;
}

absl::StatusOr<std::vector<StoredCertificate>> Collect(db::Connection& connection, const char* sql,
                                                       const std::vector<db::Value>& values) {
  std::vector<StoredCertificate> found;
  const absl::Status status = connection.Query(sql, values, [&found](const db::Row& row) {
    found.push_back(FromRow(row));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::optional<StoredCertificate>> One(db::Connection& connection, const char* sql,
                                                     std::string_view key) {
  auto found = Collect(connection, sql, {key});
  if (!found.ok()) return found.status();
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

v1::CertificateState StateOf(const StoredCertificate& stored, std::int64_t now_us) {
  if (stored.revoked_at_us != 0) return v1::CERTIFICATE_STATE_REVOKED;
  return stored.not_after_us <= now_us ? v1::CERTIFICATE_STATE_EXPIRED
                                       : v1::CERTIFICATE_STATE_VALID;
}

absl::Status TouchDirectory(db::Connection& connection, const std::string& client_id,
                            std::string_view no_client) {
  if (auto raised = connection.Execute(kRaiseDirectory); !raised.ok()) return raised.status();
  const auto touched = connection.Execute(kTouchClient, {std::string_view(client_id)});
  if (!touched.ok()) return touched.status();
  if (*touched == 0 && !no_client.empty()) return absl::FailedPreconditionError(ToAbsl(no_client));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Certificate> ToProto(const StoredCertificate& stored, std::int64_t now_us) {
  const auto parsed = pki::ParseCertificate(stored.der);
  if (!parsed.ok()) return absl::InternalError("a stored certificate cannot be read");
  auto info = pki::Describe(parsed->get());
  if (!info.ok()) return absl::InternalError("a stored certificate cannot be read");
  v1::Certificate out;
  out.set_serial(stored.serial.hex());
  out.set_issuer(stored.issuer);
  out.set_profile(stored.profile);
  out.set_name(stored.name);
  if (!info->uris.empty()) out.set_spiffe_id(info->uris.front());
  for (std::string& host : info->hosts) out.add_hosts(std::move(host));
  out.set_sha256(HexEncode(stored.sha256));
  out.set_public_key_sha256(HexEncode(stored.public_key_sha256));
  out.set_key_type(info->key_type);
  out.set_not_before_us(info->not_before_s * kMicrosPerSecond);
  out.set_not_after_us(stored.not_after_us);
  out.set_issued_at_us(stored.issued_at_us);
  out.set_requested_by(stored.requested_by);
  if (!stored.renewed_from.empty()) out.set_renewed_from(stored.renewed_from.hex());
  out.set_lineage(stored.lineage.hex());
  out.set_state(StateOf(stored, now_us));
  out.set_revoked_at_us(stored.revoked_at_us);
  out.set_revocation_reason(static_cast<v1::RevocationReason>(stored.revocation_reason));
  return out;
}

absl::Status InsertCertificate(db::Connection& connection, const StoredCertificate& certificate) {
  db::Value renewed_from;
  if (!certificate.renewed_from.empty()) renewed_from = certificate.renewed_from.bytes();
  return connection
      .Execute(kInsert,
               {certificate.serial.bytes(), std::string_view(certificate.issuer),
                std::string_view(certificate.profile), std::string_view(certificate.name),
                std::string_view(certificate.sha256),
                std::string_view(certificate.public_key_sha256), certificate.not_after_us,
                certificate.issued_at_us, std::string_view(certificate.requested_by), renewed_from,
                certificate.lineage.bytes(), std::string_view(certificate.der)})
      .status();
}

absl::StatusOr<std::optional<StoredCertificate>> FindBySerial(db::Connection& connection,
                                                              const pki::Serial& serial) {
  return One(connection, kBySerial, serial.bytes());
}

absl::StatusOr<std::optional<StoredCertificate>> FindBySha256(db::Connection& connection,
                                                              const std::string& sha256) {
  return One(connection, kBySha256, sha256);
}

absl::StatusOr<std::vector<StoredCertificate>> SelectByKey(db::Connection& connection,
                                                           const std::string& public_key_sha256) {
  return Collect(connection, kByKey, {std::string_view(public_key_sha256)});
}

absl::Status LockLineage(db::Connection& connection, const pki::Serial& lineage) {
  return connection.Query(kLockLineage, {lineage.bytes()},
                          [](const db::Row& /*row*/) { return absl::OkStatus(); });
}

absl::StatusOr<std::vector<StoredCertificate>> SelectLineage(db::Connection& connection,
                                                             const pki::Serial& lineage) {
  if (absl::Status locked = LockLineage(connection, lineage); !locked.ok()) return locked;
  return Collect(connection, kByLineage, {lineage.bytes()});
}

absl::StatusOr<std::vector<StoredCertificate>> SelectPage(db::Connection& connection,
                                                          const ListFilter& filter,
                                                          std::int64_t now_us, std::int64_t limit) {
  const std::string_view profile = filter.profile;
  const std::string_view name = filter.name;
  const auto state = static_cast<std::int64_t>(filter.state);
  return Collect(connection, kPage,
                 {filter.after_end_us, filter.after_end_us, std::string_view(filter.after_serial),
                  profile, profile, name, name, state, state, now_us, state, now_us, state,
                  filter.ends_before_us, now_us, filter.ends_before_us, limit});
}

absl::Status InsertToken(db::Connection& connection, const EnrolmentToken& token) {
  std::string hosts;
  for (const std::string& host : token.subject.hosts) {
    StrAppend(&hosts, hosts.empty() ? "" : " ", host);
  }
  return connection
      .Execute(kInsertToken,
               {std::string_view(token.sha256), token.subject.profile->name,
                std::string_view(token.subject.name), std::string_view(hosts),
                static_cast<std::int64_t>(token.subject.life.count()),
                std::string_view(token.created_by), token.created_at_us, token.expires_at_us})
      .status();
}

absl::StatusOr<std::optional<EnrolmentToken>> FindToken(db::Connection& connection,
                                                        const std::string& sha256) {
  std::optional<EnrolmentToken> found;
  const auto on_row = [&](const db::Row& row) -> absl::Status {
    std::vector<std::string> hosts;
    const std::string text = row.String(2);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      hosts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    auto subject = authority::MakeSubject(row.String(0), row.String(1), std::move(hosts),
                                          std::chrono::seconds(row.Int(3)));
    if (!subject.ok()) return absl::InternalError("a stored enrolment token cannot be read");
    found.emplace();
    found->sha256 = sha256;
    found->subject = *std::move(subject);
    found->created_by = row.String(4);
    found->created_at_us = row.Int(5);
    found->expires_at_us = row.Int(6);
    found->used_at_us = row.Int(7);
    return absl::OkStatus();
  };
  const absl::Status status = connection.Query(kFindToken, {std::string_view(sha256)}, on_row);
  if (!status.ok()) return status;
  return found;
}

absl::Status UseToken(db::Connection& connection, const std::string& sha256,
                      const pki::Serial& serial, std::int64_t now_us) {
  return connection.Execute(kUseToken, {now_us, serial.bytes(), std::string_view(sha256)}).status();
}

absl::Status RegisterWithClient(db::Connection& connection, const StoredCertificate& certificate,
                                std::int64_t now_us) {
  const std::string missing =
      StrCat("client ", certificate.name, " is not registered: posternctl client create ",
             certificate.name, " --domain HOST");
  if (absl::Status s = TouchDirectory(connection, certificate.name, missing); !s.ok()) return s;
  const std::string_view name = certificate.name;
  if (auto ended = connection.Execute(kDeleteEnded, {name, now_us}); !ended.ok()) {
    return ended.status();
  }
  return connection
      .Execute(kInsertFingerprint, {std::string_view(certificate.sha256), name, now_us})
      .status();
}

absl::Status UnregisterFromClient(db::Connection& connection,
                                  const StoredCertificate& certificate) {
  if (absl::Status s = TouchDirectory(connection, certificate.name, ""); !s.ok()) return s;
  return connection.Execute(kDeleteFingerprint, {std::string_view(certificate.sha256)}).status();
}

}  // namespace postern::certificates
