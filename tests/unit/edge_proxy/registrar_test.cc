#include "edge_proxy/registrar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postern::edge {
namespace {

using testing::HasSubstr;

// Nothing listens here: every call fails at once.
std::shared_ptr<grpc::Channel> NoServer() {
  return grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials());
}

DurableMessage MessageOf(const Uuid& id, std::string_view envelope) {
  DurableMessage message;
  message.id = id;
  message.entry_id = "1-0";
  message.envelope = envelope;
  return message;
}

TEST(Registrar, DropsAndCountsWhatTheBufferCannotHold) {
  v1::Envelope envelope;
  envelope.set_client_id("acme");
  const std::string wire = envelope.SerializeAsString();
  const std::size_t cost = RegistrationBatch::Cost(MessageOf(Uuid(), wire));
  metrics::Registry metrics("test");
  Registrar registrar(NoServer(), 3 * cost, metrics);
  registrar.Start();
  UuidV7Generator ids;
  std::vector<DurableMessage> messages;
  for (int i = 0; i < 5; ++i) messages.push_back(MessageOf(ids.Next(1'000'000), wire));
  registrar.Add(messages, 1);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(registrar.Find(messages[i].id).has_value(), i < 3) << i;
  }
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("postern_registrations_total{result=\"overflow\"} 2"));
  EXPECT_THAT(text, HasSubstr("postern_registrations_total{result=\"registered\"} 0"));
  registrar.Stop(std::chrono::milliseconds(0));
}

TEST(Registrar, KeepsWhatAServerThatIsAwayDidNotTake) {
  metrics::Registry metrics("test");
  Registrar registrar(NoServer(), 1024 * 1024, metrics);
  registrar.Start();
  const std::vector<DurableMessage> messages{MessageOf(Uuid::Random(), "")};
  registrar.Add(messages, 1);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!registrar.failing() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(registrar.failing());
  EXPECT_TRUE(registrar.Find(messages[0].id).has_value());
  registrar.Stop(std::chrono::milliseconds(50));
}

}  // namespace
}  // namespace postern::edge
