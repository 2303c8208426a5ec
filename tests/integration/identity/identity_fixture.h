#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "postern/v1/user_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/common/exec/bounded_executor.h"
#include "services/common/metrics/metrics.h"
#include "services/identity/identity_upkeep.h"
#include "services/identity/sessions.h"
#include "services/identity/user_directory.h"
#include "services/identity/user_service.h"
#include "services/server/rpc_server.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/test_certificates.h"

namespace postern::identity {

// Wraps with a key of its own instead of the master key.
class TestWrapper final : public SecretWrapper {
 public:
  std::uint32_t version() const override { return version_; }
  absl::StatusOr<v1::WrappedDataKey> Wrap(const Uuid& id,
                                          const crypto::Secret& secret) const override;
  absl::StatusOr<crypto::Secret> Unwrap(const Uuid& id,
                                        const v1::WrappedDataKey& wrapped) const override;
  void Rotate() { ++version_; }

 private:
  std::uint32_t version_ = 1;
};

// One main server's identities behind its gRPC port: mutual TLS and the method table in front.
class TestServer {
 public:
  TestServer(const db::Settings& database, test::TestCertificates& certificates);
  ~TestServer();

  // As `role` with its certificate.
  std::unique_ptr<v1::UserService::Stub> StubAs(const std::string& role);
  std::shared_ptr<grpc::Channel> ChannelAs(const std::string& role);
  TestWrapper& wrapper() { return wrapper_; }
  UserDirectory& directory() { return directory_; }
  IdentityUpkeep& upkeep() { return *upkeep_; }
  int throttled() const { return throttled_; }

 private:
  test::TestCertificates& certificates_;
  metrics::Registry metrics_{"test"};
  TestWrapper wrapper_;
  db::Executor database_;
  exec::BoundedExecutor hashers_{"hashers", 1, 32};
  UserDirectory directory_;
  std::atomic<int> throttled_{0};
  Sessions sessions_;
  UserService service_;
  std::unique_ptr<IdentityUpkeep> upkeep_;
  server::RpcServer rpc_;
};

class IdentityTest : public ::testing::Test {
 protected:
  void SetUp() override;

  TestServer& server() { return *server_; }
  v1::UserService::Stub& operators() { return *operator_; }
  v1::UserService::Stub& portal() { return *portal_; }
  db::Connection& database() { return *connection_; }
  const db::Settings& settings() const { return settings_; }
  test::TestCertificates& certificates();

  // Makes a user with a password of their own; both through the service.
  v1::User MakeUser(const std::string& email, v1::UserRole role,
                    const std::vector<std::string>& clients = {});
  void MakeClient(const std::string& client_id);

  grpc::Status TryLogin(const std::string& email, const std::string& password,
                        v1::LoginResponse* response, const std::string& address = "192.0.2.1",
                        std::string* retry_after = nullptr);
  // Of a user made by MakeUser.
  v1::LoginResponse Login(const std::string& email, const std::string& address = "192.0.2.1");
  grpc::Status Profile(const std::string& access_token, v1::GetProfileResponse* response,
                       v1::UserService::Stub* stub = nullptr);
  grpc::Status Refresh(const std::string& refresh_token, v1::RefreshSessionResponse* response);
  // What the audit log holds of an action: `actor target outcome`, by sequence.
  std::vector<std::string> Audited(const std::string& action);
  void Run(const std::string& sql);
  // Makes the times that failed logins have to wait so long that a slow machine does not matter.
  void Lengthen() {
    Run("UPDATE login_throttle SET next_at_us = next_at_us + 60000000 WHERE next_at_us > 0");
  }

  static constexpr char kPassword[] = "correct horse battery";

 private:
  db::Settings settings_;
  std::unique_ptr<TestServer> server_;
  std::unique_ptr<v1::UserService::Stub> operator_;
  std::unique_ptr<v1::UserService::Stub> portal_;
  std::unique_ptr<db::Connection> connection_;
};

// A call's context: with a deadline, and with the user's token.
std::unique_ptr<grpc::ClientContext> Call(const std::string& access_token = "");

}  // namespace postern::identity
