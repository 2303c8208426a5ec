#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "services/common/base/latency_steps.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/statistics/delta.h"
#include "services/statistics/folder.h"
#include "services/statistics/statistics_service.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_mariadb.h"

namespace postern::statistics {
namespace {

using ::testing::SizeIs;
using namespace std::chrono_literals;

class StatisticsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
    connection_ = Open();
    folder_ = std::make_unique<Folder>(settings_, metrics_);
    database_ = std::make_unique<db::Executor>(settings_, 2, 64, metrics_);
    service_ = std::make_unique<StatisticsService>(
        *database_,
        [this](const grpc::ServerContextBase&) -> absl::StatusOr<rpc::Caller> { return caller_; },
        [] {
          v1::QueueFigures queue;
          queue.set_entries(42);
          return std::optional(queue);
        });
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    grpc_ = builder.BuildAndStart();
    stub_ = v1::StatisticsService::NewStub(
        grpc::CreateChannel(StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    grpc_->Shutdown(std::chrono::system_clock::now() + 5s);
    database_->Stop();
  }

  std::unique_ptr<db::Connection> Open() {
    auto connection = db::Connection::Open(settings_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  void Journal(const std::string& text) {
    const absl::Status status = AppendJournal(*connection_, text);
    EXPECT_TRUE(status.ok()) << status;
  }
  static std::string Line(std::int64_t minute, const std::string& client,
                          const BucketCounts& counts) {
    std::string text;
    AppendCounts(text, minute, client, counts);
    return text;
  }
  std::int64_t Fold() {
    const auto folded = folder_->FoldOnce(*connection_);
    EXPECT_TRUE(folded.ok()) << folded.status();
    return folded.value_or(-1);
  }
  std::int64_t Number(const std::string& sql) {
    std::int64_t number = -1;
    const absl::Status status = connection_->Query(sql, {}, [&number](const db::Row& row) {
      number = row.Int(0);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return number;
  }
  void BecomeUser(std::set<std::string> clients) {
    caller_.role = tls::Role::kPortal;
    caller_.user.emplace();
    caller_.user->clients = std::make_shared<const std::set<std::string>>(std::move(clients));
  }
  v1::GetOverviewResponse Overview(const std::string& client = "") {
    grpc::ClientContext context;
    v1::GetOverviewRequest request;
    request.set_client_id(client);
    v1::GetOverviewResponse response;
    const grpc::Status status = stub_->GetOverview(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  db::Settings settings_;
  metrics::Registry metrics_{"test"};
  std::unique_ptr<db::Connection> connection_;
  std::unique_ptr<Folder> folder_;
  std::unique_ptr<db::Executor> database_;
  rpc::Caller caller_{tls::Role::kOperator, std::nullopt};
  std::unique_ptr<StatisticsService> service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<v1::StatisticsService::Stub> stub_;
};

TEST_F(StatisticsTest, EachTransactionIsCountedOnce) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  Journal(Line(minute, "acme", {3, 2, 1, 0}) + Line(minute, "bolt", {1, 1, 0, 0}));
  Journal(Line(minute, "acme", {1, 0, 0, 5}));
  EXPECT_EQ(Fold(), 2);
  EXPECT_EQ(Fold(), 0);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM statistics_journal"), 0);
  for (const char* seconds : {"60", "3600", "86400"}) {
    const std::string of = StrCat(" FROM statistics WHERE seconds = ", seconds);
    EXPECT_EQ(Number("SELECT SUM(accepted)" + of + " AND client_id = 'acme'"), 4);
    EXPECT_EQ(Number("SELECT SUM(accepted)" + of + " AND client_id = ''"), 5);
    EXPECT_EQ(Number("SELECT SUM(failed_attempts)" + of + " AND client_id = ''"), 5);
  }
}

// What a transaction has not committed does not count yet, and keeps nothing from being folded.
TEST_F(StatisticsTest, WhatIsNotCommittedWaits) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  const auto other = Open();
  ASSERT_TRUE(other->Begin().ok());
  ASSERT_TRUE(AppendJournal(*other, Line(minute, "slow", {1, 0, 0, 0})).ok());
  Journal(Line(minute, "acme", {1, 0, 0, 0}));
  EXPECT_EQ(Fold(), 1);
  ASSERT_TRUE(other->Commit().ok());
  EXPECT_EQ(Fold(), 1);
  EXPECT_EQ(Number("SELECT SUM(accepted) FROM statistics WHERE seconds = 60 AND client_id = ''"),
            2);
}

TEST_F(StatisticsTest, ADamagedRowCostsOnlyItself) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  Journal("this is no delta");
  Journal(Line(minute, "acme", {1, 0, 0, 0}));
  EXPECT_EQ(Fold(), 2);
  EXPECT_EQ(Number("SELECT SUM(accepted) FROM statistics WHERE seconds = 60 AND client_id = ''"),
            1);
}

TEST_F(StatisticsTest, TheThreadFoldsAndPurges) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  Journal(Line(minute - 49 * 60, "old", {1, 0, 0, 0}));
  Journal(Line(minute, "new", {1, 0, 0, 0}));
  folder_->Start();
  EXPECT_TRUE(test::Eventually([&] {
    return Number("SELECT COUNT(*) FROM statistics WHERE client_id = 'new'") == 3 &&
           Number("SELECT COUNT(*) FROM statistics WHERE client_id = 'old'") == 2;
  }));
  folder_->Stop();
}

TEST_F(StatisticsTest, TheOverviewSaysWhatHappenedAndWhatWaits) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  std::string text =
      Line(minute, "acme", {60, 30, 2, 1}) + Line(minute - 120, "acme", {7, 7, 0, 0});
  AppendLatency(text, minute, LatencyStep(50'000), 30);
  Journal(text);
  Fold();
  ASSERT_TRUE(
      connection_
          ->Execute("INSERT INTO pending (id, client_id, domain, state, accepted_at_us,"
                    " registered_at_us, shard, envelope) VALUES"
                    " (UNHEX('018c1111111170008000000000000001'), 'acme', 'd', 1, 1, 1, 0, ''),"
                    " (UNHEX('018c1111111270008000000000000001'), 'bolt', 'd', 2, 1, 1, 0, ''),"
                    " (UNHEX('018c1111111070008000000000000001'), 'bolt', 'd', 4, 1, 1, 0, '')")
          .ok());
  const v1::GetOverviewResponse all = Overview();
  EXPECT_EQ(all.queued(), 1);
  EXPECT_EQ(all.retrying(), 1);
  EXPECT_EQ(all.dead(), 1);
  EXPECT_EQ(all.oldest_waiting_at_us(), std::int64_t{0x018c11111111} * 1000);
  EXPECT_EQ(all.last_hour().accepted(), 60);
  EXPECT_EQ(all.last_day().accepted(), 67);
  EXPECT_EQ(all.last_day().dead(), 2);
  EXPECT_GT(all.accepted_per_second(), 0);
  EXPECT_EQ(all.latency().count(), 30);
  EXPECT_EQ(all.latency().p99_us(), LatencyOfStep(LatencyStep(50'000)));
  EXPECT_EQ(all.queue().entries(), 42);
  const v1::GetOverviewResponse bolt = Overview("bolt");
  EXPECT_EQ(bolt.queued(), 0);
  EXPECT_EQ(bolt.dead(), 1);
  EXPECT_FALSE(bolt.has_queue());
}

TEST_F(StatisticsTest, AUserGetsTheFiguresOfLinkedClients) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  Journal(Line(minute, "acme", {1, 0, 0, 0}) + Line(minute, "bolt", {10, 0, 0, 0}) +
          Line(minute, "cole", {100, 0, 0, 0}));
  Fold();
  BecomeUser({"acme", "bolt"});
  EXPECT_EQ(Overview().last_hour().accepted(), 11);
  EXPECT_FALSE(Overview().has_queue());
  EXPECT_EQ(Overview("acme").last_hour().accepted(), 1);
  const auto code = [&](const std::string& client) {
    grpc::ClientContext context;
    v1::GetTimeSeriesRequest request;
    request.set_client_id(client);
    v1::GetTimeSeriesResponse response;
    return stub_->GetTimeSeries(&context, request, &response).error_code();
  };
  EXPECT_EQ(code("cole"), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(code("acme"), grpc::StatusCode::OK);
  grpc::ClientContext context;
  v1::ListClientTotalsResponse totals;
  ASSERT_TRUE(stub_->ListClientTotals(&context, {}, &totals).ok());
  ASSERT_THAT(totals.clients(), SizeIs(2));
  EXPECT_EQ(totals.clients(0).client_id(), "bolt");
  BecomeUser({});
  EXPECT_EQ(Overview().last_hour().accepted(), 0);
}

// A sum over many clients is given again for a while, to those who may see all, and where the end
// of the range is now.
TEST_F(StatisticsTest, TotalsOfAllClientsAreGivenAgain) {
  const std::int64_t minute = NowMicros() / 60'000'000;
  const auto accepted = [&](std::int64_t until_us) {
    grpc::ClientContext context;
    v1::ListClientTotalsRequest request;
    request.set_until_us(until_us);
    v1::ListClientTotalsResponse totals;
    EXPECT_TRUE(stub_->ListClientTotals(&context, request, &totals).ok());
    return totals.clients().empty() ? 0 : totals.clients(0).counts().accepted();
  };
  Journal(Line(minute, "acme", {1, 0, 0, 0}));
  Fold();
  EXPECT_EQ(accepted(0), 1);
  Journal(Line(minute, "acme", {1, 0, 0, 0}));
  Fold();
  EXPECT_EQ(accepted(0), 1);
  EXPECT_EQ(accepted((minute + 60) * 60'000'000), 2);
  BecomeUser({"acme"});
  EXPECT_EQ(accepted(0), 2);
}

// Whole days are summed as such, the hours around them one by one: nothing counts twice, nothing is
// left out.
TEST_F(StatisticsTest, TotalsAreExactToTheHour) {
  const std::int64_t now_hour = NowMicros() / 3'600'000'000;
  const std::int64_t today = now_hour - now_hour % 24;
  // A message an hour.
  std::string text;
  for (std::int64_t hour = today - 96; hour <= now_hour; ++hour) {
    text += Line(hour * 60 + 59, "acme", {1, 1, 0, 0});
  }
  Journal(text);
  Fold();
  const auto accepted = [&](std::int64_t from_hour, std::int64_t until_hour) {
    grpc::ClientContext context;
    v1::ListClientTotalsRequest request;
    request.set_from_us(from_hour * 3'600'000'000 + 1);
    if (until_hour != 0) request.set_until_us(until_hour * 3'600'000'000 - 1'000'000);
    v1::ListClientTotalsResponse totals;
    const grpc::Status status = stub_->ListClientTotals(&context, request, &totals);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return totals.clients().empty() ? 0 : totals.clients(0).counts().accepted();
  };
  EXPECT_EQ(accepted(today - 96, 0), 97 + now_hour - today);
  EXPECT_EQ(accepted(today - 50, 0), 51 + now_hour - today);
  EXPECT_EQ(accepted(now_hour, 0), 1);
  EXPECT_EQ(accepted(today - 72, today - 24), 48);
  EXPECT_EQ(accepted(today - 70, today - 5), 65);
  EXPECT_EQ(accepted(today - 70, today - 60), 10);
  EXPECT_EQ(accepted(today - 40, today - 30), 10);
}

TEST_F(StatisticsTest, ASeriesHasEveryBucket) {
  const std::int64_t hour = NowMicros() / 3'600'000'000;
  Journal(Line((hour - 5) * 60, "acme", {5, 0, 0, 0}) +
          Line((hour - 2) * 60 + 7, "bolt", {2, 1, 0, 0}));
  Fold();
  const auto series = [&](v1::GetTimeSeriesRequest request) {
    grpc::ClientContext context;
    v1::GetTimeSeriesResponse response;
    const grpc::Status status = stub_->GetTimeSeries(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  v1::GetTimeSeriesRequest request;
  request.set_from_us((hour - 6) * 3'600'000'000);
  request.set_until_us(hour * 3'600'000'000 - 1);
  request.set_bucket_seconds(3600);
  const v1::GetTimeSeriesResponse hours = series(request);
  ASSERT_THAT(hours.buckets(), SizeIs(6));
  EXPECT_EQ(hours.buckets(1).counts().accepted(), 5);
  EXPECT_EQ(hours.buckets(4).counts().accepted(), 2);
  EXPECT_EQ(hours.buckets(5).counts().accepted(), 0);
  EXPECT_EQ(hours.total().accepted(), 7);
  request.set_client_id("bolt");
  request.set_bucket_seconds(60);
  const v1::GetTimeSeriesResponse minutes = series(request);
  EXPECT_THAT(minutes.buckets(), SizeIs(360));
  EXPECT_EQ(minutes.total().delivered(), 1);
  for (const std::int64_t seconds : {std::int64_t{61}, std::int64_t{-1}}) {
    request.set_bucket_seconds(seconds);
    grpc::ClientContext context;
    v1::GetTimeSeriesResponse response;
    EXPECT_EQ(stub_->GetTimeSeries(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace postern::statistics
