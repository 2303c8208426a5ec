#include "services/common/rpc/authorization.h"

#include <grpc/grpc_security_constants.h>

#include <mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"

namespace postern::rpc {
namespace {

constexpr char kSpiffeIdProperty[] = "peer_spiffe_id";
constexpr char kPathKey[] = ":path";

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

// Certificates that are kept at most; a mesh has fewer.
constexpr std::size_t kKnownCertificatesMax = 256;

// Which certificates peers show: each is parsed once, not with every call. Thread-safe.
class KnownCertificates {
 public:
  absl::StatusOr<tls::CertificateRef> Find(std::string_view pem) {
    {
      const std::lock_guard lock(mutex_);
      const auto known = by_pem_.find(ToAbsl(pem));
      if (known != by_pem_.end()) return known->second;
    }
    absl::StatusOr<tls::CertificateRef> certificate = tls::CertificateRefOfPem(pem);
    if (!certificate.ok()) return certificate;
    const std::lock_guard lock(mutex_);
    if (by_pem_.size() >= kKnownCertificatesMax) by_pem_.clear();
    by_pem_.emplace(pem, *certificate);
    return certificate;
  }

 private:
  std::mutex mutex_;
  absl::flat_hash_map<std::string, tls::CertificateRef> by_pem_;
};

class Authorizer final : public grpc::AuthMetadataProcessor {
 public:
  Authorizer(MethodTable table, std::string trust_domain, tls::RevocationCheck check,
             CheckUser check_user, OnCall on_call)
      : table_(std::move(table)),
        trust_domain_(std::move(trust_domain)),
        check_(std::move(check)),
        check_user_(std::move(check_user)),
        on_call_(std::move(on_call)) {}

  // The check is a look-up in memory, for a token also a signature: no thread per call.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(kPathKey);
    CallFacts facts{};
    if (path != metadata.end()) facts.method = View(path->second);
    const absl::StatusOr<tls::SpiffeId> peer = PeerId(*context, trust_domain_);
    std::optional<UserCaller> user;
    absl::Status status = peer.status();
    if (peer.ok()) {
      facts.peer = &*peer;
      status = CheckRevocation(*context);
      if (status.ok()) status = Check(facts.method, *peer, metadata, user);
      if (user) facts.user = &*user;
    }
    const grpc::Status answer = ToGrpc(status);
    on_call_(facts, answer);
    return answer;
  }

 private:
  absl::Status CheckRevocation(const grpc::AuthContext& context) {
    if (!check_) return absl::OkStatus();
    const std::vector<grpc::string_ref> pem =
        context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (pem.size() != 1) return absl::UnauthenticatedError("the peer shows no certificate");
    const auto certificate = known_certificates_.Find(View(pem.front()));
    if (!certificate.ok()) return absl::UnauthenticatedError(certificate.status().message());
    if (check_(*certificate).ok()) return absl::OkStatus();
    return absl::UnauthenticatedError("the peer's certificate is not trusted any more");
  }

  absl::Status Check(std::string_view method, const tls::SpiffeId& peer,
                     const InputMetadata& metadata, std::optional<UserCaller>& user) const {
    const auto need = table_.Check(method, peer);
    if (!need.ok()) return need.status();
    if (peer.role != tls::Role::kPortal) return absl::OkStatus();
    const absl::StatusOr<std::string_view> token = BearerToken(metadata);
    if (!token.ok()) return token.status();
    if (token->empty()) {
      return need->has_value() ? absl::UnauthenticatedError("a user's token is needed")
                               : absl::OkStatus();
    }
    absl::StatusOr<UserCaller> caller = check_user_(*token);
    if (!caller.ok()) return caller.status();
    user = *std::move(caller);
    return need->has_value() ? CheckNeed(*user, **need) : absl::OkStatus();
  }

  const MethodTable table_;
  const std::string trust_domain_;
  const tls::RevocationCheck check_;
  const CheckUser check_user_;
  const OnCall on_call_;
  KnownCertificates known_certificates_;
};

}  // namespace

MethodTable::MethodTable(std::vector<MethodRow> rows) {
  for (MethodRow& row : rows) {
    std::string method = row.method;
    rows_.emplace(std::move(method), std::move(row));
  }
}

absl::StatusOr<std::optional<UserNeed>> MethodTable::Check(std::string_view method,
                                                           const tls::SpiffeId& peer) const {
  const auto row = rows_.find(method);
  if (row == rows_.end()) return absl::UnimplementedError("no such method");
  if (row->second.roles.contains(peer.role)) return std::optional<UserNeed>();
  if (peer.role == tls::Role::kPortal && row->second.portal_user != UserNeed::kNoPortal) {
    return std::optional<UserNeed>(row->second.portal_user);
  }
  return absl::PermissionDeniedError(
      StrCat("role ", tls::RoleName(peer.role), " may not call ", method));
}

std::vector<std::string> MethodTable::Methods() const {
  std::vector<std::string> methods;
  for (const auto& row : rows_) methods.push_back(row.first);
  return methods;
}

absl::StatusOr<tls::SpiffeId> PeerId(const grpc::AuthContext& context,
                                     std::string_view trust_domain) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(kSpiffeIdProperty);
  if (values.size() != 1) {
    return absl::PermissionDeniedError("the certificate does not name exactly one SPIFFE id");
  }
  absl::StatusOr<tls::SpiffeId> id = tls::SpiffeId::Parse(View(values.front()));
  if (!id.ok()) return absl::PermissionDeniedError("the certificate's SPIFFE id has no known role");
  if (id->trust_domain != trust_domain) {
    return absl::PermissionDeniedError("the certificate is of another trust domain");
  }
  return id;
}

std::string PeerName(const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(kSpiffeIdProperty);
  if (values.size() != 1) return "unknown";
  const absl::StatusOr<tls::SpiffeId> id = tls::SpiffeId::Parse(View(values.front()));
  return id.ok() ? id->Path() : "unknown";
}

std::shared_ptr<grpc::AuthMetadataProcessor> MakeAuthorizer(MethodTable table,
                                                            std::string trust_domain,
                                                            tls::RevocationCheck check,
                                                            CheckUser check_user, OnCall on_call) {
  return std::make_shared<Authorizer>(std::move(table), std::move(trust_domain), std::move(check),
                                      std::move(check_user), std::move(on_call));
}

}  // namespace postern::rpc
