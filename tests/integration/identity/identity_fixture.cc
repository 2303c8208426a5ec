#include "tests/integration/identity/identity_fixture.h"

#include <chrono>

#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"
#include "services/common/rpc/credentials.h"

namespace postern::identity {
namespace {

using namespace std::chrono_literals;

// Fast hashes: what they cost is not what is tested.
constexpr int kTestCost = 4;

struct Stores {
  test::TestCertificates certificates;
  std::unique_ptr<test::MariaDbServer> mariadb;
};
Stores* stores = nullptr;

class StoresEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    db::InitializeDriver();
    stores_ = std::make_unique<Stores>();
    auto mariadb = test::MariaDbServer::Start(stores_->certificates.Leaf("server", "stores"));
    ASSERT_TRUE(mariadb.ok()) << mariadb.status();
    stores_->mariadb = *std::move(mariadb);
    stores = stores_.get();
  }
  void TearDown() override { stores_.reset(); }

 private:
  std::unique_ptr<Stores> stores_;
};
const auto* const kStores = ::testing::AddGlobalTestEnvironment(new StoresEnvironment);

crypto::Aead WrapperAead() { return *crypto::Aead::Create(std::string(32, 'w')); }

}  // namespace

absl::StatusOr<v1::WrappedDataKey> TestWrapper::Wrap(const Uuid& id,
                                                     const crypto::Secret& secret) const {
  v1::WrappedDataKey wrapped;
  wrapped.set_master_key_version(version_);
  wrapped.set_ciphertext(WrapperAead().Seal(secret.view(), id.bytes()));
  return wrapped;
}

absl::StatusOr<crypto::Secret> TestWrapper::Unwrap(const Uuid& id,
                                                   const v1::WrappedDataKey& wrapped) const {
  const auto opened = WrapperAead().Open(wrapped.ciphertext(), id.bytes());
  if (!opened.ok()) return absl::UnavailableError("does not open");
  return crypto::Secret(*opened);
}

TestServer::TestServer(const db::Settings& database, test::TestCertificates& certificates)
    : certificates_(certificates),
      database_(database, 2, 64, metrics_),
      directory_(database_, wrapper_, test::TestCertificates::kTrustDomain, metrics_),
      sessions_(
          database_, hashers_, directory_, kTestCost, [this](const std::string&) { ++throttled_; },
          metrics_),
      service_(database_, directory_, sessions_),
      rpc_(test::TestCertificates::kTrustDomain, metrics_, [this] {
        server::RpcServer::Hooks hooks;
        hooks.check_user = [this](std::string_view token) { return directory_.Check(token); };
        return hooks;
      }()) {
  auto connection = db::Connection::Open(database);
  EXPECT_TRUE(connection.ok()) << connection.status();
  upkeep_ = std::make_unique<IdentityUpkeep>(database, wrapper_, [this] { directory_.Nudge(); });
  absl::Status started = upkeep_->Start(**connection);
  EXPECT_TRUE(started.ok()) << started;
  started = directory_.Start();
  EXPECT_TRUE(started.ok()) << started;
  started =
      rpc_.Start("127.0.0.1", 0, certificates.Leaf("server", "server-1"), nullptr, {&service_});
  EXPECT_TRUE(started.ok()) << started;
}

TestServer::~TestServer() {
  directory_.Stop();
  rpc_.Shutdown(5s);
  upkeep_->Stop();
  hashers_.Stop();
  database_.Stop();
}

std::shared_ptr<grpc::Channel> TestServer::ChannelAs(const std::string& role) {
  rpc::ChannelSettings settings;
  settings.target = StrCat("localhost:", rpc_.port());
  settings.files = certificates_.Leaf(role, role + "-1");
  settings.trust_domain = test::TestCertificates::kTrustDomain;
  auto channel = rpc::Channel(settings);
  EXPECT_TRUE(channel.ok()) << channel.status();
  return *channel;
}

std::unique_ptr<v1::UserService::Stub> TestServer::StubAs(const std::string& role) {
  return v1::UserService::NewStub(ChannelAs(role));
}

