#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/messages/queue_client.h"
#include "tests/integration/messages/register_fixture.h"
#include "tests/support/redis_server.h"

namespace postern::messages {

// A register and a queue.
class QueueTest : public RegisterTest {
 protected:
  void SetUp() override;

  // Adds an entry as an edge does; its id.
  std::string Add(const v1::Envelope& envelope);
  // Runs one command as the administrator; its answer's text or number.
  std::string Command(const std::vector<std::string>& arguments);
  std::int64_t Entries(const v1::Envelope& envelope);
  // As the server connects.
  redis::Settings SettingsOfQueue() const;
  void Flush() { EXPECT_EQ(Command({"FLUSHALL"}), "OK"); }
  // Registers with the entry's true position.
  void RegisterAt(const v1::Envelope& envelope, const std::string& entry_id);

  std::unique_ptr<test::RedisServer> redis_;
  std::unique_ptr<MessageWriter> writer_;
  std::unique_ptr<QueueClient> admin_;
  std::unique_ptr<QueueClient> queue_;
};

}  // namespace postern::messages
