#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/common/base/uuid.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/support/eventually.h"

namespace postern::edge::test {
namespace {

using postern::test::Eventually;
using postern::test::TlsClient;

// An edge with several threads (`io_threads`), each with its own connections, Redis connection and
// pipeline.
class LanesTest : public EdgeFixture {
 protected:
  static constexpr int kLanes = 4;
  static constexpr int kConnections = 32;

  void StartLanes() {
    StartRedis({});
    Settings settings = MakeSettings();
    settings.io_threads = kLanes;
    const absl::Status started = StartEdge(settings);
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_TRUE(Eventually([&] { return Ready(); }));
  }

  // The kernel spreads them over the lanes by their source port.
  std::vector<std::unique_ptr<TlsClient>> ConnectMany() const {
    std::vector<std::unique_ptr<TlsClient>> clients;
    for (int i = 0; i < kConnections; ++i) clients.push_back(Connect());
    return clients;
  }
};

TEST_F(LanesTest, EveryMessageIsQueuedAndRegisteredOnce) {
  StartLanes();
  constexpr std::size_t kEach = 20;
  auto clients = ConnectMany();
  std::vector<std::set<std::string>> accepted(clients.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      for (std::size_t n = 0; n < kEach; ++n) {
        const auto answer = clients[i]->Ask(PostText(GoodBody()));
        if (answer.has_value() && answer->status == 202) accepted[i].insert(Json(*answer)["id"]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& ids : accepted) all.insert(ids.begin(), ids.end());
  ASSERT_EQ(all.size(), kConnections * kEach);
  std::set<std::string> queued;
  for (const v1::Envelope& envelope : QueuedEnvelopes()) {
    queued.insert(Uuid::FromBytes(envelope.id())->ToString());
  }
  EXPECT_EQ(queued, all);
  EXPECT_TRUE(Eventually([&] { return server_->registrations().size() >= all.size(); }));
  EXPECT_EQ(server_->registrations().size(), all.size());
}

TEST_F(LanesTest, ASuspensionReachesEveryLane) {
  StartLanes();
  const auto clients = ConnectMany();
  for (const auto& client : clients) ASSERT_EQ(client->Ask(PostText(GoodBody()))->status, 202);
  Register("acme", acme_files_, v1::CLIENT_STATE_SUSPENDED);
  for (const auto& client : clients) EXPECT_TRUE(client->PeerCloses());
}

TEST_F(LanesTest, StopAnswersWhatEveryLaneHasInHand) {
  StartLanes();
  const auto clients = ConnectMany();
  for (const auto& client : clients) ASSERT_EQ(client->Ask(PostText(GoodBody()))->status, 202);
  redis_->Pause();
  for (const auto& client : clients) ASSERT_TRUE(client->Send(PostText(GoodBody())));
  ASSERT_TRUE(Eventually([&] {
    return edge_->metrics().Serialize().find(
               "postern_http_requests_in_hand{listener=\"rest\"} 32") != std::string::npos;
  }));
  std::thread stopping([&] { edge_->Stop(); });
  ASSERT_TRUE(Eventually([&] { return !Connect()->connected(); })) << "accepts no more";
  redis_->Continue();
  for (const auto& client : clients) {
    const auto answer = client->ReadAnswer();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 202);
  }
  stopping.join();
}

}  // namespace
}  // namespace postern::edge::test
