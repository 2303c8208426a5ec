#include "services/server/local_trust.h"

#include <algorithm>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/log/log.h"

namespace postern::server {
namespace {

constexpr std::string_view kCrlFolder = "/crl/";
constexpr std::string_view kCrlEnding = ".crl";

bool IsRevoked(const absl::Status& status) { return status.message() == "revoked"; }

}  // namespace

std::string RenewalTarget(const Settings& settings) {
  if (!settings.renewal_target.empty()) return settings.renewal_target;
  const bool any = settings.listen_address == "0.0.0.0" || settings.listen_address == "::";
  return StrCat(any ? "localhost" : settings.listen_address, ":", settings.listen_port);
}

LocalTrust::LocalTrust(db::Executor& database, trust::Member& member, std::string own_certificate,
                       rpc::LiveConnections& connections, metrics::Registry& metrics)
    : member_(member),
      own_certificate_(std::move(own_certificate)),
      connections_(connections),
      feed_(
          database, [this] { Apply(); }, metrics) {}

void LocalTrust::Apply() {
  if (!member_.check()) return;
  cursor_.services_only = true;
  v1::WatchTrustResponse step;
  while (feed_.NextStep(cursor_, step)) member_.Apply(step).IgnoreError();
}

bool LocalTrust::Refused(const tls::CertificateRef& certificate) const {
  return !member_.check()(certificate).ok();
}

void LocalTrust::CutRefused() {
  if (!member_.check()) return;
  const auto pem = ReadFile(own_certificate_);
  const auto own = tls::CertificateRefOfPem(pem.ok() ? *pem : "");
  const bool out = own.ok() && IsRevoked(member_.check()(*own));
  if (out) log::Error("own_certificate_revoked", "file", own_certificate_);
  const std::size_t cut = connections_.CutRevoked(
      [&](const tls::CertificateRef& certificate) { return out || Refused(certificate); });
  if (cut > 0) log::Info("connections_cut", "connections", cut);
}

std::optional<http::Response> LocalTrust::CrlPage(std::string_view path) const {
  if (!path.starts_with(kCrlFolder) || !path.ends_with(kCrlEnding)) return std::nullopt;
  path.remove_prefix(kCrlFolder.size());
  path.remove_suffix(std::min(path.size(), kCrlEnding.size()));
  auto crl = feed_.Crl(std::string(path));
  if (!crl) return std::nullopt;
  http::Response page;
  page.content_type = "application/pkix-crl";
  page.body = *std::move(crl);
  return page;
}

}  // namespace postern::server
