#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "postern/v1/system_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/common/http/ops_server.h"
#include "services/common/tls/identity.h"

namespace postern::server {

// Which programs called this server, and when last. Thread-safe.
class SeenPeers {
 public:
  void Note(const tls::SpiffeId& peer);
  // By role and name.
  std::vector<v1::SeenPeer> List() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t> last_seen_us_;  // By `<role>/<name>`; bounded.
};

// gRPC adapter of what an administrator wants to know of this server and its database.
class SystemService final : public v1::SystemService::CallbackService {
 public:
  // What outlives the server that this service is registered with.
  SystemService(std::string server_name, db::Executor& database, const SeenPeers& peers,
                std::function<std::vector<http::Check>()> checks);

  grpc::ServerUnaryReactor* GetSystemStatus(grpc::CallbackServerContext* context,
                                            const v1::GetSystemStatusRequest* request,
                                            v1::GetSystemStatusResponse* response) override;
  grpc::ServerUnaryReactor* GetDatabaseStatus(grpc::CallbackServerContext* context,
                                              const v1::GetDatabaseStatusRequest* request,
                                              v1::GetDatabaseStatusResponse* response) override;

 private:
  const std::string server_name_;
  const std::int64_t started_at_us_;
  db::Executor& database_;
  const SeenPeers& peers_;
  const std::function<std::vector<http::Check>()> checks_;
};

}  // namespace postern::server
