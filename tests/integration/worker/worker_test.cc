#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/redis/command.h"
#include "services/common/redis/connection.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/tls/context_source.h"
#include "tests/integration/worker/fake_delivery_service.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/test_certificates.h"
#include "worker/application.h"

namespace postern::worker {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Eventually;
using test::FakeDeliveryService;

// Of the tests that wait for a retry. The others keep the default: nothing is claimed while they
// run, however slow the machine is.
constexpr std::chrono::milliseconds kRetryInterval{1500};

class WorkerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new test::TestCertificates();
    worker_files_ = certificates_->Leaf("worker", "worker-1");
    server_files_ = certificates_->Leaf("server", "server-1");
  }
  static void TearDownTestSuite() { delete certificates_; }

  void SetUp() override {
    auto redis = test::RedisServer::Start(server_files_);
    ASSERT_TRUE(redis.ok()) << redis.status();
    redis_ = std::move(*redis);
    server_ = std::make_unique<test::FakeServer>(service_, server_files_);
    ASSERT_TRUE(server_->Start());
  }

  Settings WorkerSettings() {
    Settings settings;
    settings.trust_domain = test::TestCertificates::kTrustDomain;
    settings.trust.managed = false;
    settings.ops_port = 0;
    settings.mesh = worker_files_;
    settings.redis_port = redis_->port();
    settings.redis_password_file = redis_->folder() + "/worker_password";
    std::ofstream(settings.redis_password_file) << test::RedisServer::Password("worker");
    ::chmod(settings.redis_password_file.c_str(), 0600);
    settings.redis_trust_file = certificates_->ca_file();
    settings.server_target = server_->target();
    settings.in_flight_max = 256;
    settings.drain_timeout = 5s;
    return settings;
  }

  std::unique_ptr<Application> StartWorker(const Settings& settings) {
    auto worker = Application::Create(settings);
    EXPECT_TRUE(worker.ok()) << worker.status();
    if (!worker.ok()) return nullptr;
    EXPECT_TRUE((*worker)->Start().ok());
    return *std::move(worker);
  }
  std::unique_ptr<Application> StartWorker() { return StartWorker(WorkerSettings()); }
  Settings QuickSettings() {
    Settings settings = WorkerSettings();
    settings.retry_interval = kRetryInterval;
    return settings;
  }
  std::unique_ptr<Application> StartQuickWorker() { return StartWorker(QuickSettings()); }

  // Runs commands as `admin`, on a connection of their own.
  std::vector<redis::Reply> Commands(std::string wire, std::size_t count) {
    asio::io_context io;
    const redis::Settings settings =
        redis_->SettingsFor("admin", *tls::ContextSource::Client(worker_files_));
    std::vector<redis::Reply> replies;
    redis::Connection connection(io.get_executor());
    asio::co_spawn(io, Exchange(connection, settings, std::move(wire), count, replies),
                   [](std::exception_ptr error) {
                     if (error) std::rethrow_exception(error);
                   });
    io.run_for(30s);
    return replies;
  }
  static asio::awaitable<void> Exchange(redis::Connection& connection,
                                        const redis::Settings& settings, std::string wire,
                                        std::size_t count, std::vector<redis::Reply>& replies) {
    const absl::Status status = co_await connection.Connect(settings);
    EXPECT_TRUE(status.ok()) << status;
    auto result = co_await connection.Exchange(std::move(wire), count, 20s);
    EXPECT_TRUE(result.ok()) << result.status();
    if (result.ok()) replies = *std::move(result);
    connection.Close();
  }

  // Puts messages into the queue, spread over the shards; their ids.
  std::vector<std::string> Enqueue(int count) {
    std::string wire;
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      v1::Envelope envelope;
      ids.emplace_back(Uuid::Random().bytes());
      envelope.set_id(ids.back());
      envelope.set_client_id("client");
      envelope.set_encrypted_body(std::string(200, 'x'));
      envelope.set_accepted_at_us(NowMicros());
      const auto shard = static_cast<std::uint32_t>(i) % redis::kShards;
      redis::AppendCommand(wire, "XADD", redis::StreamKey(shard), "*", redis::kEnvelopeField,
                           envelope.SerializeAsString());
    }
    Commands(std::move(wire), ids.size());
    return ids;
  }

  // Entries in the queue, and entries that some consumer holds.
  struct QueueState {
    std::int64_t entries = 0;
    std::int64_t pending = 0;
    friend bool operator==(const QueueState&, const QueueState&) = default;
    friend void PrintTo(const QueueState& state, std::ostream* out) {
      *out << state.entries << " entries, " << state.pending << " pending";
    }
  };
  QueueState State() {
    std::string wire;
    for (std::uint32_t shard = 0; shard < redis::kShards; ++shard) {
      redis::AppendCommand(wire, "XLEN", redis::StreamKey(shard));
      redis::AppendCommand(wire, "XPENDING", redis::StreamKey(shard), redis::kConsumerGroup);
    }
    const auto replies = Commands(std::move(wire), 2 * redis::kShards);
    QueueState state;
    for (std::size_t i = 0; i + 1 < replies.size(); i += 2) {
      state.entries += replies[i].integer();
      if (replies[i + 1].IsArray()) state.pending += replies[i + 1].raw().element[0]->integer;
    }
    return state;
  }
  bool QueueGetsEmpty() {
    return Eventually([this] { return State() == QueueState{}; });
  }

  static inline test::TestCertificates* certificates_ = nullptr;
  static inline tls::Files worker_files_;
  static inline tls::Files server_files_;
  std::unique_ptr<test::RedisServer> redis_;
  FakeDeliveryService service_;
  std::unique_ptr<test::FakeServer> server_;
};

