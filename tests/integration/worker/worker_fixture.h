#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
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

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Eventually;
using test::FakeDeliveryService;

// Of the tests that wait for a retry. The others keep the default: nothing is claimed while they
// run, however slow the machine is.
inline constexpr std::chrono::milliseconds kRetryInterval{1500};

// A worker between a real Redis and a main server that does as the test says.
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

}  // namespace postern::worker
