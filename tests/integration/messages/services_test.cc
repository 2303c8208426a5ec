#include <grpcpp/grpcpp.h>

#include <optional>
#include <set>

#include "services/common/crypto/hash.h"
#include "services/common/db/executor.h"
#include "services/common/exec/bounded_executor.h"
#include "services/messages/delivery_service.h"
#include "services/messages/message_service.h"
#include "services/messages/queue_client.h"
#include "services/messages/registration_service.h"
#include "tests/integration/messages/register_fixture.h"

namespace postern::messages {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// The three services behind a gRPC port without TLS; the caller's role is the test's to say.
class ServicesTest : public RegisterTest {
 protected:
  void SetUp() override {
    RegisterTest::SetUp();
    writer_ = MakeWriter();
    const EnvelopeReaderFactory readers = [] { return std::make_unique<FakeReader>(); };
    openers_ = std::make_unique<exec::BoundedExecutor>("openers", 1, 100);
    database_ = std::make_unique<db::Executor>(Server().SettingsFor("postern_server", schema_), 2,
                                               100, metrics_);
    queue_ = std::make_unique<QueueClient>(redis::Settings{});
    Ledger::Settings accounting;
    ledger_ = std::make_unique<Ledger>(accounting, *queue_, metrics_);
    registrations_service_ = std::make_unique<RegistrationService>(*writer_);
    deliveries_service_ = std::make_unique<DeliveryService>(*writer_, *openers_, readers, metrics_);
    messages_service_ = std::make_unique<MessageService>(
        *database_, *ledger_, readers,
        [](std::string_view number) { return crypto::Sha256(number); }, metrics_,
        [this](const grpc::ServerContextBase&) -> absl::StatusOr<rpc::Caller> {
          return rpc::Caller{role_, user_};
        });
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(registrations_service_.get());
    builder.RegisterService(deliveries_service_.get());
    builder.RegisterService(messages_service_.get());
    grpc_ = builder.BuildAndStart();
    auto channel =
        grpc::CreateChannel(StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    registrations_stub_ = v1::RegistrationService::NewStub(channel);
    deliveries_stub_ = v1::DeliveryService::NewStub(channel);
    messages_stub_ = v1::MessageService::NewStub(channel);
  }
  void TearDown() override {
    grpc_->Shutdown(std::chrono::system_clock::now() + 5s);
    openers_->Stop();
    writer_->Stop();
    database_->Stop();
  }

  static void Limit(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + 20s);
  }
  v1::DeliverMessagesResponse Send(const std::vector<v1::Envelope>& envelopes) {
    v1::DeliverMessagesRequest request;
    for (const v1::Envelope& envelope : envelopes) {
      v1::Delivery& delivery = *request.add_deliveries();
      *delivery.mutable_envelope() = envelope;
      *delivery.mutable_position() = PositionOf(envelope);
    }
    grpc::ClientContext context;
    Limit(context);
    v1::DeliverMessagesResponse response;
    const grpc::Status status = deliveries_stub_->DeliverMessages(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Get(const v1::GetMessageRequest& request, v1::Message* out = nullptr) {
    grpc::ClientContext context;
    Limit(context);
    v1::GetMessageResponse response;
    const grpc::Status status = messages_stub_->GetMessage(&context, request, &response);
    if (out != nullptr) *out = response.message();
    return status;
  }
  grpc::Status List(const v1::ListMessagesRequest& request, v1::ListMessagesResponse* response) {
    grpc::ClientContext context;
    Limit(context);
    return messages_stub_->ListMessages(&context, request, response);
  }

  // As a portal calls for them.
  void BecomeUser(bool admin, std::set<std::string> clients) {
    role_ = tls::Role::kPortal;
    user_.emplace();
    user_->email = "ann@example.com";
    user_->admin = admin;
    user_->clients = std::make_shared<const std::set<std::string>>(std::move(clients));
  }
  std::vector<std::string> Ids(const v1::ListMessagesRequest& request) {
    v1::ListMessagesResponse response;
    const grpc::Status status = List(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> ids;
    for (const v1::Message& message : response.messages()) ids.push_back(message.id());
    return ids;
  }

  tls::Role role_ = tls::Role::kOperator;
  std::optional<rpc::UserCaller> user_;
  std::unique_ptr<MessageWriter> writer_;
  std::unique_ptr<exec::BoundedExecutor> openers_;
  std::unique_ptr<db::Executor> database_;
  std::unique_ptr<QueueClient> queue_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<RegistrationService> registrations_service_;
  std::unique_ptr<DeliveryService> deliveries_service_;
  std::unique_ptr<MessageService> messages_service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<v1::RegistrationService::Stub> registrations_stub_;
  std::unique_ptr<v1::DeliveryService::Stub> deliveries_stub_;
  std::unique_ptr<v1::MessageService::Stub> messages_stub_;
};

TEST_F(ServicesTest, EachDeliveryHasItsOutcomeInOrder) {
  v1::Envelope malformed = MakeEnvelope();
  malformed.clear_domain();
  const v1::DeliverMessagesResponse response =
      Send({MakeEnvelope(), MakeEnvelope("acme", "bad"), MakeEnvelope("acme", "nokey"), malformed,
            MakeEnvelope()});
  ASSERT_THAT(response.outcomes(), SizeIs(5));
  EXPECT_EQ(response.outcomes(0).result(), v1::DELIVERY_RESULT_DELIVERED);
  EXPECT_EQ(response.outcomes(0).reason(), "");
  EXPECT_EQ(response.outcomes(1).result(), v1::DELIVERY_RESULT_DEAD);
  EXPECT_EQ(response.outcomes(1).reason(), "AUTHENTICATION_FAILED");
  EXPECT_EQ(response.outcomes(2).result(), v1::DELIVERY_RESULT_RETRY);
  EXPECT_EQ(response.outcomes(2).reason(), "DATA_KEY_UNKNOWN");
  EXPECT_EQ(response.outcomes(3).result(), v1::DELIVERY_RESULT_DEAD);
  EXPECT_EQ(response.outcomes(3).reason(), "MALFORMED_ENVELOPE");
  EXPECT_EQ(response.outcomes(4).result(), v1::DELIVERY_RESULT_DELIVERED);
  EXPECT_EQ(DeliveredRows(), 2);
  EXPECT_EQ(PendingRows(), 2);
}

TEST_F(ServicesTest, WhatCannotBeToldNowIsNoAttemptAndNoDamage) {
  v1::DeliverMessagesRequest request;
  for (const char* body : {"fine", "away"}) {
    v1::Delivery& delivery = *request.add_deliveries();
    *delivery.mutable_envelope() = MakeEnvelope("acme", body);
    *delivery.mutable_position() = PositionOf(delivery.envelope());
  }
  grpc::ClientContext context;
  Limit(context);
  v1::DeliverMessagesResponse response;
  const grpc::Status status = deliveries_stub_->DeliverMessages(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(DeliveredRows() + PendingRows(), 0);
}

TEST_F(ServicesTest, RegistrationsAreTakenOrRejected) {
  v1::RegisterMessagesRequest request;
  for (int i = 0; i < 2; ++i) {
    v1::Registration& registration = *request.add_registrations();
    *registration.mutable_envelope() = MakeEnvelope();
    *registration.mutable_position() = PositionOf(registration.envelope());
  }
  request.mutable_registrations(1)->mutable_envelope()->set_id("short");
  grpc::ClientContext context;
  Limit(context);
  v1::RegisterMessagesResponse response;
  const grpc::Status status = registrations_stub_->RegisterMessages(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.outcomes(0).result(), v1::REGISTRATION_RESULT_REGISTERED);
  EXPECT_EQ(response.outcomes(1).result(), v1::REGISTRATION_RESULT_REJECTED);
  EXPECT_EQ(response.outcomes(1).reason(), "MALFORMED_ENVELOPE");
  EXPECT_EQ(PendingRows(), 1);
}

TEST_F(ServicesTest, RefusesEmptyAndOversizeBatches) {
  for (const int size : {0, 1001}) {
    v1::DeliverMessagesRequest deliveries;
    v1::RegisterMessagesRequest registrations;
    v1::ReportAttemptsRequest attempts;
    for (int i = 0; i < size; ++i) {
      deliveries.add_deliveries();
      registrations.add_registrations();
      attempts.add_attempts();
    }
    grpc::ClientContext one;
    grpc::ClientContext two;
    grpc::ClientContext three;
    v1::DeliverMessagesResponse delivered;
    v1::RegisterMessagesResponse registered;
    v1::ReportAttemptsResponse reported;
    EXPECT_EQ(deliveries_stub_->DeliverMessages(&one, deliveries, &delivered).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(registrations_stub_->RegisterMessages(&two, registrations, &registered).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(deliveries_stub_->ReportAttempts(&three, attempts, &reported).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(ServicesTest, AttemptsShowInTheMessage) {
  const v1::Envelope envelope = MakeEnvelope();
  v1::ReportAttemptsRequest request;
  v1::FailedAttempt& attempt = *request.add_attempts();
  *attempt.mutable_envelope() = envelope;
  *attempt.mutable_position() = PositionOf(envelope);
  attempt.set_attempted_at_us(NowMicros());
  attempt.set_next_attempt_at_us(NowMicros() + 1000);
  attempt.set_reason("DEADLINE_EXCEEDED");
  grpc::ClientContext context;
  Limit(context);
  v1::ReportAttemptsResponse response;
  ASSERT_TRUE(deliveries_stub_->ReportAttempts(&context, request, &response).ok());
  v1::GetMessageRequest get;
  get.set_id(IdOf(envelope).ToString());
  v1::Message message;
  ASSERT_TRUE(Get(get, &message).ok());
  EXPECT_EQ(message.state(), v1::MESSAGE_STATE_RETRYING);
  EXPECT_EQ(message.attempts(), 1U);
  EXPECT_EQ(message.reason(), "DEADLINE_EXCEEDED");
}

TEST_F(ServicesTest, OnlyOperatorsSeePlaintextAndEdgesNameTheirClient) {
  const v1::Envelope envelope = MakeEnvelope("acme", "the body");
  Send({envelope});
  v1::GetMessageRequest request;
  request.set_id(IdOf(envelope).ToString());
  v1::Message message;
  ASSERT_TRUE(Get(request, &message).ok());
  EXPECT_EQ(message.message_body(), "");
  EXPECT_EQ(message.sender_number(), "+1415*****23");
  request.set_view(v1::MESSAGE_VIEW_FULL);
  ASSERT_TRUE(Get(request, &message).ok());
  EXPECT_EQ(message.message_body(), "the body");
  EXPECT_EQ(message.sender_number(), "+14155550123");

  role_ = tls::Role::kEdge;
  request.set_client_id("acme");
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  request.set_view(v1::MESSAGE_VIEW_BASIC);
  EXPECT_TRUE(Get(request).ok());
  request.set_client_id("other");
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.clear_client_id();
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_id("nonsense");
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, WhatCannotBeOpenedSaysWhy) {
  Send({MakeEnvelope("acme", "bad")});
  v1::ListMessagesRequest request;
  request.set_view(v1::MESSAGE_VIEW_FULL);
  v1::ListMessagesResponse response;
  ASSERT_TRUE(List(request, &response).ok());
  ASSERT_THAT(response.messages(), SizeIs(1));
  EXPECT_EQ(response.messages(0).decryption_error(), "AUTHENTICATION_FAILED");
  EXPECT_EQ(response.messages(0).state(), v1::MESSAGE_STATE_DEAD);
}

TEST_F(ServicesTest, PagesEndWithAnEmptyToken) {
  for (int i = 0; i < 5; ++i) Send({MakeEnvelope()});
  v1::ListMessagesRequest request;
  request.set_page_size(2);
  std::vector<int> sizes;
  do {
    v1::ListMessagesResponse response;
    ASSERT_TRUE(List(request, &response).ok());
    sizes.push_back(response.messages_size());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(sizes, (std::vector<int>{2, 2, 1}));
  v1::ListMessagesResponse response;
  request.set_page_token("xyz");
  EXPECT_EQ(List(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(List(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, AUserSeesLinkedClientsAndNothingElse) {
  const v1::Envelope mine = MakeEnvelope("acme");
  const v1::Envelope also = MakeEnvelope("beta");
  const v1::Envelope other = MakeEnvelope("other");
  Send({mine, also, other});
  const auto text = [](const v1::Envelope& envelope) { return IdOf(envelope).ToString(); };
  v1::GetMessageRequest get;
  get.set_view(v1::MESSAGE_VIEW_FULL);
  v1::ListMessagesRequest list;

  BecomeUser(/*admin=*/false, {"acme", "beta"});
  EXPECT_THAT(Ids(list), ElementsAre(text(also), text(mine)));
  get.set_id(text(mine));
  v1::Message message;
  ASSERT_TRUE(Get(get, &message).ok());
  EXPECT_EQ(message.message_body(), "hello");
  EXPECT_EQ(Number("SELECT COUNT(*) FROM audit_log WHERE action = 'message.read' AND target = "
                   "CONCAT('message/', '" +
                   text(mine) + "')"),
            1);
  // Not there, whatever is asked for.
  get.set_id(text(other));
  EXPECT_EQ(Get(get).error_code(), grpc::StatusCode::NOT_FOUND);
  get.set_view(v1::MESSAGE_VIEW_BASIC);
  EXPECT_EQ(Get(get).error_code(), grpc::StatusCode::NOT_FOUND);
  get.set_client_id("other");
  EXPECT_EQ(Get(get).error_code(), grpc::StatusCode::NOT_FOUND);
  list.set_client_id("other");
  v1::ListMessagesResponse response;
  EXPECT_EQ(List(list, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  // What the answers hide is in the log.
  const std::string refused =
      "SELECT COUNT(*) FROM audit_log WHERE action = 'message.read' AND outcome = 2 AND target = ";
  EXPECT_EQ(Number(StrCat(refused, "'message/", text(other), "'")), 3);
  EXPECT_EQ(Number(StrCat(refused, "'client/other'")), 1);
  list.set_client_id("beta");
  EXPECT_THAT(Ids(list), ElementsAre(text(also)));
  list.clear_client_id();
  list.set_sender_number("+14155550123");
  EXPECT_THAT(Ids(list), ElementsAre(text(also), text(mine)));
  // Bodies one at a time.
  list.set_view(v1::MESSAGE_VIEW_FULL);
  EXPECT_EQ(List(list, &response).error_code(), grpc::StatusCode::PERMISSION_DENIED);

  list.Clear();
  BecomeUser(/*admin=*/false, {});
  EXPECT_THAT(Ids(list), ElementsAre());
  BecomeUser(/*admin=*/true, {});
  EXPECT_THAT(Ids(list), SizeIs(3));
}

// MariaDB refuses to compare its columns with them.
TEST_F(ServicesTest, AFilterThatNothingCanFitNamesItsField) {
  v1::ListMessagesResponse response;
  for (const char* field : {"client_id", "client_ref", "reason"}) {
    v1::ListMessagesRequest list;
    const auto* described = v1::ListMessagesRequest::descriptor()->FindFieldByName(field);
    list.GetReflection()->SetString(&list, described, "caf\u00e9");
    const grpc::Status status = List(list, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_EQ(status.error_message(), StrCat(field, ": only ASCII characters"));
  }
}

TEST_F(ServicesTest, PagesGoBothWays) {
  std::vector<std::string> all;
  for (int i = 0; i < 7; ++i) {
    const v1::Envelope envelope = MakeEnvelope();
    Send({envelope});
    all.insert(all.begin(), IdOf(envelope).ToString());
  }
  v1::ListMessagesRequest request;
  request.set_page_size(3);
  const auto page = [&] {
    v1::ListMessagesResponse response;
    EXPECT_TRUE(List(request, &response).ok());
    return response;
  };
  const auto ids = [](const v1::ListMessagesResponse& response) {
    std::vector<std::string> out;
    for (const v1::Message& message : response.messages()) out.push_back(message.id());
    return out;
  };
  const auto part = [&all](std::size_t from, std::size_t to) {
    return std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(from),
                                    all.begin() + static_cast<std::ptrdiff_t>(to));
  };
  const v1::ListMessagesResponse first = page();
  EXPECT_EQ(ids(first), part(0, 3));
  EXPECT_EQ(first.previous_page_token(), "");
  request.set_page_token(first.next_page_token());
  const v1::ListMessagesResponse second = page();
  EXPECT_EQ(ids(second), part(3, 6));
  request.set_page_token(second.next_page_token());
  const v1::ListMessagesResponse third = page();
  EXPECT_EQ(ids(third), part(6, 7));
  EXPECT_EQ(third.next_page_token(), "");
  request.set_page_token(third.previous_page_token());
  const v1::ListMessagesResponse back = page();
  EXPECT_EQ(ids(back), part(3, 6));
  EXPECT_EQ(back.next_page_token(), second.next_page_token());
  request.set_page_token(back.previous_page_token());
  const v1::ListMessagesResponse again = page();
  EXPECT_EQ(ids(again), part(0, 3));
  EXPECT_EQ(again.previous_page_token(), "");
  // The neighbours of one message.
  request.Clear();
  request.set_page_size(1);
  request.set_older_than_id(all[2]);
  EXPECT_EQ(Ids(request), part(3, 4));
  request.clear_older_than_id();
  request.set_newer_than_id(all[2]);
  EXPECT_EQ(Ids(request), part(1, 2));
  request.set_newer_than_id(all[0]);
  EXPECT_THAT(Ids(request), ElementsAre());
  request.set_older_than_id(all[2]);
  v1::ListMessagesResponse response;
  EXPECT_EQ(List(request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, TheLedgerIsUnavailableBeforeItsFirstSample) {
  grpc::ClientContext context;
  Limit(context);
  v1::GetLedgerResponse response;
  EXPECT_EQ(messages_stub_->GetLedger(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace postern::messages
