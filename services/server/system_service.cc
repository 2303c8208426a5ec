#include "services/server/system_service.h"

#include "services/common/base/time.h"
#include "services/common/base/version.h"
#include "services/common/db/migrations.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/server/limits.h"

namespace postern::server {
namespace {

constexpr char kSelectVersion[] = "SELECT VERSION()";
constexpr char kSelectSizes[] =
    "SELECT table_name, table_rows, data_length, index_length FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    " ORDER BY data_length + index_length DESC, table_name";

v1::CheckState StateOf(http::Check::State state) {
  switch (state) {
    case http::Check::State::kPass:
      return v1::CHECK_STATE_PASS;
    case http::Check::State::kWarn:
      return v1::CHECK_STATE_WARN;
    default:
      return v1::CHECK_STATE_FAIL;
  }
}

absl::Status Fill(db::Connection& connection, v1::GetDatabaseStatusResponse& response) {
  absl::Status status = connection.Query(kSelectVersion, {}, [&response](const db::Row& row) {
    response.set_version(row.String(0));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  status = connection.Query(kSelectSizes, {}, [&response](const db::Row& row) {
    v1::TableSize& table = *response.add_tables();
    table.set_name(row.String(0));
    table.set_rows(row.Int(1));
    table.set_data_bytes(row.Int(2));
    table.set_index_bytes(row.Int(3));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const auto applied = db::ReadAppliedMigrations(connection);
  if (!applied.ok()) return applied.status();
  for (const db::AppliedMigration& one : *applied) {
    v1::Migration& migration = *response.add_migrations();
    migration.set_version(static_cast<std::int32_t>(one.version));
    migration.set_name(one.name);
    migration.set_applied_at_us(one.applied_at_us);
  }
  return absl::OkStatus();
}

}  // namespace

void SeenPeers::Note(const tls::SpiffeId& peer) {
  std::string path = peer.Path();
  const std::int64_t now_us = NowMicros();
  const std::lock_guard lock(mutex_);
  const auto known = last_seen_us_.find(path);
  if (known != last_seen_us_.end()) {
    known->second = now_us;
  } else if (last_seen_us_.size() < kSeenPeersMax) {
    last_seen_us_.emplace(std::move(path), now_us);
  }
}

std::vector<v1::SeenPeer> SeenPeers::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<v1::SeenPeer> peers;
  for (const auto& [path, at_us] : last_seen_us_) {
    const std::size_t slash = path.find('/');
    v1::SeenPeer& peer = peers.emplace_back();
    peer.set_role(path.substr(0, slash));
    peer.set_name(path.substr(slash + 1));
    peer.set_last_seen_at_us(at_us);
  }
  return peers;
}

SystemService::SystemService(std::string server_name, db::Executor& database,
                             const SeenPeers& peers,
                             std::function<std::vector<http::Check>()> checks)
    : server_name_(std::move(server_name)),
      started_at_us_(NowMicros()),
      database_(database),
      peers_(peers),
      checks_(std::move(checks)) {}

grpc::ServerUnaryReactor* SystemService::GetSystemStatus(grpc::CallbackServerContext* context,
                                                         const v1::GetSystemStatusRequest*,
                                                         v1::GetSystemStatusResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  response->set_server_name(server_name_);
  response->set_version(std::string(Version()));
  response->set_started_at_us(started_at_us_);
  for (const http::Check& check : checks_()) {
    v1::ComponentCheck& shown = *response->add_checks();
    shown.set_name(check.name);
    shown.set_state(StateOf(check.state));
    shown.set_detail(check.detail);
  }
  for (v1::SeenPeer& peer : peers_.List()) *response->add_peers() = std::move(peer);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* SystemService::GetDatabaseStatus(
    grpc::CallbackServerContext* context, const v1::GetDatabaseStatusRequest*,
    v1::GetDatabaseStatusResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto work = [reactor, response](absl::StatusOr<db::Connection*> connection) {
    reactor->Finish(
        rpc::ToGrpc(connection.ok() ? Fill(**connection, *response) : connection.status()));
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kDatabaseStatusTimeout), std::move(work))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"});
  }
  return reactor;
}

}  // namespace postern::server
