#include "services/common/tls/identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"

namespace postern::tls {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kTrustDomainMax = 255;
constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles = {{
    {Role::kClient, "client"},
    {Role::kEdge, "edge"},
    {Role::kWorker, "worker"},
    {Role::kPortal, "portal"},
    {Role::kServer, "server"},
    {Role::kOperator, "operator"},
}};

struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using CertificatePtr = std::unique_ptr<X509, X509Deleter>;
struct NamesDeleter {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct OpenSslDeleter {
  void operator()(void* memory) const { OPENSSL_free(memory); }
};

std::optional<Role> RoleOf(std::string_view name) {
  for (const auto& [role, text] : kRoles) {
    if (text == name) return role;
  }
  return std::nullopt;
}

bool IsPlainWord(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

std::string_view View(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> UriNames(X509* certificate) {
  std::vector<std::string> uris;
  std::unique_ptr<GENERAL_NAMES, NamesDeleter> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.emplace_back(View(name->d.uniformResourceIdentifier));
  }
  return uris;
}

// Empty when there is none or more than one: which of two counts would be a guess.
std::string CommonName(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return "";
  return std::string(View(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first))));
}

std::string SerialHex(X509* certificate) {
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  if (number == nullptr) return "";
  std::unique_ptr<char, OpenSslDeleter> hex(BN_bn2hex(number));
  BN_free(number);
  std::string text = absl::AsciiStrToLower(hex.get());
  text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
  return text;
}

std::string NameText(const X509_NAME* name) {
  std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

CertificateRef RefOf(X509* certificate) {
  return {NameText(X509_get_issuer_name(certificate)), SerialHex(certificate)};
}

absl::StatusOr<Life> LifeOf(const X509* certificate) {
  std::tm begin{};
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &begin) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
    return absl::InvalidArgumentError("a date of the certificate is not a time");
  }
  return Life{static_cast<std::int64_t>(timegm(&begin)), static_cast<std::int64_t>(timegm(&end))};
}

// The first certificate of a PEM text; null when there is none.
CertificatePtr ParseFirst(std::string_view pem) {
  std::unique_ptr<BIO, int (*)(BIO*)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return CertificatePtr(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

// The first certificate of a PEM file.
absl::StatusOr<CertificatePtr> ReadFirst(const std::string& pem_path) {
  std::unique_ptr<BIO, int (*)(BIO*)> file(BIO_new_file(pem_path.c_str(), "r"), BIO_free);
  if (file == nullptr) return absl::NotFoundError(pem_path + ": cannot be read");
  CertificatePtr certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return absl::FailedPreconditionError(pem_path + ": holds no PEM certificate");
  }
  return certificate;
}

}  // namespace

std::string_view RoleName(Role role) {
  for (const auto& [candidate, text] : kRoles) {
    if (candidate == role) return text;
  }
  return "";
}

absl::StatusOr<SpiffeId> SpiffeId::Parse(std::string_view uri) {
  constexpr std::string_view kScheme = "spiffe://";
  if (!uri.starts_with(kScheme)) {
    return absl::InvalidArgumentError("not a SPIFFE id: it must begin with spiffe://");
  }
  uri.remove_prefix(kScheme.size());
  const std::vector<std::string> parts = absl::StrSplit(ToAbsl(uri), '/');
  if (parts.size() != 3) {
    return absl::InvalidArgumentError(
        "not a SPIFFE id of this system: want spiffe://<trust-domain>/<role>/<name>");
  }
  if (!IsPlainWord(parts[0], kTrustDomainMax)) {
    return absl::InvalidArgumentError(
        "the SPIFFE id's trust domain has other characters than a-z, "
        "0-9, dot, dash and underscore, or is empty");
  }
  const std::optional<Role> role = RoleOf(parts[1]);
  if (!role) return absl::InvalidArgumentError("the SPIFFE id names no known role");
  // SPIFFE forbids the segments `.` and `..`.
  if (!IsPlainWord(parts[2], kNameMax) || parts[2] == "." || parts[2] == "..") {
    return absl::InvalidArgumentError(
        "the SPIFFE id's name must have 1 to 64 characters of a-z, 0-9, dot, dash and underscore");
  }
  SpiffeId id;
  id.trust_domain = parts[0];
  id.role = *role;
  id.name = parts[2];
  return id;
}

std::string SpiffeId::ToString() const {
  return StrCat("spiffe://", trust_domain, "/", RoleName(role), "/", name);
}

std::string SpiffeId::Path() const { return StrCat(RoleName(role), "/", name); }

absl::StatusOr<PeerCertificate> ReadPeerCertificate(X509* certificate) {
  if (certificate == nullptr) return absl::PermissionDeniedError("no certificate was shown");
  const std::vector<std::string> uris = UriNames(certificate);
  if (uris.size() != 1) {
    return absl::PermissionDeniedError(
        StrCat("the certificate has ", uris.size(), " URI names instead of one"));
  }
  absl::StatusOr<SpiffeId> id = SpiffeId::Parse(uris.front());
  if (!id.ok()) return absl::PermissionDeniedError(id.status().message());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
    return absl::PermissionDeniedError("the certificate has no fingerprint");
  }
  const absl::StatusOr<Life> life = LifeOf(certificate);
  if (!life.ok()) return absl::PermissionDeniedError(life.status().message());
  PeerCertificate peer;
  peer.id = *std::move(id);
  peer.common_name = CommonName(certificate);
  peer.sha256_hex = HexEncode({reinterpret_cast<const char*>(digest.data()), size});
  peer.ref = RefOf(certificate);
  peer.not_after_s = life->not_after_s;
  return peer;
}

absl::StatusOr<CertificateRef> CertificateRefOfPem(std::string_view pem) {
  const CertificatePtr certificate = ParseFirst(pem);
  if (certificate == nullptr) return absl::PermissionDeniedError("no certificate was shown");
  return RefOf(certificate.get());
}

std::string SubjectName(const X509* certificate) {
  return NameText(X509_get_subject_name(certificate));
}

absl::StatusOr<PeerCertificate> ReadPeerCertificatePem(std::string_view pem) {
  return ReadPeerCertificate(ParseFirst(pem).get());
}

absl::Status CheckOwnCertificate(const std::string& pem_path, Role role,
                                 std::string_view trust_domain) {
  const absl::StatusOr<CertificatePtr> certificate = ReadFirst(pem_path);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<PeerCertificate> own = ReadPeerCertificate(certificate->get());
  if (own.ok() && own->id.role == role && own->id.trust_domain == trust_domain) {
    return absl::OkStatus();
  }
  const std::string found = own.ok() ? StrCat("it is ", own->id.ToString(), "'s")
                                     : std::string(ToStd(own.status().message()));
  return absl::FailedPreconditionError(
      StrCat(pem_path, ": not the certificate of this program: ", found, ", wanted is spiffe://",
             trust_domain, "/", RoleName(role), "/<name>. Set mesh.certificate_file to the right ",
             "file, or issue one with that name."));
}

absl::StatusOr<Life> CertificateLife(const std::string& pem_path) {
  const absl::StatusOr<CertificatePtr> certificate = ReadFirst(pem_path);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<Life> life = LifeOf(certificate->get());
  if (!life.ok()) {
    return absl::FailedPreconditionError(StrCat(pem_path, ": ", life.status().message()));
  }
  return life;
}

}  // namespace postern::tls
