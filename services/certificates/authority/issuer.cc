#include "services/certificates/authority/issuer.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "services/certificates/authority/x509_builder.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/openssl_check.h"

namespace postern::authority {
namespace {

using crypto::RequireOpenSsl;

constexpr int kGenerationMax = 9999;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string UsageText(const Profile& profile) {
  if (profile.server_auth && profile.client_auth) return "serverAuth,clientAuth";
  return profile.server_auth ? "serverAuth" : "clientAuth";
}

// Nothing in it comes from outside unchecked: see MakeSubject.
std::string NamesText(const Subject& subject, const std::string& trust_domain) {
  std::string text = StrCat("URI:", subject.SpiffeId(trust_domain));
  if (!subject.profile->hosts) return text;
  StrAppend(&text, ",DNS:localhost,IP:127.0.0.1");
  for (const std::string& host : subject.hosts) {
    const bool address = host.find_first_not_of("0123456789.") == std::string::npos ||
                         host.find(':') != std::string::npos;
    StrAppend(&text, address ? ",IP:" : ",DNS:", host);
  }
  return text;
}

void AddReason(X509_REVOKED* revoked, int reason) {
  if (reason == 0) return;  // RFC 5280, 5.3.1: unspecified is left out.
  const std::unique_ptr<ASN1_ENUMERATED, crypto::OpenSslFree<&ASN1_ENUMERATED_free>> value(
      ASN1_ENUMERATED_new());
  RequireOpenSsl(value != nullptr && ASN1_ENUMERATED_set(value.get(), reason) == 1 &&
                     X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, value.get(), 0, 0) == 1,
                 "CRL reason");
}

void AddEntry(X509_CRL* crl, const RevokedEntry& entry, ASN1_INTEGER* serial, ASN1_TIME* when) {
  X509_REVOKED* const revoked = X509_REVOKED_new();
  RequireOpenSsl(revoked != nullptr, "X509_REVOKED_new");
  const std::string_view bytes = entry.serial.bytes();
  // A leading bit would not make it negative: ASN1_INTEGER holds the magnitude.
  RequireOpenSsl(ASN1_STRING_set(serial, bytes.data(), static_cast<int>(bytes.size())) == 1 &&
                     X509_REVOKED_set_serialNumber(revoked, serial) == 1,
                 "CRL serial");
  SetTime(when, entry.revoked_at_s);
  RequireOpenSsl(X509_REVOKED_set_revocationDate(revoked, when) == 1, "CRL date");
  AddReason(revoked, entry.reason);
  RequireOpenSsl(X509_CRL_add0_revoked(crl, revoked) == 1, "X509_CRL_add0_revoked");
}

void AddCrlExtensions(X509_CRL* crl, X509* issuer, std::int64_t number) {
  const crypto::Asn1IntegerPtr value(ASN1_INTEGER_new());
  RequireOpenSsl(value != nullptr && ASN1_INTEGER_set_int64(value.get(), number) == 1 &&
                     X509_CRL_add1_ext_i2d(crl, NID_crl_number, value.get(), 0, 0) == 1,
                 "CRL number");
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl, 0);
  using ExtensionPtr = std::unique_ptr<X509_EXTENSION, crypto::OpenSslFree<&X509_EXTENSION_free>>;
  const ExtensionPtr extension(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  RequireOpenSsl(extension != nullptr && X509_CRL_add_ext(crl, extension.get(), -1) == 1,
                 "CRL authority key identifier");
}

}  // namespace

absl::StatusOr<IssuerName> IssuerName::Parse(std::string_view text) {
  const std::size_t dash = text.rfind('-');
  IssuerName name;
  if (dash != std::string_view::npos) {
    const absl::StatusOr<Kind> kind = ParseKind(text.substr(0, dash));
    if (kind.ok() && absl::SimpleAtoi(ToAbsl(text.substr(dash + 1)), &name.generation) &&
        name.generation >= 1 && name.generation <= kGenerationMax) {
      name.kind = *kind;
      if (name.ToString() == text) return name;
    }
  }
  return absl::InvalidArgumentError(
      StrCat(text, " is not the name of an issuing CA, such as services-1 or clients-2"));
}

std::string IssuerName::ToString() const { return StrCat(KindName(kind), "-", generation); }

