#pragma once

#include <openssl/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/pki/serial.h"

namespace postern::pki {

// When and why a certificate was revoked.
struct Revocation {
  std::int64_t revoked_at_s = 0;  // Seconds since the Unix epoch.
  int reason = 0;                 // RFC 5280, 5.3.1.
};

// A CRL (RFC 5280, 5), verified and laid out for look-ups: one of 100,000 entries takes about 10 MB
// and a tenth of a second to read, a look-up well under a microsecond. Immutable: share it freely.
class RevocationList {
 public:
  // PEM or DER, signed by `issuer`. InvalidArgument says what is wrong: torn, of another issuer,
  // wrongly signed, without number or next update, partial (delta or indirect), or with a critical
  // extension that is not understood.
  static absl::StatusOr<RevocationList> Parse(std::string_view crl, X509* issuer);
  // The same of whichever of `issuers` it is, which `found` tells by its index. NotFound when it is
  // of none of them.
  static absl::StatusOr<RevocationList> ParseOfOne(std::string_view crl,
                                                   std::span<X509* const> issuers,
                                                   std::size_t& found);

  bool Contains(const Serial& serial) const { return entries_.contains(serial); }
  const absl::flat_hash_map<Serial, Revocation>& entries() const { return entries_; }
  std::int64_t number() const { return number_; }
  std::int64_t this_update_s() const { return this_update_s_; }
  std::int64_t next_update_s() const { return next_update_s_; }

  // Whether `next` may take this one's place: FailedPrecondition when its number or its time is
  // lower, which is what a restored backup or a replay looks like. The same number is no fault.
  absl::Status CheckSuccessor(const RevocationList& next) const;
  // FailedPrecondition once `grace` has passed since the next update was due.
  absl::Status CheckFresh(std::int64_t now_s, std::chrono::seconds grace) const;

 private:
  static absl::StatusOr<RevocationList> Read(X509_CRL* crl, X509* issuer);
  absl::Status ReadEntries(X509_CRL* crl);

  absl::flat_hash_map<Serial, Revocation> entries_;
  std::int64_t number_ = 0;
  std::int64_t this_update_s_ = 0;
  std::int64_t next_update_s_ = 0;
};

}  // namespace postern::pki
