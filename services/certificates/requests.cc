#include "services/certificates/requests.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "services/certificates/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/utf8.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/pki/pkcs12.h"

namespace postern::certificates {
namespace {

absl::StatusOr<crypto::X509Ptr> ReadRegistered(db::Connection& connection,
                                               const std::string& sha256_hex) {
  const auto hex = NormalizeSha256Hex(sha256_hex);
  if (!hex.ok()) return absl::InvalidArgumentError("certificate_sha256: 64 hexadecimal digits");
  const auto found = FindBySha256(connection, *HexDecode(*hex));
  if (!found.ok()) return found.status();
  if (!*found) {
    return absl::FailedPreconditionError(
        "the certificate is not one that this authority has issued: ask the operator for one");
  }
  return pki::ParseCertificate((*found)->der);
}

}  // namespace

absl::StatusOr<authority::Subject> ReadSubject(const v1::CertificateSubject& subject) {
  if (subject.life_seconds() < 0) return absl::InvalidArgumentError("life_seconds: negative");
  return authority::MakeSubject(subject.profile(), subject.name(),
                                {subject.hosts().begin(), subject.hosts().end()},
                                std::chrono::seconds(subject.life_seconds()));
}

absl::StatusOr<KeySource> ReadKeySource(const v1::IssueCertificateRequest& request,
                                        const std::string& name) {
  KeySource source;
  if (request.has_new_key()) {
    const v1::NewKey& wanted = request.new_key();
    const std::size_t size = wanted.password().size();
    if (wanted.format() != v1::KEY_FORMAT_PEM && wanted.format() != v1::KEY_FORMAT_PKCS12) {
      return absl::InvalidArgumentError("new_key.format: PEM or PKCS12");
    }
    if (wanted.format() == v1::KEY_FORMAT_PKCS12 &&
        (size < pki::kPkcs12PasswordMin || size > pki::kPkcs12PasswordMax)) {
      return absl::InvalidArgumentError("new_key.password: 8 to 128 bytes");
    }
    source.key = pki::GenerateKey(pki::KeyKind::kEcP256);
    source.is_new = true;
    return source;
  }
  auto csr = pki::ParseCsr(request.csr());
  if (!csr.ok()) return csr.status();
  if (absl::Status named = CheckCommonName(csr->common_name, name); !named.ok()) return named;
  source.key = std::move(csr->public_key);
  return source;
}

absl::Status HandOutKey(const v1::NewKey& wanted, EVP_PKEY* key, const Issued& issued,
                        v1::IssueCertificateResponse& response) {
  if (wanted.format() == v1::KEY_FORMAT_PEM) {
    response.set_key_pem(std::string(pki::PrivateKeyPem(key, "").view()));
    return absl::OkStatus();
  }
  auto chain = pki::ParseCertificates(issued.chain_pem);
  if (!chain.ok()) return chain.status();
  auto file = pki::MakePkcs12(key, chain->front().get(), std::span(*chain).subspan(1),
                              issued.stored.name, wanted.password());
  if (!file.ok()) return file.status();
  response.set_pkcs12(*std::move(file));
  return absl::OkStatus();
}

absl::StatusOr<RevokeOrder> ReadRevokeOrder(const v1::RevokeCertificateRequest& request) {
  const auto serial = pki::Serial::FromHex(request.serial());
  if (!serial.ok()) {
    return absl::InvalidArgumentError(StrCat("serial: ", ToStd(serial.status().message())));
  }
  if (!v1::RevocationReason_IsValid(request.reason())) {
    return absl::InvalidArgumentError("reason: not one of RevocationReason");
  }
  return RevokeOrder{*serial, request.issuer(), static_cast<int>(request.reason()),
                     request.lineage()};
}

absl::StatusOr<crypto::X509Ptr> ReadCurrent(db::Connection& connection,
                                            const v1::RenewCertificateRequest& request,
                                            const std::string& peer_pem) {
  if (!request.certificate_sha256().empty()) {
    return ReadRegistered(connection, request.certificate_sha256());
  }
  const std::string& text = request.certificate().empty() ? peer_pem : request.certificate();
  if (text.size() > kCertificateBytesMax) {
    return absl::InvalidArgumentError(
        StrCat("certificate: ", kCertificateBytesMax, " bytes are the most"));
  }
  auto certificate = pki::ParseCertificate(text);
  if (!certificate.ok()) {
    return absl::InvalidArgumentError(
        StrCat("certificate: ", ToStd(certificate.status().message())));
  }
  return certificate;
}

absl::StatusOr<Page> ReadPage(const v1::ListCertificatesRequest& request, std::int64_t now_us) {
  Page page;
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size: negative");
  if (request.expiring_within_seconds() < 0) {
    return absl::InvalidArgumentError("expiring_within_seconds: negative");
  }
  if (!IsAscii(request.name()) || !IsAscii(request.profile())) {
    return absl::InvalidArgumentError("name: only ASCII characters");
  }
  page.size = request.page_size() == 0 ? kPageDefault : std::min(request.page_size(), kPageMax);
  page.filter.profile = request.profile();
  page.filter.name = request.name();
  page.filter.state = request.state();
  if (request.expiring_within_seconds() > 0) {
    constexpr std::int64_t kCenturySeconds = std::int64_t{36'525} * 24 * 3600;
    page.filter.ends_before_us =
        now_us + std::min(request.expiring_within_seconds(), kCenturySeconds) * kMicrosPerSecond;
  }
  if (request.page_token().empty()) return page;
  std::string token;
  constexpr std::size_t kTimeSize = 8;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &token) || token.size() <= kTimeSize) {
    return absl::InvalidArgumentError("page_token: not a token of this service");
  }
  for (std::size_t i = 0; i < kTimeSize; ++i) {
    page.filter.after_end_us = page.filter.after_end_us << 8 | static_cast<std::uint8_t>(token[i]);
  }
  page.filter.after_serial = token.substr(kTimeSize);
  return page;
}

