#include "edge_proxy/domains.h"

#include <openssl/ssl.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "services/common/base/strings.h"
#include "services/common/config/config.h"
#include "services/common/tls/context.h"

namespace postern::edge {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<RateLimit> ReadLimit(const fs::path& file, RateLimit limit) {
  std::error_code error;
  if (!fs::exists(file, error)) return limit;
  config::Schema schema;
  schema.Int("messages_per_second", &limit.per_second, 0, 1'000'000, "Of a client of the domain.");
  schema.Int("burst", &limit.burst, 0, 1'000'000, "Of a client of the domain.");
  schema.Int("messages_per_day", &limit.per_day, 0, 1'000'000'000'000,
             "Of a client of the domain.");
  const absl::Status loaded = schema.Load(file.string());
  if (!loaded.ok()) return loaded;
  return limit;
}

}  // namespace

absl::StatusOr<Domains> Domains::Read(const std::string& folder, const std::string& trust_file,
                                      const RateLimit& otherwise) {
  Domains domains;
  if (folder.empty()) return domains;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_directory()) continue;
    const fs::path& path = it->path();
    tls::Files files;
    files.certificate = (path / "certificate.pem").string();
    files.key = (path / "key.pem").string();
    files.trust = trust_file;
    auto context = tls::ServerContext(files);
    if (!context.ok()) return context.status();
    auto limit = ReadLimit(path / "domain.yaml", otherwise);
    if (!limit.ok()) return limit.status();
    domains.domains_.emplace(absl::AsciiStrToLower(path.filename().string()),
                             Domain{*std::move(context), *limit});
  }
  if (error) return absl::NotFoundError(StrCat(folder, ": ", error.message()));
  return domains;
}

const std::map<std::string, Domain, std::less<>>::value_type* Domains::Find(
    std::string_view name) const {
  if (domains_.empty() || name.empty()) return nullptr;
  const auto found = domains_.find(absl::AsciiStrToLower(ToAbsl(name)));
  return found == domains_.end() ? nullptr : &*found;
}

void Domains::Install(SSL_CTX* context) const {
  if (domains_.empty()) return;
  SSL_CTX_set_tlsext_servername_callback(context, &Domains::OnServerName);
  SSL_CTX_set_tlsext_servername_arg(context, const_cast<Domains*>(this));
}

int Domains::OnServerName(SSL* ssl, int* /*alert*/, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const auto* const domain =
      name == nullptr ? nullptr : static_cast<const Domains*>(self)->Find(name);
  if (domain != nullptr) SSL_set_SSL_CTX(ssl, domain->second.tls->native_handle());
  return SSL_TLSEXT_ERR_OK;
}

absl::Status Domains::Check(std::string_view server_name, std::string_view client_domain) const {
  if (domains_.empty() || Find(server_name) == Find(client_domain)) return absl::OkStatus();
  return absl::PermissionDeniedError("domain");
}

const RateLimit* Domains::LimitOf(std::string_view domain) const {
  const auto* const found = Find(domain);
  return found == nullptr ? nullptr : &found->second.limit;
}

}  // namespace postern::edge
