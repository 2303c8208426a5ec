#include "tests/integration/messages/queue_fixture.h"

#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/tls/context_source.h"

namespace postern::messages {

void QueueTest::SetUp() {
  RegisterTest::SetUp();
  auto redis = test::RedisServer::Start(Certificates().Leaf("server", "redis"));
  ASSERT_TRUE(redis.ok()) << redis.status();
  redis_ = *std::move(redis);
  auto context = tls::ContextSource::Client(Certificates().Leaf("server", "a"));
  ASSERT_TRUE(context.ok()) << context.status();
  admin_ = std::make_unique<QueueClient>(redis_->SettingsFor("admin", *context));
  queue_ = std::make_unique<QueueClient>(SettingsOfQueue());
  MessageWriter::Settings settings = WriterSettings();
  settings.registration_hold = std::chrono::milliseconds(0);
  writer_ = MakeWriter(settings);
}

redis::Settings QueueTest::SettingsOfQueue() const {
  return redis_->SettingsFor("server",
                             *tls::ContextSource::Client(Certificates().Leaf("server", "a")));
}

std::string QueueTest::Add(const v1::Envelope& envelope) {
  return Command({"XADD", redis::StreamKey(redis::ShardOf(envelope.client_id())), "*",
                  std::string(redis::kEnvelopeField), envelope.SerializeAsString()});
}

std::string QueueTest::Command(const std::vector<std::string>& arguments) {
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  std::string wire;
  redis::AppendCommand(wire, std::span<const std::string_view>(views));
  auto replies = admin_->Exchange(std::move(wire), 1);
  EXPECT_TRUE(replies.ok()) << replies.status();
  if (!replies.ok()) return "";
  const redis::Reply& reply = replies->front();
  return reply.IsInteger() ? StrCat(reply.integer()) : std::string(reply.text());
}

std::int64_t QueueTest::Entries(const v1::Envelope& envelope) {
  return std::stoll(Command({"XLEN", redis::StreamKey(redis::ShardOf(envelope.client_id()))}));
}

void QueueTest::RegisterAt(const v1::Envelope& envelope, const std::string& entry_id) {
  v1::Registration registration;
  *registration.mutable_envelope() = envelope;
  registration.mutable_position()->set_shard(redis::ShardOf(envelope.client_id()));
  registration.mutable_position()->set_entry_id(entry_id);
  registration.set_durable_at_us(envelope.accepted_at_us());
  std::promise<absl::Status> done;
  ASSERT_TRUE(writer_->TryRegister(
      {{IdOf(envelope), &registration, NowMicros()}}, Deadline::After(std::chrono::seconds(10)),
      [&done](absl::Status status, std::vector<Outcome>) { done.set_value(std::move(status)); }));
  const absl::Status status = done.get_future().get();
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace postern::messages
