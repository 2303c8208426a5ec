#include "services/ctl/certificate_files.h"

#include <filesystem>
#include <span>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/pki/pkcs12.h"

namespace postern::ctl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameMax = 64;

absl::StatusOr<std::string> Password(const CertificateFiles& files) {
  if (files.password_file.empty()) {
    return absl::InvalidArgumentError("--pkcs12 needs --password-file");
  }
  auto password = ReadSecretFile(files.password_file);
  if (!password.ok()) return absl::FailedPreconditionError(password.status().message());
  return password;
}

}  // namespace

absl::StatusOr<CertificateOrder> PrepareOrder(const CertificateFiles& files,
                                              const std::string& name) {
  CertificateOrder order;
  if (!files.csr_file.empty()) {
    if (!files.pkcs12_file.empty()) {
      return absl::InvalidArgumentError("--pkcs12 holds a new key: it does not go with --csr");
    }
    auto csr = ReadFile(files.csr_file);
    if (!csr.ok()) return absl::FailedPreconditionError(csr.status().message());
    order.csr = *std::move(csr);
    return order;
  }
  constexpr char kNameCharacters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (name.empty() || name.size() > kNameMax ||
      name.find_first_not_of(kNameCharacters) != std::string::npos) {
    return absl::InvalidArgumentError("the name has 1 to 64 characters of [a-z0-9._-]");
  }
  if (!files.key_file.empty()) {
    const auto pem = ReadSecretFile(files.key_file);
    if (!pem.ok()) return absl::FailedPreconditionError(pem.status().message());
    const auto key = pki::ParsePrivateKey(files.key_file, *pem, "");
    if (!key.ok()) return key.status();
    order.csr = pki::MakeCsr(key->get(), name);
    return order;
  }
  const auto kind = pki::ParseKeyKind(files.key_kind);
  if (!kind.ok()) return kind.status();
  if (!files.pkcs12_file.empty()) {
    if (auto password = Password(files); !password.ok()) return password.status();
  }
  order.key = pki::GenerateKey(*kind);
  order.csr = pki::MakeCsr(order.key.get(), name);
  return order;
}

absl::StatusOr<std::string> WriteOrder(const CertificateFiles& files, const CertificateOrder& order,
                                       const std::string& name, const std::string& chain_pem) {
  if (!files.pkcs12_file.empty()) {
    const auto password = Password(files);
    auto chain = pki::ParseCertificates(chain_pem);
    if (!password.ok() || !chain.ok()) return password.ok() ? chain.status() : password.status();
    const auto file = pki::MakePkcs12(order.key.get(), chain->front().get(),
                                      std::span(*chain).subspan(1), name, *password);
    if (!file.ok()) return file.status();
    if (absl::Status s = WriteFileAtomically(files.pkcs12_file, *file); !s.ok()) return s;
    return files.pkcs12_file;
  }
  const std::string stem = files.out.empty() ? name : files.out;
  // The key first: a certificate without its key would be in use at once.
  if (order.key != nullptr) {
    const absl::Status s =
        WriteFileAtomically(stem + ".key", pki::PrivateKeyPem(order.key.get(), "").view());
    if (!s.ok()) return s;
  }
  if (absl::Status s = WriteFileAtomically(stem + ".pem", chain_pem); !s.ok()) return s;
  return stem + ".pem";
}

absl::StatusOr<crypto::X509Ptr> ReadCertificateFile(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return absl::FailedPreconditionError(text.status().message());
  auto certificate = pki::ParseCertificate(*text);
  if (!certificate.ok()) {
    return absl::FailedPreconditionError(StrCat(path, ": ", ToStd(certificate.status().message())));
  }
  return certificate;
}

absl::StatusOr<std::string> SerialOf(const std::string& text) {
  if (!fs::exists(text)) {
    const auto serial = pki::Serial::FromHex(text);
    if (serial.ok()) return serial->hex();
    return absl::InvalidArgumentError(
        StrCat(text, " is neither a file nor a serial number (hexadecimal)"));
  }
  const auto certificate = ReadCertificateFile(text);
  if (!certificate.ok()) return certificate.status();
  const auto info = pki::Describe(certificate->get());
  if (!info.ok()) return absl::FailedPreconditionError(info.status().message());
  return info->serial.hex();
}

}  // namespace postern::ctl
