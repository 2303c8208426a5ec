#include "services/common/pki/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"
#include "services/common/crypto/openssl_check.h"
#include "services/common/pki/key.h"
#include "services/common/pki/pem.h"

namespace postern::pki {
namespace {

constexpr char kLabel[] = "CERTIFICATE";

using NamesPtr = std::unique_ptr<GENERAL_NAMES, crypto::OpenSslFree<&GENERAL_NAMES_free>>;

std::string_view View(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string IpText(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "";
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

void ReadNames(X509* certificate, CertificateInfo& info) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) {
      info.uris.emplace_back(View(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      info.hosts.emplace_back(View(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      info.hosts.push_back(IpText(View(name->d.iPAddress)));
    }
  }
}

std::string NameText(const X509_NAME* name) {
  const crypto::BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

absl::StatusOr<std::int64_t> UnixSeconds(const ASN1_TIME* time) {
  std::tm when{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &when) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("a date in it is no time");
  }
  return static_cast<std::int64_t>(::timegm(&when));
}

absl::StatusOr<std::vector<crypto::X509Ptr>> ParseCertificates(std::string_view pem) {
  std::vector<crypto::X509Ptr> found;
  const crypto::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (crypto::X509Ptr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    found.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (found.empty() || !at_end) {
    return absl::InvalidArgumentError("it holds no certificate in PEM, or a broken one");
  }
  return found;
}

absl::StatusOr<crypto::X509Ptr> ParseCertificate(std::string_view text) {
  if (text.find("-----BEGIN ") != std::string_view::npos) {
    absl::StatusOr<std::vector<crypto::X509Ptr>> all = ParseCertificates(text);
    if (!all.ok()) return all.status();
    return std::move(all->front());
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = begin;
  crypto::X509Ptr certificate(d2i_X509(nullptr, &end, static_cast<long>(text.size())));
  ERR_clear_error();
  if (certificate == nullptr || static_cast<std::size_t>(end - begin) != text.size()) {
    return absl::InvalidArgumentError("it is neither PEM nor DER of a certificate");
  }
  return certificate;
}

absl::StatusOr<CertificateInfo> Describe(X509* certificate) {
  CertificateInfo info;
  absl::StatusOr<Serial> serial = Serial::FromAsn1(X509_get0_serialNumber(certificate));
  if (!serial.ok()) return serial.status();
  const absl::StatusOr<std::int64_t> begin = UnixSeconds(X509_get0_notBefore(certificate));
  const absl::StatusOr<std::int64_t> end = UnixSeconds(X509_get0_notAfter(certificate));
  if (!begin.ok() || !end.ok()) return begin.ok() ? end.status() : begin.status();
  absl::StatusOr<std::string> common_name = CommonNameOf(X509_get_subject_name(certificate));
  if (!common_name.ok()) return common_name.status();
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError("its key cannot be read");
  }
  info.serial = *serial;
  info.subject = NameText(X509_get_subject_name(certificate));
  info.issuer = NameText(X509_get_issuer_name(certificate));
  info.common_name = *std::move(common_name);
  ReadNames(certificate, info);
  info.not_before_s = *begin;
  info.not_after_s = *end;
  info.sha256 = crypto::Sha256(CertificateDer(certificate));
  info.public_key_sha256 = PublicKeySha256(key);
  info.key_type = KeyType(key);
  // All ones when there is no such extension: every usage is allowed then.
  const std::uint32_t usage = X509_get_extended_key_usage(certificate);
  info.server_auth = (usage & XKU_SSL_SERVER) != 0;
  info.client_auth = (usage & XKU_SSL_CLIENT) != 0;
  info.is_ca = X509_check_ca(certificate) == 1;
  ERR_clear_error();
  return info;
}

std::string CertificateDer(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  crypto::RequireOpenSsl(size > 0, "i2d_X509");
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

std::string CertificatePem(X509* certificate) { return PemOf(CertificateDer(certificate), kLabel); }

bool IsIssuedBy(X509* certificate, X509* issuer) {
  const bool named = X509_check_issued(issuer, certificate) == X509_V_OK;
  const bool signed_by = named && X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  return signed_by;
}

}  // namespace postern::pki