Issuer::Issuer(IssuerName name, std::string trust_domain, crypto::X509Ptr certificate,
               crypto::KeyPtr key, pki::CertificateInfo info)
    : name_(name),
      trust_domain_(std::move(trust_domain)),
      certificate_(std::move(certificate)),
      key_(std::move(key)),
      info_(std::move(info)) {}

absl::StatusOr<Issuer> Issuer::Create(IssuerName name, std::string trust_domain,
                                      crypto::X509Ptr certificate, crypto::KeyPtr key) {
  absl::StatusOr<pki::CertificateInfo> info = pki::Describe(certificate.get());
  if (!info.ok()) return info.status();
  if (!info->is_ca) {
    return absl::InvalidArgumentError(StrCat(name.ToString(), ": the certificate is not a CA's"));
  }
  if (!pki::SamePublicKey(X509_get0_pubkey(certificate.get()), key.get())) {
    return absl::InvalidArgumentError(
        StrCat(name.ToString(), ": the key does not belong to the certificate"));
  }
  return Issuer(name, std::move(trust_domain), std::move(certificate), std::move(key),
                *std::move(info));
}

absl::StatusOr<crypto::X509Ptr> Issuer::Sign(const Subject& subject, EVP_PKEY* public_key,
                                             const pki::Serial& serial, std::int64_t now_s) const {
  if (now_s >= info_.not_after_s) {
    return absl::FailedPreconditionError(StrCat("issuing CA ", name_.ToString(), " ended at ",
                                                FormatRfc3339(info_.not_after_s * kMicrosPerSecond),
                                                ": put another in its place"));
  }
  const Life life{now_s - pki::kBackdateSeconds,
                  std::min(now_s + subject.life.count(), info_.not_after_s)};
  crypto::X509Ptr certificate =
      NewCertificate({trust_domain_, subject.name}, public_key, serial, life);
  X509* const leaf = certificate.get();
  RequireOpenSsl(X509_set_issuer_name(leaf, X509_get_subject_name(certificate_.get())) == 1,
                 "X509_set_issuer_name");
  AddExtension(leaf, certificate_.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(leaf, certificate_.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(leaf, certificate_.get(), NID_ext_key_usage, UsageText(*subject.profile));
  AddExtension(leaf, certificate_.get(), NID_subject_alt_name, NamesText(subject, trust_domain_));
  AddExtension(leaf, certificate_.get(), NID_subject_key_identifier, "hash");
  AddExtension(leaf, certificate_.get(), NID_authority_key_identifier, "keyid:always");
  authority::Sign(leaf, key_.get());
  return certificate;
}

std::string Issuer::SignCrl(const CrlHeader& header,
                            const std::vector<RevokedEntry>& revoked) const {
  const crypto::X509CrlPtr crl(X509_CRL_new());
  RequireOpenSsl(
      crl != nullptr && X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) == 1 &&
          X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(certificate_.get())) == 1,
      "X509_CRL_set");
  using TimePtr = std::unique_ptr<ASN1_TIME, crypto::OpenSslFree<&ASN1_TIME_free>>;
  const TimePtr when(ASN1_TIME_new());
  SetTime(when.get(), header.this_update_s);
  X509_CRL_set1_lastUpdate(crl.get(), when.get());
  SetTime(when.get(), header.next_update_s);
  X509_CRL_set1_nextUpdate(crl.get(), when.get());
  const crypto::Asn1IntegerPtr serial(ASN1_INTEGER_new());
  for (const RevokedEntry& entry : revoked) AddEntry(crl.get(), entry, serial.get(), when.get());
  X509_CRL_sort(crl.get());
  AddCrlExtensions(crl.get(), certificate_.get(), header.number);
  RequireOpenSsl(X509_CRL_sign(crl.get(), key_.get(), EVP_sha256()) > 0, "X509_CRL_sign");
  unsigned char* der = nullptr;
  const int size = i2d_X509_CRL(crl.get(), &der);
  RequireOpenSsl(size > 0, "i2d_X509_CRL");
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

crypto::X509Ptr Issuer::Anchor() const {
  crypto::X509Ptr anchor =
      NewCertificate({trust_domain_, info_.common_name}, key_.get(), pki::Serial::Random(),
                     {info_.not_before_s, info_.not_after_s});
  X509* const self = anchor.get();
  RequireOpenSsl(X509_set_issuer_name(self, X509_get_subject_name(self)) == 1, "issuer name");
  AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(self, self, NID_subject_key_identifier, "hash");
  authority::Sign(self, key_.get());
  return anchor;
}

}  // namespace postern::authority