std::unique_ptr<grpc::ClientContext> Call(const std::string& access_token) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + 10s);
  if (!access_token.empty()) context->AddMetadata("authorization", "Bearer " + access_token);
  return context;
}

test::TestCertificates& IdentityTest::certificates() { return stores->certificates; }

void IdentityTest::SetUp() {
  auto schema = stores->mariadb->CreateMigratedSchema();
  ASSERT_TRUE(schema.ok()) << schema.status();
  settings_ = stores->mariadb->SettingsFor("postern_server", *schema);
  auto connection = db::Connection::Open(settings_);
  ASSERT_TRUE(connection.ok()) << connection.status();
  connection_ = *std::move(connection);
  server_ = std::make_unique<TestServer>(settings_, stores->certificates);
  operator_ = server_->StubAs("operator");
  portal_ = server_->StubAs("portal");
}

void IdentityTest::MakeClient(const std::string& client_id) {
  Run(StrCat("INSERT INTO clients (client_id, domain, state, revision, created_at_us) VALUES ('",
             client_id, "', 'example.com', 1, 1, 1)"));
}

v1::User IdentityTest::MakeUser(const std::string& email, v1::UserRole role,
                                const std::vector<std::string>& clients) {
  v1::CreateUserRequest request;
  request.set_email(email);
  request.set_name("Somebody");
  request.set_role(role);
  for (const std::string& client : clients) request.add_client_ids(client);
  v1::CreateUserResponse created;
  grpc::Status status = operator_->CreateUser(Call().get(), request, &created);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::LoginResponse login;
  status = TryLogin(email, created.one_time_password(), &login);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::ChangePasswordRequest change;
  change.set_current_password(created.one_time_password());
  change.set_new_password(kPassword);
  v1::ChangePasswordResponse changed;
  status = portal_->ChangePassword(Call(login.tokens().access_token()).get(), change, &changed);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return changed.user();
}

grpc::Status IdentityTest::TryLogin(const std::string& email, const std::string& password,
                                    v1::LoginResponse* response, const std::string& address,
                                    std::string* retry_after) {
  v1::LoginRequest request;
  request.set_email(email);
  request.set_password(password);
  request.set_address(address);
  request.set_user_agent("test browser");
  const auto context = Call();
  const grpc::Status status = portal_->Login(context.get(), request, response);
  if (retry_after != nullptr) {
    const auto& trailers = context->GetServerTrailingMetadata();
    const auto found = trailers.find("retry-after");
    *retry_after = found == trailers.end()
                       ? std::string()
                       : std::string(found->second.data(), found->second.size());
  }
  return status;
}

v1::LoginResponse IdentityTest::Login(const std::string& email, const std::string& address) {
  v1::LoginResponse response;
  const grpc::Status status = TryLogin(email, kPassword, &response, address);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

grpc::Status IdentityTest::Profile(const std::string& access_token,
                                   v1::GetProfileResponse* response, v1::UserService::Stub* stub) {
  return (stub == nullptr ? portal_.get() : stub)
      ->GetProfile(Call(access_token).get(), v1::GetProfileRequest(), response);
}

grpc::Status IdentityTest::Refresh(const std::string& refresh_token,
                                   v1::RefreshSessionResponse* response) {
  v1::RefreshSessionRequest request;
  request.set_refresh_token(refresh_token);
  return portal_->RefreshSession(Call().get(), request, response);
}

std::vector<std::string> IdentityTest::Audited(const std::string& action) {
  std::vector<std::string> rows;
  const absl::Status status = connection_->Query(
      "SELECT actor, target, outcome FROM audit_log WHERE action = ? ORDER BY sequence",
      {std::string_view(action)}, [&rows](const db::Row& row) {
        rows.push_back(
            StrCat(row.String(0), " ", row.String(1), " ", row.Int(2) == 1 ? "done" : "refused"));
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

void IdentityTest::Run(const std::string& sql) {
  const auto done = connection_->Execute(sql);
  EXPECT_TRUE(done.ok()) << done.status();
}

}  // namespace postern::identity
