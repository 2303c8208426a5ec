#include "services/server/application.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

#include "postern/v1/audit_service.grpc.pb.h"
#include "postern/v1/delivery_service.grpc.pb.h"
#include "postern/v1/key_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "postern/v1/registration_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/envelope_cipher.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/rpc/credentials.h"
#include "tests/integration/rpc/raw_call.h"
#include "tests/support/eventually.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/test_certificates.h"

namespace postern::server {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// The stores of the program.
struct Stores {
  test::TestCertificates certificates;
  std::unique_ptr<test::MariaDbServer> mariadb;
  std::unique_ptr<test::RedisServer> redis;
};
Stores* stores = nullptr;

class StoresEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    db::InitializeDriver();
    stores_ = std::make_unique<Stores>();
    const tls::Files files = stores_->certificates.Leaf("server", "stores");
    auto mariadb = test::MariaDbServer::Start(files);
    ASSERT_TRUE(mariadb.ok()) << mariadb.status();
    stores_->mariadb = *std::move(mariadb);
    auto redis = test::RedisServer::Start(files);
    ASSERT_TRUE(redis.ok()) << redis.status();
    stores_->redis = *std::move(redis);
    stores = stores_.get();
  }
  void TearDown() override { stores_.reset(); }

 private:
  std::unique_ptr<Stores> stores_;
};
const auto* const kStores = ::testing::AddGlobalTestEnvironment(new StoresEnvironment);

std::string SecretFile(const std::string& name, const std::string& content) {
  std::string path = stores->certificates.folder() + "/" + name;
  std::ofstream(path) << content;
  chmod(path.c_str(), 0600);
  return path;
}

Settings SettingsFor(const std::string& schema) {
  Settings settings;
  settings.trust_domain = test::TestCertificates::kTrustDomain;
  settings.trust.managed = false;
  settings.ops_port = 0;
  settings.listen_port = 0;
  settings.mesh = stores->certificates.Leaf("server", "server-1");
  const db::Settings database = stores->mariadb->SettingsFor("postern_server", schema);
  settings.database.port = database.port;
  settings.database.schema = schema;
  settings.database.password_file = SecretFile("database_password", database.password);
  settings.database.ca_file = database.ca_file;
  settings.database.certificate_file = database.certificate_file;
  settings.database.key_file = database.key_file;
  settings.redis.port = stores->redis->port();
  settings.redis.password_file =
      SecretFile("redis_password", test::RedisServer::Password("server"));
  settings.redis.trust_file = stores->certificates.ca_file();
  settings.master_key_file = SecretFile("master.key", "1:" + std::string(64, 'a') + "\n");
  settings.index_key_file = SecretFile("index.key", std::string(64, 'b') + "\n");
  settings.audit_folder = StrCat(stores->certificates.folder(), "/audit-", schema);
  settings.migrations_folder = "deployment/migrations";
  return settings;
}

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + 10s);
  return context;
}

class ApplicationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = stores->mariadb->CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = SettingsFor(*schema);
  }
  void Start() {
    application_ = std::make_unique<Application>(settings_);
    const absl::Status started = application_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void TearDown() override {
    if (application_) application_->Stop();
  }

  std::shared_ptr<grpc::Channel> ChannelAs(const std::string& role) {
    rpc::ChannelSettings settings;
    settings.target = StrCat("localhost:", application_->rpc_port());
    settings.files = stores->certificates.Leaf(role, role + "-1");
    settings.trust_domain = test::TestCertificates::kTrustDomain;
    auto channel = rpc::Channel(settings);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }

  // As an edge makes it.
  v1::Envelope SealMessage() {
    auto stub = v1::KeyService::NewStub(ChannelAs("edge"));
    v1::CreateDataKeyResponse key;
    const grpc::Status status =
        stub->CreateDataKey(Context().get(), v1::CreateDataKeyRequest(), &key);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const Uuid key_id = *Uuid::FromBytes(key.data_key_id());
    auto aead = crypto::Aead::Create(key.plaintext_key());
    UuidV7Generator ids;
    const std::int64_t now_us = NowMicros();
    const Uuid id = ids.Next(now_us);
    v1::Envelope envelope;
    envelope.set_id(std::string(id.bytes()));
    envelope.set_client_id("acme");
    envelope.set_domain("example.com");
    envelope.set_data_key_id(key.data_key_id());
    *envelope.mutable_wrapped_data_key() = key.wrapped_data_key();
    const auto seal = [&](crypto::EnvelopeField field, std::string_view text) {
      return aead->Seal(text, crypto::EnvelopeAdditionalData(field, key_id, id, "acme"));
    };
    envelope.set_encrypted_body(seal(crypto::EnvelopeField::kBody, "hello there"));
    envelope.set_encrypted_number(seal(crypto::EnvelopeField::kNumber, "+14155550123"));
    envelope.set_accepted_at_us(now_us);
    return envelope;
  }

  static v1::QueuePosition Position() {
    v1::QueuePosition position;
    position.set_shard(redis::ShardOf("acme"));
    position.set_entry_id("1-1");
    return position;
  }

  v1::RegistrationResult Register(const v1::Envelope& envelope) {
    auto stub = v1::RegistrationService::NewStub(ChannelAs("edge"));
    v1::RegisterMessagesRequest request;
    v1::Registration& registration = *request.add_registrations();
    *registration.mutable_envelope() = envelope;
    *registration.mutable_position() = Position();
    registration.set_durable_at_us(NowMicros());
    v1::RegisterMessagesResponse response;
    const grpc::Status status = stub->RegisterMessages(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.outcomes_size() == 1 ? response.outcomes(0).result()
                                         : v1::REGISTRATION_RESULT_UNSPECIFIED;
  }

  v1::DeliveryOutcome Deliver(const v1::Envelope& envelope) {
    auto stub = v1::DeliveryService::NewStub(ChannelAs("worker"));
    v1::DeliverMessagesRequest request;
    v1::Delivery& delivery = *request.add_deliveries();
    *delivery.mutable_envelope() = envelope;
    *delivery.mutable_position() = Position();
    v1::DeliverMessagesResponse response;
    const grpc::Status status = stub->DeliverMessages(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.outcomes_size() == 1 ? response.outcomes(0) : v1::DeliveryOutcome();
  }

  v1::Message Get(const v1::Envelope& envelope, v1::MessageView view) {
    auto stub = v1::MessageService::NewStub(ChannelAs("operator"));
    v1::GetMessageRequest request;
    request.set_id(Uuid::FromBytes(envelope.id())->ToString());
    request.set_view(view);
    v1::GetMessageResponse response;
    const grpc::Status status = stub->GetMessage(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.message();
  }

  // 1 serving, 2 not serving, 0 no answer.
  static int Health(const std::shared_ptr<grpc::Channel>& channel) {
    const auto answer = test::RawCall(channel, "/grpc.health.v1.Health/Check", "");
    return answer.bytes.size() == 2 ? answer.bytes[1] : 0;
  }

  Settings settings_;
  std::unique_ptr<Application> application_;
};

TEST_F(ApplicationTest, AMessageIsRegisteredDeliveredAndReadDecrypted) {
  Start();
  const v1::Envelope envelope = SealMessage();
  EXPECT_EQ(Register(envelope), v1::REGISTRATION_RESULT_REGISTERED);
  const v1::DeliveryOutcome outcome = Deliver(envelope);
  EXPECT_EQ(outcome.result(), v1::DELIVERY_RESULT_DELIVERED) << outcome.reason();
  const v1::Message full = Get(envelope, v1::MESSAGE_VIEW_FULL);
  EXPECT_EQ(full.state(), v1::MESSAGE_STATE_DELIVERED);
  EXPECT_EQ(full.message_body(), "hello there");
  EXPECT_EQ(full.sender_number(), "+14155550123");
  const v1::Message basic = Get(envelope, v1::MESSAGE_VIEW_BASIC);
  EXPECT_EQ(basic.message_body(), "");
  EXPECT_EQ(basic.sender_number(), "+1415*****23");
}

TEST_F(ApplicationTest, AnAlteredMessageIsDeadAndOneOfAnUnknownKeyIsTriedAgain) {
  Start();
  v1::Envelope altered = SealMessage();
  altered.mutable_encrypted_body()->back() ^= 1;
  const v1::DeliveryOutcome dead = Deliver(altered);
  EXPECT_EQ(dead.result(), v1::DELIVERY_RESULT_DEAD);
  EXPECT_EQ(dead.reason(), "AUTHENTICATION_FAILED");
  v1::Envelope unknown = SealMessage();
  unknown.set_data_key_id(std::string(Uuid::Random().bytes()));
  const v1::DeliveryOutcome retry = Deliver(unknown);
  EXPECT_EQ(retry.result(), v1::DELIVERY_RESULT_RETRY);
  EXPECT_EQ(retry.reason(), "DATA_KEY_UNKNOWN");
}

TEST_F(ApplicationTest, ARefusalOfAuthorityIsAudited) {
  Start();
  auto workers = v1::KeyService::NewStub(ChannelAs("worker"));
  v1::CreateDataKeyResponse key;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(
        workers->CreateDataKey(Context().get(), v1::CreateDataKeyRequest(), &key).error_code(),
        StatusCode::PERMISSION_DENIED);
  }
  auto stub = v1::AuditService::NewStub(ChannelAs("operator"));
  v1::ListAuditRowsRequest request;
  request.set_actor("worker/worker-1");
  std::int64_t refused = 0;
  EXPECT_TRUE(test::Eventually([&] {
    v1::ListAuditRowsResponse response;
    if (!stub->ListAuditRows(Context().get(), request, &response).ok()) return false;
    refused = 0;
    for (const v1::AuditRow& row : response.rows()) {
      EXPECT_EQ(row.target(), "method/postern.v1.KeyService/CreateDataKey");
      EXPECT_EQ(row.outcome(), v1::AUDIT_OUTCOME_REFUSED);
      refused += std::stoll(row.details_json().substr(sizeof "{\"count\":"));
    }
    return refused == 3;
  })) << refused;
}

TEST_F(ApplicationTest, WhatAPortalRefusesIsAuditedAndOnlyPortalsMaySay) {
  Start();
  v1::ReportRefusalRequest report;
  report.set_method("POST");
  report.set_route("/login");
  report.set_reason(v1::REFUSAL_REASON_FORM);
  report.set_address("192.0.2.7");
  v1::ReportRefusalResponse nothing;
  const auto tell = [&](const char* role) {
    return v1::AuditService::NewStub(ChannelAs(role))
        ->ReportRefusal(Context().get(), report, &nothing)
        .error_code();
  };
  EXPECT_EQ(tell("portal"), StatusCode::OK);
  EXPECT_EQ(tell("edge"), StatusCode::PERMISSION_DENIED);
  report.set_route("not an address");
  EXPECT_EQ(tell("portal"), StatusCode::INVALID_ARGUMENT);
  report.set_route("/login");
  report.clear_reason();
  EXPECT_EQ(tell("portal"), StatusCode::INVALID_ARGUMENT);
  auto stub = v1::AuditService::NewStub(ChannelAs("operator"));
  v1::ListAuditRowsRequest request;
  request.set_action("page.open");
  v1::ListAuditRowsResponse response;
  ASSERT_TRUE(test::Eventually([&] {
    return stub->ListAuditRows(Context().get(), request, &response).ok() &&
           response.rows_size() > 0;
  }));
  ASSERT_EQ(response.rows_size(), 1);
  const v1::AuditRow& row = response.rows(0);
  EXPECT_EQ(row.actor(), "portal/portal-1");
  EXPECT_EQ(row.target(), "page/login");
  EXPECT_EQ(row.outcome(), v1::AUDIT_OUTCOME_REFUSED);
  EXPECT_EQ(row.details_json(),
            R"({"address":"192.0.2.7","count":"1","method":"POST","reason":"form"})");
}

TEST_F(ApplicationTest, WhatWasDeliveredCanBeReadAfterARestart) {
  Start();
  const v1::Envelope envelope = SealMessage();
  EXPECT_EQ(Deliver(envelope).result(), v1::DELIVERY_RESULT_DELIVERED);
  application_->Stop();
  Start();
  EXPECT_EQ(Get(envelope, v1::MESSAGE_VIEW_FULL).message_body(), "hello there");
}

TEST_F(ApplicationTest, HealthFollowsTheDatabase) {
  Start();
  const auto channel = ChannelAs("edge");
  ASSERT_TRUE(test::Eventually([&] { return Health(channel) == 1; }));
  stores->mariadb->Kill();
  EXPECT_TRUE(test::Eventually([&] { return Health(channel) == 2; }));
  auto stub = v1::KeyService::NewStub(channel);
  v1::CreateDataKeyResponse key;
  EXPECT_EQ(stub->CreateDataKey(Context().get(), v1::CreateDataKeyRequest(), &key).error_code(),
            StatusCode::UNAVAILABLE);
  const absl::Status again = stores->mariadb->StartAgain();
  ASSERT_TRUE(again.ok()) << again;
  EXPECT_TRUE(test::Eventually([&] { return Health(channel) == 1; }));
  // Each part of the server connects again by itself, at most once a second.
  EXPECT_TRUE(test::Eventually(
      [&] { return stub->CreateDataKey(Context().get(), v1::CreateDataKeyRequest(), &key).ok(); }));
  EXPECT_EQ(Deliver(SealMessage()).result(), v1::DELIVERY_RESULT_DELIVERED);
}

TEST_F(ApplicationTest, WorksWithoutRedis) {
  stores->redis->Stop();
  Start();
  EXPECT_EQ(Deliver(SealMessage()).result(), v1::DELIVERY_RESULT_DELIVERED);
  const absl::Status again = stores->redis->StartAgain();
  EXPECT_TRUE(again.ok()) << again;
}

TEST_F(ApplicationTest, RefusesToStartWithoutTheMigrationsAndNamesTheCommand) {
  const auto empty = stores->mariadb->CreateSchema();
  ASSERT_TRUE(empty.ok());
  Application application(SettingsFor(*empty));
  const absl::Status started = application.Start();
  EXPECT_EQ(started.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(ToStd(started.message())), HasSubstr("posternctl db migrate"));
  application.Stop();
}

TEST_F(ApplicationTest, ReportsEveryUnusableFileAtOnce) {
  settings_.database.password_file = "/nonexistent/password";
  settings_.redis.trust_file = "/nonexistent/ca.pem";
  settings_.master_key_file = SecretFile("bad.key", "1:short");
  Application application(settings_);
  const std::string message(ToStd(application.Start().message()));
  EXPECT_THAT(message, HasSubstr("database.password_file: "));
  EXPECT_THAT(message, HasSubstr("redis.trust_file: "));
  EXPECT_THAT(message, HasSubstr("keys.master_key_file: "));
  application.Stop();
}

TEST_F(ApplicationTest, AStopAnswersTheCallsInHand) {
  settings_.registration_hold = 1s;
  Start();
  const v1::Envelope envelope = SealMessage();
  const auto channel = ChannelAs("edge");
  auto stub = v1::RegistrationService::NewStub(channel);
  v1::RegisterMessagesRequest request;
  *request.add_registrations()->mutable_envelope() = envelope;
  *request.mutable_registrations(0)->mutable_position() = Position();
  request.mutable_registrations(0)->set_durable_at_us(NowMicros());
  v1::RegisterMessagesResponse response;
  const auto context = Context();
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto call = stub->AsyncRegisterMessages(context.get(), request, &queue);
  call->Finish(&response, &status, nullptr);
  // The server has the call once a later one of the same connection is answered.
  v1::CreateDataKeyResponse key;
  auto keys = v1::KeyService::NewStub(channel);
  ASSERT_TRUE(keys->CreateDataKey(Context().get(), v1::CreateDataKeyRequest(), &key).ok());
  application_->Stop();
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.outcomes_size(), 1);
  EXPECT_EQ(response.outcomes(0).result(), v1::REGISTRATION_RESULT_REGISTERED);
  queue.Shutdown();
  application_.reset();
}

}  // namespace
}  // namespace postern::server
