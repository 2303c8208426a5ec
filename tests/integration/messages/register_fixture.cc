#include "tests/integration/messages/register_fixture.h"

#include <sstream>

#include "services/common/crypto/hash.h"
#include "services/common/redis/queue_layout.h"
#include "tests/support/shared_mariadb.h"

namespace postern::messages {
namespace {

// As long as a nonce and a tag.
constexpr char kBefore[] = "<nonce-here>";
constexpr char kAfter[] = "<authentication>";

absl::StatusOr<std::string> Unseal(const std::string& sealed) {
  const std::string text =
      sealed.substr(sizeof kBefore - 1, sealed.size() - sizeof kBefore - sizeof kAfter + 2);
  if (text.starts_with("bad")) return absl::DataLossError("altered");
  if (text.starts_with("nokey")) return absl::FailedPreconditionError("no key");
  if (text.starts_with("away")) return absl::UnavailableError("nobody can tell");
  return text;
}

}  // namespace

test::MariaDbServer& Server() { return test::SharedMariaDb::Server(); }
test::TestCertificates& Certificates() { return test::SharedMariaDb::Certificates(); }

absl::StatusOr<NumberFacts> FakeReader::ReadNumber(const v1::Envelope& envelope) {
  absl::StatusOr<std::string> body = Unseal(envelope.encrypted_body());
  if (!body.ok()) return body.status();
  absl::StatusOr<std::string> number = Unseal(envelope.encrypted_number());
  if (!number.ok()) return number.status();
  return NumberFacts{crypto::Sha256(*number), number->substr(0, 5) + "*****23"};
}

absl::StatusOr<OpenedMessage> FakeReader::Open(const StoredCiphertext& ciphertext) {
  absl::StatusOr<std::string> body = Unseal(ciphertext.encrypted_body);
  if (!body.ok()) return body.status();
  absl::StatusOr<std::string> number = Unseal(ciphertext.encrypted_number);
  if (!number.ok()) return number.status();
  return OpenedMessage{*std::move(body), *std::move(number)};
}

std::string FakeReader::Seal(const std::string& text) { return kBefore + text + kAfter; }

void RegisterTest::SetUp() {
  auto schema = Server().CreateMigratedSchema();
  ASSERT_TRUE(schema.ok()) << schema.status();
  schema_ = *schema;
  auto connection = db::Connection::Open(Server().SettingsFor("postern_server", schema_));
  ASSERT_TRUE(connection.ok()) << connection.status();
  connection_ = *std::move(connection);
}

MessageWriter::Settings RegisterTest::WriterSettings() const {
  MessageWriter::Settings settings;
  settings.database = Server().SettingsFor("postern_server", schema_);
  settings.server_name = "server-a";
  return settings;
}

std::unique_ptr<MessageWriter> RegisterTest::MakeWriter(MessageWriter::Settings settings) {
  return std::make_unique<MessageWriter>(
      std::move(settings), [] { return std::make_unique<FakeReader>(); }, metrics_);
}

v1::Envelope RegisterTest::MakeEnvelope(const std::string& client_id, const std::string& body) {
  v1::Envelope envelope;
  envelope.set_accepted_at_us(NowMicros());
  envelope.set_id(std::string(ids_.Next(envelope.accepted_at_us()).bytes()));
  envelope.set_client_id(client_id);
  envelope.set_domain("example.org");
  envelope.set_data_key_id(std::string(16, 'k'));
  envelope.mutable_wrapped_data_key()->set_master_key_version(1);
  envelope.set_encrypted_body(FakeReader::Seal(body));
  envelope.set_encrypted_number(FakeReader::Seal("+14155550123"));
  envelope.set_client_ref("order-1");
  envelope.set_metadata_json("{\"k\":\"ü\"}");
  return envelope;
}

v1::QueuePosition RegisterTest::PositionOf(const v1::Envelope& envelope) {
  v1::QueuePosition position;
  position.set_shard(redis::ShardOf(envelope.client_id()));
  position.set_entry_id(StrCat(envelope.accepted_at_us() / 1000, "-0"));
  return position;
}

Uuid RegisterTest::IdOf(const v1::Envelope& envelope) {
  return Uuid::FromBytes(envelope.id()).value();
}

RegisterTest::Answers RegisterTest::Register(MessageWriter& writer,
                                             const std::vector<v1::Envelope>& envelopes) {
  v1::RegisterMessagesRequest& request = registrations_.emplace_back();
  for (const v1::Envelope& envelope : envelopes) {
    v1::Registration& registration = *request.add_registrations();
    *registration.mutable_envelope() = envelope;
    *registration.mutable_position() = PositionOf(envelope);
    registration.set_durable_at_us(envelope.accepted_at_us() + 1000);
  }
  std::vector<RegistrationItem> items;
  for (const v1::Registration& registration : request.registrations()) {
    items.push_back({IdOf(registration.envelope()), &registration,
                     registration.envelope().accepted_at_us() + 2000});
  }
  auto promise = std::make_shared<std::promise<Answer>>();
  EXPECT_TRUE(writer.TryRegister(std::move(items), Deadline::After(std::chrono::seconds(20)),
                                 [promise](absl::Status status, std::vector<Outcome> outcomes) {
                                   promise->set_value({std::move(status), std::move(outcomes)});
                                 }));
  return promise->get_future();
}

RegisterTest::Answers RegisterTest::Deliver(MessageWriter& writer,
                                            const std::vector<v1::Envelope>& envelopes,
                                            const std::string& dead_reason) {
  v1::DeliverMessagesRequest& request = deliveries_.emplace_back();
  for (const v1::Envelope& envelope : envelopes) {
    v1::Delivery& delivery = *request.add_deliveries();
    *delivery.mutable_envelope() = envelope;
    *delivery.mutable_position() = PositionOf(envelope);
  }
  std::vector<DeliveryItem> items;
  for (const v1::Delivery& delivery : request.deliveries()) {
    DeliveryItem item;
    item.id = IdOf(delivery.envelope());
    item.delivery = &delivery;
    if (dead_reason.empty()) item.number = FakeReader().ReadNumber(delivery.envelope()).value();
    item.dead_reason = dead_reason;
    items.push_back(std::move(item));
  }
  auto promise = std::make_shared<std::promise<Answer>>();
  EXPECT_TRUE(writer.TryDeliver(std::move(items), Deadline::After(std::chrono::seconds(20)),
                                [promise](absl::Status status, std::vector<Outcome> outcomes) {
                                  promise->set_value({std::move(status), std::move(outcomes)});
                                }));
  return promise->get_future();
}

RegisterTest::Answers RegisterTest::Fail(MessageWriter& writer, const v1::Envelope& envelope,
                                         std::int64_t attempted_at_us, const std::string& reason) {
  v1::ReportAttemptsRequest& request = attempts_.emplace_back();
  v1::FailedAttempt& attempt = *request.add_attempts();
  *attempt.mutable_envelope() = envelope;
  *attempt.mutable_position() = PositionOf(envelope);
  attempt.set_attempted_at_us(attempted_at_us);
  attempt.set_next_attempt_at_us(attempted_at_us + 30'000'000);
  attempt.set_reason(reason);
  auto promise = std::make_shared<std::promise<Answer>>();
  EXPECT_TRUE(writer.TryRecordAttempts({{IdOf(envelope), &attempt}},
                                       Deadline::After(std::chrono::seconds(20)),
                                       [promise](absl::Status status, std::vector<Outcome> out) {
                                         promise->set_value({std::move(status), std::move(out)});
                                       }));
  return promise->get_future();
}

std::int64_t RegisterTest::Number(const std::string& sql) {
  std::int64_t number = -1;
  const absl::Status status = connection_->Query(sql, {}, [&number](const db::Row& row) {
    number = row.Int(0);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return number;
}

double RegisterTest::Metric(const std::string& series) const {
  std::istringstream text(metrics_.Serialize());
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  return -1;
}

}  // namespace postern::messages
