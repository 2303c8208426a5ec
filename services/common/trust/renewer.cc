#include "services/common/trust/renewer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/certificate.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/rpc/status.h"
#include "services/common/trust/key_files.h"

namespace postern::trust {
namespace {

constexpr std::chrono::seconds kCallTimeout{5};
constexpr std::int64_t kRetryMaxSeconds = 60;
constexpr std::int64_t kRetriesPerLife = 30;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// The kind of key that takes the place of one of this type.
pki::KeyKind KindLike(const std::string& key_type) {
  if (key_type == "EC P-384") return pki::KeyKind::kEcP384;
  if (key_type.starts_with("RSA")) return pki::KeyKind::kRsa3072;
  return pki::KeyKind::kEcP256;
}

}  // namespace

std::int64_t RenewalTime(std::int64_t begin_s, std::int64_t end_s, double jitter) {
  const std::int64_t life = std::max<std::int64_t>(end_s - begin_s, 0);
  return begin_s + life * 2 / 3 -
         static_cast<std::int64_t>(static_cast<double>(life) * jitter / 20);
}

std::int64_t RetrySeconds(std::int64_t begin_s, std::int64_t end_s) {
  return std::clamp<std::int64_t>((end_s - begin_s) / kRetriesPerLife, 1, kRetryMaxSeconds);
}

Renewer::Renewer(std::string usage, tls::Files files, v1::CertificateService::StubInterface& stub,
                 const TrustState& state, metrics::Registry& metrics)
    : usage_(std::move(usage)),
      files_(std::move(files)),
      stub_(stub),
      state_(state),
      not_after_(metrics.Gauge("postern_tls_certificate_not_after_timestamp_seconds",
                               "When this process's own certificate ends.", {{"usage", usage_}})),
      renewed_(metrics.Counter("postern_tls_certificate_renewals_total",
                               "Renewals of this process's own certificate.", {{"usage", usage_}})),
      failed_(metrics.Counter("postern_tls_certificate_renewal_failures_total",
                              "Tries to renew this process's own certificate that failed.",
                              {{"usage", usage_}})) {}

absl::Status Renewer::Read() {
  const auto text = ReadFile(files_.certificate);
  if (!text.ok()) return text.status();
  auto certificate = pki::ParseCertificate(*text);
  if (!certificate.ok()) return certificate.status();
  const auto info = pki::Describe(certificate->get());
  if (!info.ok()) return info.status();
  own_.certificate = *std::move(certificate);
  own_.pem = pki::CertificatePem(own_.certificate.get());
  own_.uri = info->uris.empty() ? "" : info->uris.front();
  own_.common_name = info->common_name;
  own_.key_type = info->key_type;
  // What was dated back is no part of its life, unless nothing else is.
  own_.begin_s = std::min(info->not_before_s + pki::kBackdateSeconds, info->not_after_s);
  own_.end_s = info->not_after_s;
  not_after_.Set(static_cast<double>(own_.end_s));
  return absl::OkStatus();
}

void Renewer::Plan(std::int64_t now_s) {
  std::uniform_real_distribution<double> jitter(0, 1);
  next_s_ = RenewalTime(own_.begin_s, own_.end_s, jitter(random_));
  if (next_s_ > now_s) {
    log::Info("certificate_renewal_planned", "usage", usage_, "at",
              FormatRfc3339(next_s_ * kMicrosPerSecond), "ends",
              FormatRfc3339(own_.end_s * kMicrosPerSecond));
  }
}

void Renewer::Look(std::int64_t now_s) {
  const FileMark mark = MarkOf(files_.certificate);
  if (mark != read_) {
    if (absl::Status read = Read(); !read.ok()) return Note(read);
    read_ = mark;
    Note(absl::OkStatus());
    Plan(now_s);
  }
  if (now_s < next_s_) return;
  if (now_s >= own_.end_s) {
    const absl::Status ended = absl::FailedPreconditionError(
        StrCat("it has ended: enrol it again on the server with `postern-certs issue`, and put the "
               "new files at ",
               files_.certificate));
    if (ended_limit_.Allow()) {
      log::Error("certificate_ended", "usage", usage_, "reason", ended.message());
    }
    return Note(ended);
  }
  next_s_ = now_s + RetrySeconds(own_.begin_s, own_.end_s);
  const absl::Status renewed = Renew();
  Note(renewed);
  if (renewed.ok()) {
    renewed_.Increment();
    log::Info("certificate_renewed", "usage", usage_, "file", files_.certificate);
    return;
  }
  failed_.Increment();
  log::Warn("certificate_renewal_failed", "usage", usage_, "reason", renewed.message(), "ends",
            FormatRfc3339(own_.end_s * kMicrosPerSecond), "again_in_s", next_s_ - now_s);
}

absl::Status Renewer::Renew() {
  const crypto::KeyPtr key = pki::GenerateKey(KindLike(own_.key_type));
  v1::RenewCertificateRequest request;
  request.set_csr(pki::MakeCsr(key.get(), own_.common_name));
  request.set_certificate(own_.pem);
  v1::RenewCertificateResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  const grpc::Status status = stub_.RenewCertificate(&context, request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (absl::Status s = Verify(response.chain_pem(), key.get()); !s.ok()) return s;
  return ReplaceKeyPair(files_, response.chain_pem(), pki::PrivateKeyPem(key.get(), "").view());
}

// An answer that the peers would refuse must not take the place of what is good.
absl::Status Renewer::Verify(const std::string& chain_pem, EVP_PKEY* key) const {
  const auto leaf = pki::ParseCertificate(chain_pem);
  if (!leaf.ok()) return leaf.status();
  const auto info = pki::Describe(leaf->get());
  if (!info.ok()) return info.status();
  const crypto::KeyPtr public_key(X509_get_pubkey(leaf->get()));
  if (public_key == nullptr || !pki::SamePublicKey(public_key.get(), key)) {
    return absl::InternalError("the server's answer is for another key");
  }
  if (info->uris.size() != 1 || info->uris.front() != own_.uri) {
    return absl::InternalError("the server's answer is for another name");
  }
  if (info->not_after_s <= NowMicros() / kMicrosPerSecond) {
    return absl::InternalError("the server's answer has ended already: is a clock wrong?");
  }
  if (!state_.IssuedByServices(leaf->get())) {
    return absl::InternalError("the server's answer is of no CA that is trusted here");
  }
  return absl::OkStatus();
}

void Renewer::Note(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  fault_ = std::string(ToStd(status.message()));
}

http::Check Renewer::Check() const {
  http::Check check;
  check.name = StrCat("renewal_", usage_);
  const std::lock_guard lock(mutex_);
  if (!fault_.empty()) {
    check.state = http::Check::State::kWarn;
    check.detail = fault_;
  }
  return check;
}

}  // namespace postern::trust