std::string PageTokenAfter(const StoredCertificate& last) {
  std::string token;
  for (int shift = 56; shift >= 0; shift -= 8) {
    token.push_back(static_cast<char>(last.not_after_us >> shift & 0xff));
  }
  StrAppend(&token, last.serial.bytes());
  return absl::WebSafeBase64Escape(token);
}

v1::Crl ToProto(const StoredCrl& crl) {
  v1::Crl out;
  out.set_issuer(crl.issuer);
  out.set_number(crl.header.number);
  out.set_this_update_us(crl.header.this_update_s * kMicrosPerSecond);
  out.set_next_update_us(crl.header.next_update_s * kMicrosPerSecond);
  out.set_entries(crl.entries);
  out.set_der(crl.der);
  return out;
}

absl::StatusOr<v1::Authority> DescribeAuthority(db::Connection& connection,
                                                const Authorities& authorities,
                                                const Authorities::Known& known) {
  const auto certificate = pki::ParseCertificate(known.pem);
  if (!certificate.ok()) return certificate.status();
  const auto info = pki::Describe(certificate->get());
  if (!info.ok()) return info.status();
  const auto valid = CountValid(connection, known.name, NowMicros());
  if (!valid.ok()) return valid.status();
  const auto crl = FindCrl(connection, known.name, false);
  if (!crl.ok()) return crl.status();
  v1::Authority out;
  out.set_name(known.name);
  out.set_state(static_cast<v1::AuthorityState>(known.state));
  out.set_subject(info->subject);
  out.set_sha256(HexEncode(info->sha256));
  out.set_not_before_us(info->not_before_s * kMicrosPerSecond);
  out.set_not_after_us(info->not_after_s * kMicrosPerSecond);
  out.set_valid_certificates(*valid);
  out.set_key_present(authorities.HasKey(known.name));
  if (*crl) *out.mutable_crl() = ToProto(**crl);
  return out;
}

}  // namespace postern::certificates
