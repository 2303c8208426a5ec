#include "tests/load/client_folder.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/common/tls/context.h"

namespace postern::load {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> CommonName(const std::string& certificate_file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(certificate_file.c_str(), "re"), &std::fclose);
  if (!file) return absl::NotFoundError(certificate_file);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  std::array<char, 128> name{};
  if (!certificate ||
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                name.data(), static_cast<int>(name.size())) <= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(certificate_file, ": no certificate with a CN"));
  }
  return std::string(name.data());
}

absl::StatusOr<Client> ReadClient(const fs::path& certificate, const std::string& trust_file) {
  Client client;
  auto name = CommonName(certificate.string());
  if (!name.ok()) return name.status();
  client.client_id = *std::move(name);
  tls::Files files;
  files.certificate = certificate.string();
  files.key = fs::path(certificate).replace_extension(".key").string();
  files.trust = trust_file;
  auto context = tls::ClientContext(files);
  if (!context.ok()) return context.status();
  client.tls = *std::move(context);
  return client;
}

}  // namespace

absl::StatusOr<std::vector<Client>> ReadClients(const std::string& folder,
                                                const std::string& trust_file) {
  std::vector<fs::path> certificates;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() == ".pem") certificates.push_back(file.path());
  }
  if (certificates.empty()) {
    return absl::NotFoundError(absl::StrCat(folder, " holds no client certificate (*.pem)"));
  }
  if (certificates.size() > std::numeric_limits<std::uint16_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(folder, " holds too many clients"));
  }
  std::sort(certificates.begin(), certificates.end());
  std::vector<Client> clients;
  for (const fs::path& certificate : certificates) {
    auto client = ReadClient(certificate, trust_file);
    if (!client.ok()) return client.status();
    clients.push_back(*std::move(client));
  }
  return clients;
}

}  // namespace postern::load
