#include <gmock/gmock.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "tests/integration/worker/worker_fixture.h"

namespace postern::worker {
namespace {

TEST_F(WorkerTest, ServerThatIsAwayIsNoAttempt) {
  server_->Stop();
  auto worker = StartQuickWorker();
  Enqueue(2000);
  // It fills its hand and holds it for more than the retry interval.
  ASSERT_TRUE(Eventually([&] { return State().pending > 0; }));
  const auto until = std::chrono::steady_clock::now() + kRetryInterval * 2;
  EXPECT_TRUE(Eventually([&] { return std::chrono::steady_clock::now() > until; }));
  EXPECT_LE(State().pending, 256);
  const auto back = std::chrono::steady_clock::now();
  ASSERT_TRUE(server_->Start());
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() > 0; }));
  // A second is promised; a loaded machine may take two.
  EXPECT_LT(std::chrono::steady_clock::now() - back, 2s);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 2000; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_TRUE(service_.Attempts().empty());
  EXPECT_EQ(service_.Repeated(), 0);
}

TEST_F(WorkerTest, OverloadedServerIsNoAttempt) {
  std::atomic<int> calls{0};
  service_.SetDecideCall([&] {
    return calls++ < 3 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "") : grpc::Status::OK;
  });
  auto worker = StartWorker();
  Enqueue(100);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 100; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_TRUE(service_.Attempts().empty());
}

TEST_F(WorkerTest, HealsAfterAFlush) {
  auto worker = StartWorker();
  Enqueue(10);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 10; }));
  std::string wire;
  redis::AppendCommand(wire, "FLUSHALL");
  Commands(std::move(wire), 1);
  Enqueue(10);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 20; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, HealsAfterARestartOfRedis) {
  auto worker = StartWorker();
  Enqueue(10);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 10; }));
  redis_->Kill();
  ASSERT_TRUE(redis_->StartAgain().ok());
  Enqueue(10);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 20; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, TakesOverFromADeadConsumer) {
  Enqueue(160);
  std::string wire;
  for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
    redis::AppendCommand(wire, "XGROUP", "CREATE", redis::StreamKey(shard), "workers", "0");
    redis::AppendCommand(wire, "XREADGROUP", "GROUP", "workers", "dead", "COUNT", "10", "STREAMS",
                         redis::StreamKey(shard), ">");
  }
  Commands(std::move(wire), 2 * redis::kShards);
  ASSERT_EQ(State().pending, 160);
  auto worker = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 160; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, StopLeavesNothingHalf) {
  auto worker = StartWorker();
  Enqueue(5000);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() > 200; }));
  worker->Stop();
  // What it had delivered is removed; what it had not taken is untouched.
  const auto state = State();
  EXPECT_EQ(state.pending, 0);
  EXPECT_EQ(static_cast<std::size_t>(state.entries), 5000 - service_.ReceivedMessages());
  // Its consumer is gone.
  std::string wire;
  redis::AppendCommand(wire, "XINFO", "CONSUMERS", redis::StreamKey(0), "workers");
  const auto consumers = Commands(std::move(wire), 1);
  ASSERT_EQ(consumers.size(), 1U);
  EXPECT_EQ(consumers[0].raw().elements, 0U);
}

TEST_F(WorkerTest, StopWithoutAServerGivesUpAfterTheDrainTimeout) {
  server_->Stop();
  Settings settings = QuickSettings();
  settings.drain_timeout = 500ms;
  auto worker = StartWorker(settings);
  Enqueue(10);
  ASSERT_TRUE(Eventually([&] { return State().pending == 10; }));
  const auto begin = std::chrono::steady_clock::now();
  worker->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_EQ(State().pending, 10);
  // Another one finishes it.
  ASSERT_TRUE(server_->Start());
  auto next = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 10; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, ShowsTheQueueInItsMetrics) {
  service_.SetDecide([](const v1::Delivery&) {
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_RETRY, "DATA_KEY_UNKNOWN");
  });
  auto worker = StartWorker();
  Enqueue(7);
  EXPECT_TRUE(Eventually([&] {
    const std::string text = worker->metrics().Serialize();
    return text.find("postern_deliveries_total{result=\"retry\"} 7") != text.npos &&
           text.find("\npostern_queue_pending 7") != text.npos &&
           text.find("\npostern_queue_lag 0") != text.npos &&
           text.find("\npostern_worker_in_flight 0") != text.npos;
  })) << worker->metrics().Serialize();
}

TEST_F(WorkerTest, SaysWhenRedisCanLoseMessagesAndGoesOnDelivering) {
  auto worker = StartWorker();
  const auto shows = [&](const std::string& line) {
    return Eventually(
        [&] { return worker->metrics().Serialize().find(line) != std::string::npos; });
  };
  EXPECT_TRUE(shows("\npostern_queue_unsafe 0"));
  std::string wire;
  redis::AppendCommand(wire, "CONFIG", "SET", "appendfsync", "everysec");
  Commands(std::move(wire), 1);
  EXPECT_TRUE(shows("\npostern_queue_unsafe 1"));
  const auto checks = worker->Checks();
  ASSERT_EQ(checks.front().name, "redis");
  EXPECT_EQ(checks.front().state, http::Check::State::kWarn);
  EXPECT_EQ(checks.front().detail, "appendfsync is everysec: set it to always");
  Enqueue(5);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 5; }));
}

// A consumer is forgotten only when it holds nothing: with it its entries would be lost.
TEST_F(WorkerTest, DeletesStaleConsumersThatHoldNothing) {
  Enqueue(16);
  std::string wire;
  redis::AppendCommand(wire, "XGROUP", "CREATE", redis::StreamKey(0), "workers", "0");
  redis::AppendCommand(wire, "XREADGROUP", "GROUP", "workers", "holds", "STREAMS",
                       redis::StreamKey(0), ">");
  for (const std::string_view idle : {"empty", "also-empty"}) {
    redis::AppendCommand(wire, "XGROUP", "CREATECONSUMER", redis::StreamKey(0), "workers", idle);
  }
  Commands(std::move(wire), 4);
  metrics::Registry registry("test");
  WorkerMetrics metrics(registry);
  redis::QueueSafety safety(registry);
  asio::io_context io;
  const auto context = *tls::ContextSource::Client(worker_files_);
  QueueMonitor::Options options;
  options.consumer = "own";
  options.stale_after = 50ms;
  options.stale_period = 50ms;
  QueueMonitor monitor(
      io.get_executor(), options,
      [&]() -> absl::StatusOr<redis::Settings> { return redis_->SettingsFor("worker", context); },
      safety, metrics);
  asio::co_spawn(io, monitor.Run(), asio::detached);
  const auto consumers = [&] {
    std::string ask;
    redis::AppendCommand(ask, "XINFO", "CONSUMERS", redis::StreamKey(0), "workers");
    const auto replies = Commands(std::move(ask), 1);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < replies.at(0).raw().elements; ++i) {
      names.emplace_back(replies[0].raw().element[i]->element[1]->str);
    }
    return names;
  };
  EXPECT_TRUE(Eventually([&] {
    io.run_for(20ms);
    return consumers() == std::vector<std::string>{"holds"};
  }));
  EXPECT_EQ(State().pending, 1);
  monitor.Stop();
  io.run_for(1s);
  EXPECT_TRUE(monitor.stopped());
}

}  // namespace
}  // namespace postern::worker
