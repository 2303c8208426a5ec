#include "services/common/pki/revocation_list.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/pem.h"

namespace postern::pki {
namespace {

constexpr char kLabel[] = "X509 CRL";
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("CRL: ", what));
}

absl::StatusOr<crypto::X509CrlPtr> Decode(std::string_view text) {
  if (text.empty()) return Invalid("the file is empty");
  const absl::StatusOr<std::string> der = DerOf(text, kLabel);
  if (!der.ok()) return Invalid(ToStd(der.status().message()));
  const auto* begin = reinterpret_cast<const unsigned char*>(der->data());
  const unsigned char* end = begin;
  crypto::X509CrlPtr crl(d2i_X509_CRL(nullptr, &end, static_cast<long>(der->size())));
  ERR_clear_error();
  if (crl == nullptr || static_cast<std::size_t>(end - begin) != der->size()) {
    return Invalid("torn, or no CRL; fetch it again");
  }
  return crl;
}

// Partial lists, and whatever must be understood and is not.
absl::Status CheckExtensions(const X509_CRL* crl) {
  for (int i = 0; i < X509_CRL_get_ext_count(crl); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (kind == NID_delta_crl || kind == NID_issuing_distribution_point) {
      return Invalid("it is partial; a whole one is wanted");
    }
    const bool known = kind == NID_crl_number || kind == NID_authority_key_identifier;
    if (!known && X509_EXTENSION_get_critical(extension) != 0) {
      return Invalid("it has a critical extension that is not understood");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> NumberOf(const X509_CRL* crl) {
  const crypto::Asn1IntegerPtr number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr)));
  std::int64_t value = 0;
  if (number == nullptr || ASN1_INTEGER_get_int64(&value, number.get()) != 1 || value < 0) {
    ERR_clear_error();
    return Invalid("it has no CRL number");
  }
  return value;
}

int ReasonOf(const X509_REVOKED* revoked) {
  const std::unique_ptr<ASN1_ENUMERATED, crypto::OpenSslFree<&ASN1_ENUMERATED_free>> reason(
      static_cast<ASN1_ENUMERATED*>(
          X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, nullptr, nullptr)));
  return reason == nullptr ? 0 : static_cast<int>(ASN1_ENUMERATED_get(reason.get()));
}

}  // namespace

absl::StatusOr<RevocationList> RevocationList::Parse(std::string_view text, X509* issuer) {
  std::size_t found = 0;
  auto list = ParseOfOne(text, std::span(&issuer, 1), found);
  if (absl::IsNotFound(list.status())) return Invalid("it is of another issuing CA");
  return list;
}

absl::StatusOr<RevocationList> RevocationList::ParseOfOne(std::string_view text,
                                                          std::span<X509* const> issuers,
                                                          std::size_t& found) {
  const absl::StatusOr<crypto::X509CrlPtr> crl = Decode(text);
  if (!crl.ok()) return crl.status();
  const X509_NAME* const name = X509_CRL_get_issuer(crl->get());
  for (found = 0; found < issuers.size(); ++found) {
    if (X509_NAME_cmp(name, X509_get_subject_name(issuers[found])) == 0) {
      return Read(crl->get(), issuers[found]);
    }
  }
  return absl::NotFoundError("CRL: it is of none of the issuing CAs that are trusted here");
}

absl::StatusOr<RevocationList> RevocationList::Read(X509_CRL* crl, X509* issuer) {
  const bool verified = X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  if (!verified) return Invalid("its signature is not of its issuing CA");
  if (absl::Status status = CheckExtensions(crl); !status.ok()) return status;
  const absl::StatusOr<std::int64_t> number = NumberOf(crl);
  if (!number.ok()) return number.status();
  const auto this_update = UnixSeconds(X509_CRL_get0_lastUpdate(crl));
  const auto next_update = UnixSeconds(X509_CRL_get0_nextUpdate(crl));
  if (!this_update.ok() || !next_update.ok()) {
    return Invalid("it does not say when it was made and when the next one is due");
  }
  RevocationList list;
  list.number_ = *number;
  list.this_update_s_ = *this_update;
  list.next_update_s_ = *next_update;
  if (absl::Status status = list.ReadEntries(crl); !status.ok()) return status;
  return list;
}

absl::Status RevocationList::ReadEntries(X509_CRL* crl) {
  STACK_OF(X509_REVOKED)* const revoked = X509_CRL_get_REVOKED(crl);
  const int count = revoked == nullptr ? 0 : sk_X509_REVOKED_num(revoked);
  entries_.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const X509_REVOKED* const entry = sk_X509_REVOKED_value(revoked, i);
    const auto serial = Serial::FromAsn1(X509_REVOKED_get0_serialNumber(entry));
    const auto when = UnixSeconds(X509_REVOKED_get0_revocationDate(entry));
    if (!serial.ok() || !when.ok()) return Invalid("an entry has no serial number or no date");
    entries_.insert({*serial, Revocation{*when, ReasonOf(entry)}});
  }
  return absl::OkStatus();
}

absl::Status RevocationList::CheckSuccessor(const RevocationList& next) const {
  if (next.number_ < number_ || next.this_update_s_ < this_update_s_) {
    return absl::FailedPreconditionError(StrCat(
        "CRL: number ", next.number_, " of ", FormatRfc3339(next.this_update_s_ * kMicrosPerSecond),
        " is older than number ", number_, " of ", FormatRfc3339(this_update_s_ * kMicrosPerSecond),
        ", which is in force; an older one is never taken"));
  }
  return absl::OkStatus();
}

absl::Status RevocationList::CheckFresh(std::int64_t now_s, std::chrono::seconds grace) const {
  if (now_s <= next_update_s_ + grace.count()) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat("CRL: number ", number_,
                                              " is too old: the next one was due at ",
                                              FormatRfc3339(next_update_s_ * kMicrosPerSecond)));
}

}  // namespace postern::pki
