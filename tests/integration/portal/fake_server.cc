#include "tests/integration/portal/fake_server.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/rpc/credentials.h"

namespace postern::portal::test {
namespace {

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;

std::string BearerOf(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const std::string value(found->second.data(), found->second.size());
  return value.starts_with("Bearer ") ? value.substr(7) : std::string();
}

}  // namespace

FakeServer::FakeServer(tls::Files files)
    : files_(std::move(files)), services_(MakeServices(*this)) {}

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Start() {
  auto credentials = rpc::ServerCredentials(files_);
  if (!credentials.ok()) throw std::runtime_error(credentials.status().ToString());
  grpc::ServerBuilder builder;
  rpc::SetServerLimits(builder);
  builder.AddListeningPort(target(), *credentials, &port_);
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) throw std::runtime_error("the fake server did not start");
}

void FakeServer::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server_->Wait();
  server_.reset();
}

void FakeServer::EndSessions() {
  const std::lock_guard lock(mutex_);
  access_tokens_.clear();
  refresh_tokens_.clear();
}

void FakeServer::FailNext(const std::string& method, grpc::Status status) {
  const std::lock_guard lock(mutex_);
  failures_[method] = std::move(status);
}

void FakeServer::SetBody(const std::string& body) {
  const std::lock_guard lock(mutex_);
  body_ = body;
}

void FakeServer::SetUserName(const std::string& name) {
  const std::lock_guard lock(mutex_);
  bob_ = name;
}

int FakeServer::calls(const std::string& method) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(method);
  return found == calls_.end() ? 0 : found->second;
}

v1::ListMessagesRequest FakeServer::last_list() const {
  const std::lock_guard lock(mutex_);
  return last_list_;
}

v1::CreateUserRequest FakeServer::last_user() const {
  const std::lock_guard lock(mutex_);
  return last_user_;
}

v1::LoginRequest FakeServer::last_login() const {
  const std::lock_guard lock(mutex_);
  return last_login_;
}

v1::SetClientLimitsRequest FakeServer::last_limits() const {
  const std::lock_guard lock(mutex_);
  return last_limits_;
}

v1::ReportRefusalRequest FakeServer::last_refusal() const {
  const std::lock_guard lock(mutex_);
  return last_refusal_;
}

void FakeServer::Note(const v1::ListMessagesRequest& request) {
  const std::lock_guard lock(mutex_);
  last_list_ = request;
}

void FakeServer::Note(const v1::CreateUserRequest& request) {
  const std::lock_guard lock(mutex_);
  last_user_ = request;
}

void FakeServer::Note(const v1::LoginRequest& request) {
  const std::lock_guard lock(mutex_);
  last_login_ = request;
}

void FakeServer::Note(const v1::SetClientLimitsRequest& request) {
  const std::lock_guard lock(mutex_);
  last_limits_ = request;
}

void FakeServer::Note(const v1::ReportRefusalRequest& request) {
  const std::lock_guard lock(mutex_);
  last_refusal_ = request;
}

grpc::Status FakeServer::Counted(const std::string& method) {
  ++calls_[method];
  const auto failure = failures_.find(method);
  if (failure == failures_.end()) return grpc::Status::OK;
  grpc::Status status = failure->second;
  failures_.erase(failure);
  return status;
}

grpc::Status FakeServer::AdmitWithoutToken(const grpc::ServerContext& context,
                                           const std::string& method) {
  const std::lock_guard lock(mutex_);
  if (!BearerOf(context).empty()) {
    return {grpc::StatusCode::UNAUTHENTICATED, "no token belongs here"};
  }
  return Counted(method);
}

grpc::Status FakeServer::AdmitWithOrWithoutToken(const grpc::ServerContext& context,
                                                 const std::string& method) {
  return BearerOf(context).empty() ? AdmitWithoutToken(context, method)
                                   : Admit(context, method, /*admin=*/false);
}

grpc::Status FakeServer::Admit(const grpc::ServerContext& context, const std::string& method,
                               bool admin) {
  const std::string token = BearerOf(context);
  std::string email;
  {
    const std::lock_guard lock(mutex_);
    const grpc::Status status = Counted(method);
    if (!status.ok()) return status;
    const auto found = access_tokens_.find(token);
    if (found == access_tokens_.end()) return {grpc::StatusCode::UNAUTHENTICATED, "no such token"};
    email = found->second;
  }
  if (admin && UserOf(email).role() != v1::USER_ROLE_ADMIN) {
    return {grpc::StatusCode::PERMISSION_DENIED, "for administrators"};
  }
  return grpc::Status::OK;
}

v1::User FakeServer::UserOf(const std::string& email) const {
  const std::lock_guard lock(mutex_);
  v1::User user;
  const bool admin = email == "ada@example.org";
  user.set_id(admin ? 1 : email == "bob@example.org" ? 2 : 3);
  user.set_email(email);
  user.set_name(admin ? "Ada" : email == "bob@example.org" ? bob_ : "Eve");
  user.set_role(admin ? v1::USER_ROLE_ADMIN : v1::USER_ROLE_USER);
  user.set_state(v1::USER_STATE_ACTIVE);
  if (!admin) user.add_client_ids("acme");
  user.set_must_change_password(email == "eve@example.org");
  user.set_created_at_us(NowMicros() - 100 * 24 * kHour);
  user.set_last_login_at_us(NowMicros() - kHour);
  user.set_password_changed_at_us(NowMicros() - 50 * 24 * kHour);
  return user;
}

v1::SessionTokens FakeServer::NewTokens(const std::string& email) {
  const std::lock_guard lock(mutex_);
  v1::SessionTokens tokens;
  ++made_;
  tokens.set_access_token(StrCat("access-", made_));
  tokens.set_refresh_token(StrCat("refresh-", made_));
  tokens.set_access_expires_at_us(NowMicros() + access_life_us_);
  tokens.set_refresh_expires_at_us(NowMicros() + 12 * kHour);
  tokens.set_session_id("018f2f6e-7c00-7000-8000-0000000000aa");
  access_tokens_[tokens.access_token()] = email;
  refresh_tokens_[tokens.refresh_token()] = email;
  return tokens;
}

std::string FakeServer::TakeRefreshToken(const std::string& token) {
  const std::lock_guard lock(mutex_);
  const auto found = refresh_tokens_.find(token);
  if (found == refresh_tokens_.end()) return {};
  const std::string email = found->second;
  refresh_tokens_.erase(found);
  return email;
}

v1::Message FakeServer::MakeMessage(bool full) const {
  const std::lock_guard lock(mutex_);
  v1::Message message;
  const std::int64_t at_us = NowMicros() - 5 * 60 * std::int64_t{1'000'000};
  message.set_id(kMessageId);
  message.set_client_id("acme");
  message.set_domain("acme.example");
  message.set_client_ref("order-7");
  message.set_state(v1::MESSAGE_STATE_DEAD);
  message.set_epoch(2);
  message.set_attempts(3);
  message.set_reason("AUTHENTICATION_FAILED");
  message.set_accepted_at_us(at_us);
  message.set_durable_at_us(at_us + 1'200);
  message.set_registered_at_us(at_us + 51'000);
  message.set_sender_number(full ? "+14155550123" : "+1415*****23");
  message.set_metadata_json(R"({"campaign":"<b>spring</b>","count":3})");
  message.set_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  if (full) message.set_message_body(body_);
  return message;
}

}  // namespace postern::portal::test
