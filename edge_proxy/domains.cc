#include "edge_proxy/domains.h"

#include <openssl/ssl.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "services/common/base/strings.h"
#include "services/common/config/config.h"
#include "services/common/log/log.h"

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

absl::Status Domains::Read(const RateLimit& otherwise) {
  auto state = std::make_shared<State>();
  state->otherwise = otherwise;
  std::error_code error;
  fs::directory_iterator it;
  if (!folder_.empty()) it = fs::directory_iterator(folder_, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    if (!it->is_directory()) continue;
    const fs::path& path = it->path();
    tls::Files files;
    files.certificate = (path / "certificate.pem").string();
    files.key = (path / "key.pem").string();
    files.trust = trust_file_;
    auto context = tls::ContextSource::Server(std::move(files));
    if (!context.ok()) return context.status();
    auto limit = ReadLimit(path / "domain.yaml", otherwise);
    if (!limit.ok()) return limit.status();
    state->domains.emplace(absl::AsciiStrToLower(path.filename().string()),
                           Domain{*std::move(context), *limit});
  }
  if (error) return absl::NotFoundError(StrCat(folder_, ": ", error.message()));
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  return absl::OkStatus();
}

absl::Status Domains::Refresh() const {
  absl::Status first;
  const std::shared_ptr<const State> state = Now();
  for (const auto& [name, domain] : state->domains) {
    const absl::StatusOr<bool> changed = domain.tls->Refresh();
    if (!changed.ok()) first.Update(changed.status());
    if (changed.ok() && *changed) log::Info("domain_certificate_taken", "domain", name);
  }
  return first;
}

std::shared_ptr<const Domains::State> Domains::Now() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

const Domains::Domain* Domains::State::Find(std::string_view name) const {
  if (domains.empty() || name.empty()) return nullptr;
  const auto found = domains.find(absl::AsciiStrToLower(ToAbsl(name)));
  return found == domains.end() ? nullptr : &found->second;
}

void Domains::Install(SSL_CTX* context) const {
  if (folder_.empty()) return;
  SSL_CTX_set_tlsext_servername_callback(context, &Domains::OnServerName);
  SSL_CTX_set_tlsext_servername_arg(context, const_cast<Domains*>(this));
}

int Domains::OnServerName(SSL* ssl, int* /*alert*/, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  const auto state = static_cast<const Domains*>(self)->Now();
  const Domain* const domain = state->Find(name);
  if (domain != nullptr) SSL_set_SSL_CTX(ssl, domain->tls->Last()->native_handle());
  return SSL_TLSEXT_ERR_OK;
}

absl::Status Domains::Check(std::string_view server_name, std::string_view client_domain) const {
  const auto state = Now();
  if (state->Find(server_name) == state->Find(client_domain)) return absl::OkStatus();
  return absl::PermissionDeniedError("domain");
}

RateLimit Domains::LimitOf(std::string_view domain) const {
  const auto state = Now();
  const Domain* const found = state->Find(domain);
  return found == nullptr ? state->otherwise : found->limit;
}

}  // namespace postern::edge
