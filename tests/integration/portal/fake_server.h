#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "postern/v1/audit_service.pb.h"
#include "postern/v1/client_service.pb.h"
#include "postern/v1/message_service.pb.h"
#include "postern/v1/user_service.pb.h"
#include "services/common/tls/settings.h"

namespace postern::portal::test {

// The main server as a portal sees it, over mutual TLS: every service, with one of each thing to
// show, and states in the test's hand that a real one hardly gets into. Thread-safe.
//
// `ada@example.org` is an administrator, `bob@example.org` a user, `eve@example.org` has a one-time
// password; each one's password is kPassword.
class FakeServer {
 public:
  static constexpr const char* kPassword = "correct horse battery";
  static constexpr const char* kMessageId = "018f2f6e-7c00-7000-8000-000000000001";

  explicit FakeServer(tls::Files files);
  ~FakeServer();

  // Starts, the second time on the same port. Throws when that fails.
  void Start();
  void Stop();
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  // How long access tokens last from now on.
  void SetAccessLife(std::int64_t micros) { access_life_us_ = micros; }
  // From now on no token is good, as after a logout elsewhere.
  void EndSessions();
  // The next call of a method, such as `GetOverview`, gets this answer instead.
  void FailNext(const std::string& method, grpc::Status status);
  // What the body of the one message is.
  void SetBody(const std::string& body);
  void SetUserName(const std::string& name);
  // Counts messages up, so that the overview is another one.
  void Accept() { ++accepted_; }

  // Of calls that came in, with their request as text where a test asks for it.
  int calls(const std::string& method) const;
  v1::ListMessagesRequest last_list() const;
  v1::CreateUserRequest last_user() const;
  v1::LoginRequest last_login() const;
  v1::SetClientLimitsRequest last_limits() const;
  v1::ReportRefusalRequest last_refusal() const;

  // --- For the services.
  // OK, or why a call is refused: what FailNext said, or a token that is missing or wrong.
  grpc::Status Admit(const grpc::ServerContext& context, const std::string& method, bool admin);
  grpc::Status AdmitWithoutToken(const grpc::ServerContext& context, const std::string& method);
  grpc::Status AdmitWithOrWithoutToken(const grpc::ServerContext& context,
                                       const std::string& method);
  v1::User UserOf(const std::string& email) const;
  v1::SessionTokens NewTokens(const std::string& email);
  // The user of a refresh token; empty when there is none.
  std::string TakeRefreshToken(const std::string& token);
  v1::Message MakeMessage(bool full) const;
  void Note(const v1::ListMessagesRequest& request);
  void Note(const v1::CreateUserRequest& request);
  void Note(const v1::LoginRequest& request);
  void Note(const v1::SetClientLimitsRequest& request);
  void Note(const v1::ReportRefusalRequest& request);
  int accepted() const { return accepted_; }

 private:
  grpc::Status Counted(const std::string& method);

  const tls::Files files_;
  int port_ = 0;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;

  std::atomic<std::int64_t> access_life_us_{600'000'000};
  std::atomic<int> accepted_{1'234};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> access_tokens_;   // To the e-mail.
  std::map<std::string, std::string> refresh_tokens_;  // To the e-mail.
  std::map<std::string, grpc::Status> failures_;
  std::map<std::string, int> calls_;
  std::string body_ = "Hello";
  std::string bob_ = "Bob";
  v1::ListMessagesRequest last_list_;
  v1::CreateUserRequest last_user_;
  v1::LoginRequest last_login_;
  v1::SetClientLimitsRequest last_limits_;
  v1::ReportRefusalRequest last_refusal_;
  int made_ = 0;
};

// One of each service.
std::vector<std::unique_ptr<grpc::Service>> MakeServices(FakeServer& server);

}  // namespace postern::portal::test
