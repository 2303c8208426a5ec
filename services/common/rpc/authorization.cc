#include "services/common/rpc/authorization.h"

#include <utility>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"

namespace postern::rpc {
namespace {

constexpr char kSpiffeIdProperty[] = "peer_spiffe_id";
constexpr char kPathKey[] = ":path";

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

class Authorizer final : public grpc::AuthMetadataProcessor {
 public:
  Authorizer(MethodTable table, std::string trust_domain, OnDenied on_denied)
      : table_(std::move(table)),
        trust_domain_(std::move(trust_domain)),
        on_denied_(std::move(on_denied)) {}

  // The check is a look-up in memory: no thread per call.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(kPathKey);
    const std::string_view method =
        path == metadata.end() ? std::string_view() : View(path->second);
    const absl::StatusOr<tls::SpiffeId> peer = PeerId(*context, trust_domain_);
    const grpc::Status status = peer.ok() ? table_.Check(method, *peer) : ToGrpc(peer.status());
    if (!status.ok()) on_denied_(method, peer.ok() ? peer->ToString() : std::string(), status);
    return status;
  }

 private:
  const MethodTable table_;
  const std::string trust_domain_;
  const OnDenied on_denied_;
};

}  // namespace

MethodTable::MethodTable(std::map<std::string, std::set<tls::Role>> rows) {
  for (auto& [method, roles] : rows) rows_.emplace(method, std::move(roles));
}

grpc::Status MethodTable::Check(std::string_view method, const tls::SpiffeId& peer) const {
  const auto row = rows_.find(method);
  if (row == rows_.end()) return {grpc::StatusCode::UNIMPLEMENTED, "no such method"};
  if (row->second.contains(peer.role)) return grpc::Status::OK;
  return {grpc::StatusCode::PERMISSION_DENIED,
          StrCat("role ", tls::RoleName(peer.role), " may not call ", method)};
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
                                                            OnDenied on_denied) {
  return std::make_shared<Authorizer>(std::move(table), std::move(trust_domain),
                                      std::move(on_denied));
}

}  // namespace postern::rpc