TEST_F(WorkerTest, DeliversEachMessageOnceAndRemovesIt) {
  auto worker = StartWorker();
  constexpr int kMessages = 3000;
  const auto ids = Enqueue(kMessages);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == kMessages; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Repeated(), 0);
  EXPECT_LE(service_.LargestBatch(), 256);
  EXPECT_GT(service_.LargestBatch(), 1);
  EXPECT_TRUE(service_.Attempts().empty());
}

TEST_F(WorkerTest, DeliversWhatWasQueuedBeforeItsStart) {
  Enqueue(20);
  auto worker = StartWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 20; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, RetriesAfterTheIntervalAndReportsTheAttempt) {
  std::atomic<int> calls{0};
  std::atomic<std::int64_t> first_us{0};
  std::atomic<std::int64_t> second_us{0};
  service_.SetDecide([&](const v1::Delivery&) {
    if (calls++ == 0) {
      first_us = NowMicros();
      return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_RETRY, "DATA_KEY_UNKNOWN");
    }
    second_us = NowMicros();
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_DELIVERED);
  });
  auto worker = StartQuickWorker();
  const auto ids = Enqueue(1);
  ASSERT_TRUE(Eventually([&] { return calls == 2; }));
  EXPECT_TRUE(QueueGetsEmpty());
  const std::chrono::microseconds pause(second_us - first_us);
  EXPECT_GE(pause, kRetryInterval * 9 / 10);
  EXPECT_LE(pause, kRetryInterval * 2);
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  const auto attempts = service_.Attempts();
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts[0].envelope().id(), ids[0]);
  EXPECT_EQ(attempts[0].reason(), "DATA_KEY_UNKNOWN");
  EXPECT_FALSE(attempts[0].position().entry_id().empty());
  const std::int64_t planned = attempts[0].next_attempt_at_us() - attempts[0].attempted_at_us();
  EXPECT_GT(planned, 0);
  EXPECT_LE(std::chrono::microseconds(planned), kRetryInterval);
}

TEST_F(WorkerTest, FailedCallIsAnAttemptOfEachMessage) {
  std::atomic<int> calls{0};
  service_.SetDecideCall([&] {
    return calls++ == 0 ? grpc::Status(grpc::StatusCode::INTERNAL, "") : grpc::Status::OK;
  });
  Enqueue(40);
  auto worker = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 40; }));
  EXPECT_TRUE(QueueGetsEmpty());
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  for (const auto& attempt : service_.Attempts()) EXPECT_EQ(attempt.reason(), "INTERNAL");
}

TEST_F(WorkerTest, CallThatTakesTooLongIsAnAttempt) {
  std::atomic<int> calls{0};
  service_.SetDecideCall([&] {
    if (calls++ == 0) std::this_thread::sleep_for(kRetryInterval / 2);
    return grpc::Status::OK;
  });
  auto worker = StartQuickWorker();
  Enqueue(1);
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  EXPECT_EQ(service_.Attempts()[0].reason(), "DEADLINE_EXCEEDED");
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(calls, 2);
}

TEST_F(WorkerTest, CallsThatTakeTooLongGetSmallerUntilTheyDoNot) {
  service_.SetInTimeMax(20);
  Enqueue(128);
  auto worker = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 128; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_LE(service_.LargestBatch(), 20);
}

TEST_F(WorkerTest, SeveralWorkersShareTheQueue) {
  auto one = StartWorker();
  auto two = StartWorker();
  EXPECT_NE(one->consumer(), two->consumer());
  Enqueue(3000);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 3000; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Repeated(), 0);
}

// The queue is at least once: whoever lost its claim delivers all the same, and the server makes it
// one.
TEST_F(WorkerTest, EntryHeldTooLongIsTakenOverOnce) {
  server_->Stop();
  auto slow = StartQuickWorker();
  Enqueue(16);
  ASSERT_TRUE(Eventually([&] { return State().pending == 16; }));
  FakeDeliveryService other_service;
  test::FakeServer other_server(other_service, server_files_);
  ASSERT_TRUE(other_server.Start());
  Settings settings = QuickSettings();
  settings.server_target = other_server.target();
  auto other = StartWorker(settings);
  EXPECT_TRUE(Eventually([&] { return other_service.ReceivedMessages() == 16; }));
  EXPECT_TRUE(QueueGetsEmpty());
  ASSERT_TRUE(server_->Start());
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 16; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(other_service.Repeated(), 0);
}

TEST_F(WorkerTest, DeadMessagesAreRemoved) {
  service_.SetDecide([](const v1::Delivery&) {
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_DEAD, "AUTHENTICATION_FAILED");
  });
  auto worker = StartWorker();
  Enqueue(5);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 5; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_TRUE(service_.Attempts().empty());
}

TEST_F(WorkerTest, RemovesWhatItsReportMadeDead) {
  service_.SetDecide([](const v1::Delivery&) {
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_RETRY, "DATA_KEY_UNKNOWN");
  });
  service_.SetRemoveReported();
  auto worker = StartWorker();
  Enqueue(40);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 40; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Attempts().size(), 40U);
}

TEST_F(WorkerTest, UnreadableEntryIsHandedOverAndRemoved) {
  auto worker = StartWorker();
  std::string wire;
  redis::AppendCommand(wire, "XADD", redis::StreamKey(0), "*", "e", "\xff\xff");
  redis::AppendCommand(wire, "XADD", redis::StreamKey(1), "*", "other", "x");
  Commands(std::move(wire), 2);
  ASSERT_TRUE(Eventually([&] { return service_.Unreadable().size() == 2; }));
  EXPECT_THAT(service_.Unreadable(),
              ::testing::UnorderedElementsAre("\xff\xff", std::string("other\0x\0", 8)));
  EXPECT_TRUE(QueueGetsEmpty());
}

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
