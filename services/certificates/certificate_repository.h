#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "postern/v1/certificate_service.pb.h"
#include "services/certificates/authority/profile.h"
#include "services/common/db/connection.h"
#include "services/common/pki/serial.h"

// The tables `certificates` and `enrolment_tokens`, and what of `clients` and `client_certificates`
// belongs to a client's certificate. Each function blocks and is one step of the caller's
// transaction; errors are those of db::Connection.
namespace postern::certificates {

// A row of `certificates`.
struct StoredCertificate {
  pki::Serial serial;
  std::string issuer;
  std::string profile;
  std::string name;
  std::string sha256;             // 32 bytes.
  std::string public_key_sha256;  // 32 bytes.
  std::int64_t not_after_us = 0;
  std::int64_t issued_at_us = 0;
  std::string requested_by;
  pki::Serial renewed_from;  // Empty when it was not renewed.
  pki::Serial lineage;
  std::int64_t revoked_at_us = 0;
  int revocation_reason = 0;
  std::string der;
};

// As the interface shows it. Internal when the stored DER cannot be read.
absl::StatusOr<v1::Certificate> ToProto(const StoredCertificate& stored, std::int64_t now_us);

// AlreadyExists when the serial number is taken: try another.
absl::Status InsertCertificate(db::Connection& connection, const StoredCertificate& certificate);
absl::StatusOr<std::optional<StoredCertificate>> FindBySerial(db::Connection& connection,
                                                              const pki::Serial& serial);
absl::StatusOr<std::optional<StoredCertificate>> FindBySha256(db::Connection& connection,
                                                              const std::string& sha256);
// Every certificate with this key, at most 100.
absl::StatusOr<std::vector<StoredCertificate>> SelectByKey(db::Connection& connection,
                                                           const std::string& public_key_sha256);
// Every certificate of a line. Locks its first one until the end of the transaction, as does
// LockLineage: a renewal and a revocation of the line take turns.
absl::StatusOr<std::vector<StoredCertificate>> SelectLineage(db::Connection& connection,
                                                             const pki::Serial& lineage);
absl::Status LockLineage(db::Connection& connection, const pki::Serial& lineage);

struct ListFilter {
  std::string profile;
  std::string name;
  v1::CertificateState state = v1::CERTIFICATE_STATE_UNSPECIFIED;
  std::int64_t ends_before_us = 0;  // 0: any.
  std::int64_t after_end_us = 0;    // Where the page begins.
  std::string after_serial;
};
absl::StatusOr<std::vector<StoredCertificate>> SelectPage(db::Connection& connection,
                                                          const ListFilter& filter,
                                                          std::int64_t now_us, std::int64_t limit);

// A row of `enrolment_tokens`.
struct EnrolmentToken {
  std::string sha256;  // 32 bytes.
  authority::Subject subject;
  std::string created_by;
  std::int64_t created_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::int64_t used_at_us = 0;
};
absl::Status InsertToken(db::Connection& connection, const EnrolmentToken& token);
// Locks it until the end of the transaction.
absl::StatusOr<std::optional<EnrolmentToken>> FindToken(db::Connection& connection,
                                                        const std::string& sha256);
absl::Status UseToken(db::Connection& connection, const std::string& sha256,
                      const pki::Serial& serial, std::int64_t now_us);

// Lets the client show the certificate, and forgets those of its certificates that have ended.
// FailedPrecondition when the client is not registered. Raises the directory's revision.
absl::Status RegisterWithClient(db::Connection& connection, const StoredCertificate& certificate,
                                std::int64_t now_us);
// The client may show it no more. Raises the directory's revision.
absl::Status UnregisterFromClient(db::Connection& connection, const StoredCertificate& certificate);

}  // namespace postern::certificates
