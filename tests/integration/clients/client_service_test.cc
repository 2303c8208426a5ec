#include "services/clients/client_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "postern/v1/client_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/db/connection.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_mariadb.h"

namespace postern::clients {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::int32_t kNoLimits = -1'000;

// One main server's clients, behind a gRPC port without TLS.
class Server {
 public:
  explicit Server(const db::Settings& settings) : executor_(settings, 2, 64, metrics_) {
    const absl::Status started = directory_.Start();
    EXPECT_TRUE(started.ok()) << started;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::ClientService::NewStub(
        grpc::CreateChannel(StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  ~Server() { Stop(); }
  void Stop() {
    directory_.Stop();
    server_->Shutdown(std::chrono::system_clock::now() + 5s);
  }

  grpc::Status Create(const std::string& id, char fingerprint, v1::Client* client = nullptr) {
    grpc::ClientContext context;
    v1::CreateClientRequest request;
    request.set_client_id(id);
    request.set_domain("example.com");
    request.set_certificate_sha256(std::string(64, fingerprint));
    v1::CreateClientResponse response;
    const grpc::Status status = stub_->CreateClient(&context, request, &response);
    if (client != nullptr) *client = response.client();
    return status;
  }
  grpc::Status Suspend(const std::string& id, v1::Client* client) {
    grpc::ClientContext context;
    v1::SuspendClientRequest request;
    request.set_client_id(id);
    request.set_reason("unpaid");
    v1::SuspendClientResponse response;
    const grpc::Status status = stub_->SuspendClient(&context, request, &response);
    *client = response.client();
    return status;
  }
  grpc::Status Resume(const std::string& id, v1::Client* client) {
    grpc::ClientContext context;
    v1::ResumeClientRequest request;
    request.set_client_id(id);
    v1::ResumeClientResponse response;
    const grpc::Status status = stub_->ResumeClient(&context, request, &response);
    *client = response.client();
    return status;
  }
  // kNoLimits: the request has none.
  grpc::Status SetLimits(const std::string& id, std::int32_t per_second, std::int64_t per_day,
                         v1::Client* client) {
    grpc::ClientContext context;
    v1::SetClientLimitsRequest request;
    request.set_client_id(id);
    request.set_reason("as agreed");
    if (per_second != kNoLimits) {
      request.mutable_limits()->set_messages_per_second(per_second);
      request.mutable_limits()->set_messages_per_day(per_day);
    }
    v1::SetClientLimitsResponse response;
    const grpc::Status status = stub_->SetClientLimits(&context, request, &response);
    *client = response.client();
    return status;
  }
  grpc::Status Get(const std::string& id, v1::Client* client) {
    grpc::ClientContext context;
    v1::GetClientRequest request;
    request.set_client_id(id);
    v1::GetClientResponse response;
    const grpc::Status status = stub_->GetClient(&context, request, &response);
    *client = response.client();
    return status;
  }
  // Ids of one page; `token` is replaced by the next page's.
  std::vector<std::string> List(int page_size, std::string* token) {
    grpc::ClientContext context;
    v1::ListClientsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(*token);
    v1::ListClientsResponse response;
    const grpc::Status status = stub_->ListClients(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> ids;
    for (const v1::Client& client : response.clients()) ids.push_back(client.client_id());
    *token = response.next_page_token();
    return ids;
  }
  v1::ClientService::Stub& stub() { return *stub_; }

 private:
  metrics::Registry metrics_{"test"};
  db::Executor executor_;
  ClientDirectory directory_{executor_, metrics_};
  ClientService service_{executor_, directory_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ClientService::Stub> stub_;
};

// Reads a watch on a thread of its own and remembers what came.
class Watch {
 public:
  Watch(Server& server, std::int64_t after_revision) {
    v1::WatchClientsRequest request;
    request.set_after_revision(after_revision);
    reader_ = server.stub().WatchClients(&context_, request);
    thread_ = std::thread([this] { Read(); });
  }
  ~Watch() {
    context_.TryCancel();
    thread_.join();
  }

  std::vector<v1::WatchClientsResponse> steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
  }
  bool Saw(const std::string& client_id) const {
    for (const auto& step : steps()) {
      for (const v1::Client& client : step.clients()) {
        if (client.client_id() == client_id) return true;
      }
    }
    return false;
  }
  // As last told.
  v1::Client Last(const std::string& client_id) const {
    v1::Client last;
    for (const auto& step : steps()) {
      for (const v1::Client& client : step.clients()) {
        if (client.client_id() == client_id) last = client;
      }
    }
    return last;
  }
  // As last told; UNSPECIFIED before.
  v1::ClientState StateOf(const std::string& client_id) const {
    v1::ClientState state = v1::CLIENT_STATE_UNSPECIFIED;
    for (const auto& step : steps()) {
      for (const v1::Client& client : step.clients()) {
        if (client.client_id() == client_id) state = client.state();
      }
    }
    return state;
  }
  std::size_t Clients() const {
    std::size_t count = 0;
    for (const auto& step : steps()) count += static_cast<std::size_t>(step.clients_size());
    return count;
  }
  // Of the last step; 0 while there is none.
  std::int64_t revision() const {
    const auto all = steps();
    return all.empty() ? 0 : all.back().revision();
  }
  // Not OK until the watch has ended.
  grpc::StatusCode ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  void Read() {
    v1::WatchClientsResponse step;
    while (reader_->Read(&step)) {
      const std::lock_guard lock(mutex_);
      steps_.push_back(step);
    }
    const grpc::Status status = reader_->Finish();
    const std::lock_guard lock(mutex_);
    ended_ = status.error_code();
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchClientsResponse>> reader_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<v1::WatchClientsResponse> steps_;
  grpc::StatusCode ended_ = StatusCode::OK;
};

class ClientServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
  }
  absl::Status Execute(const std::string& sql) {
    auto connection = db::Connection::Open(settings_);
    if (!connection.ok()) return connection.status();
    return (*connection)->Execute(sql).status();
  }
  // `action target outcome` of each row, oldest first.
  std::vector<std::string> AuditRows() {
    auto connection = db::Connection::Open(settings_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    std::vector<std::string> rows;
    const absl::Status read =
        (*connection)
            ->Query(
                "SELECT action, target, details FROM audit_log "
                "ORDER BY sequence",
                {}, [&rows](const db::Row& row) {
                  rows.push_back(StrCat(row.String(0), " ", row.String(1), " ", row.String(2)));
                  return absl::OkStatus();
                });
    EXPECT_TRUE(read.ok()) << read;
    return rows;
  }
  db::Settings settings_;
};

TEST_F(ClientServiceTest, RegistersAClientOnce) {
  Server server(settings_);
  v1::Client client;
  const grpc::Status created = server.Create("acme", 'a', &client);
  ASSERT_TRUE(created.ok()) << created.error_message();
  EXPECT_EQ(client.client_id(), "acme");
  EXPECT_EQ(client.domain(), "example.com");
  EXPECT_EQ(client.state(), v1::CLIENT_STATE_ACTIVE);
  EXPECT_GT(client.created_at_us(), 0);

  const grpc::Status same_id = server.Create("acme", 'b');
  EXPECT_EQ(same_id.error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(same_id.error_message(), HasSubstr("client_id: acme"));
  const grpc::Status same_fingerprint = server.Create("globex", 'a');
  EXPECT_EQ(same_fingerprint.error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(same_fingerprint.error_message(), HasSubstr("certificate_sha256: aaaa"));
  // A failed registration leaves nothing behind.
  std::string token;
  EXPECT_THAT(server.List(0, &token), ::testing::ElementsAre("acme"));
  EXPECT_TRUE(server.Create("globex", 'b').ok());
}

TEST_F(ClientServiceTest, ASuspensionReachesEveryWatchAtOnceAndCanBeUndone) {
  Server one(settings_);
  Server two(settings_);
  ASSERT_TRUE(one.Create("acme", 'a').ok());
  Watch here(one, 0);
  Watch there(two, 0);
  ASSERT_TRUE(test::Eventually([&] { return here.Saw("acme") && there.Saw("acme"); }));

  v1::Client client;
  ASSERT_TRUE(one.Suspend("acme", &client).ok());
  EXPECT_EQ(client.state(), v1::CLIENT_STATE_SUSPENDED);
  const auto suspended = [](const Watch& watch) {
    return watch.StateOf("acme") == v1::CLIENT_STATE_SUSPENDED;
  };
  EXPECT_TRUE(test::Eventually([&] { return suspended(here) && suspended(there); }, 1s));
  ASSERT_TRUE(two.Suspend("acme", &client).ok());  // Again: nothing more happens.
  ASSERT_TRUE(two.Get("acme", &client).ok());
  EXPECT_EQ(client.state(), v1::CLIENT_STATE_SUSPENDED);
  EXPECT_EQ(client.certificate_sha256(0), std::string(64, 'a'));

  ASSERT_TRUE(two.Resume("acme", &client).ok());
  EXPECT_EQ(client.state(), v1::CLIENT_STATE_ACTIVE);
  EXPECT_TRUE(
      test::Eventually([&] { return here.StateOf("acme") == v1::CLIENT_STATE_ACTIVE; }, 1s));
  EXPECT_THAT(AuditRows(),
              ::testing::ElementsAre(StrCat("client.create client/acme {\"certificate_sha256\":\"",
                                            std::string(64, 'a'), "\",\"domain\":\"example.com\"}"),
                                     "client.suspend client/acme {\"reason\":\"unpaid\"}",
                                     "client.resume client/acme {}"));
}

TEST_F(ClientServiceTest, LimitsReachEveryWatchAndCanBeTakenBack) {
  Server one(settings_);
  Server two(settings_);
  ASSERT_TRUE(one.Create("acme", 'a').ok());
  Watch there(two, 0);
  ASSERT_TRUE(test::Eventually([&] { return there.Saw("acme"); }));
  EXPECT_FALSE(there.Last("acme").has_limits());

  v1::Client client;
  ASSERT_TRUE(one.SetLimits("acme", 5, 100'000, &client).ok());
  EXPECT_EQ(client.limits().messages_per_second(), 5);
  EXPECT_TRUE(test::Eventually([&] { return there.Last("acme").has_limits(); }, 1s));
  EXPECT_EQ(there.Last("acme").limits().messages_per_second(), 5);
  EXPECT_EQ(there.Last("acme").limits().messages_per_day(), 100'000);
  ASSERT_TRUE(two.Get("acme", &client).ok());
  EXPECT_EQ(client.limits().messages_per_day(), 100'000);

  ASSERT_TRUE(two.SetLimits("acme", kNoLimits, 0, &client).ok());
  EXPECT_FALSE(client.has_limits());
  EXPECT_TRUE(test::Eventually([&] { return !there.Last("acme").has_limits(); }, 1s));

  EXPECT_EQ(one.SetLimits("nobody", 5, 0, &client).error_code(), StatusCode::NOT_FOUND);
  const grpc::Status wrong = one.SetLimits("acme", -1, 1'000'000'000'001, &client);
  EXPECT_EQ(wrong.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(wrong.error_message(), HasSubstr("messages_per_second"));
  EXPECT_THAT(wrong.error_message(), HasSubstr("messages_per_day"));
  const std::vector<std::string> rows = AuditRows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(rows[1], HasSubstr("client.limit client/acme"));
  EXPECT_THAT(rows[1], HasSubstr("\"messages_per_day\":\"100000\""));
  EXPECT_THAT(rows[2], HasSubstr("\"limits\":\"default\""));
}

TEST_F(ClientServiceTest, AClientThatIsNotThereIsNotFoundByName) {
  Server server(settings_);
  v1::Client client;
  for (const grpc::Status& status :
       {server.Get("nobody", &client), server.Suspend("nobody", &client),
        server.Resume("nobody", &client)}) {
    EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
    EXPECT_THAT(status.error_message(), HasSubstr("nobody"));
  }
  EXPECT_TRUE(AuditRows().empty());
}

TEST_F(ClientServiceTest, RefusesBadFieldsByName) {
  Server server(settings_);
  const grpc::Status status = server.Create("Not An Id", 'x');
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("client_id:"));
  EXPECT_THAT(status.error_message(), HasSubstr("certificate_sha256:"));
}

TEST_F(ClientServiceTest, ListsPagesInOrderWithoutGapOrRepeat) {
  Server server(settings_);
  const std::string digits = "0123456789";
  for (char digit : digits) ASSERT_TRUE(server.Create(std::string("c-") + digit, digit).ok());
  std::vector<std::string> all;
  std::string token;
  int pages = 0;
  do {
    for (std::string& id : server.List(3, &token)) all.push_back(std::move(id));
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 4);
  ASSERT_EQ(all.size(), digits.size());
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  token.clear();
  EXPECT_EQ(server.List(10, &token).size(), 10u);
  EXPECT_EQ(token, "");
}

TEST_F(ClientServiceTest, RefusesABadPage) {
  Server server(settings_);
  for (const auto& [size, token] : {std::pair(-1, ""), std::pair(0, "!!")}) {
    grpc::ClientContext context;
    v1::ListClientsRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    v1::ListClientsResponse response;
    EXPECT_EQ(server.stub().ListClients(&context, request, &response).error_code(),
              StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(ClientServiceTest, AWatchBeginsWithASnapshotAndSeesANewClientWithinASecond) {
  {
    Server before(settings_);
    ASSERT_TRUE(before.Create("acme", 'a').ok());
  }
  Server server(settings_);
  Watch watch(server, 0);
  ASSERT_TRUE(test::Eventually([&] { return watch.Saw("acme"); }));
  EXPECT_TRUE(watch.steps().front().snapshot());
  EXPECT_EQ(watch.steps().front().clients(0).certificate_sha256(0), std::string(64, 'a'));
  ASSERT_TRUE(server.Create("globex", 'b').ok());
  EXPECT_TRUE(test::Eventually([&] { return watch.Saw("globex"); }, 1s));
  EXPECT_FALSE(watch.steps().back().snapshot());
}

TEST_F(ClientServiceTest, AWatchSeesWhatAnotherServerRegistersWithinASecond) {
  Server one(settings_);
  Server two(settings_);
  Watch watch(one, 0);
  ASSERT_TRUE(test::Eventually([&] { return watch.revision() > 0; }));
  ASSERT_TRUE(two.Create("acme", 'a').ok());
  EXPECT_TRUE(test::Eventually([&] { return watch.Saw("acme"); }, 1s));
}

TEST_F(ClientServiceTest, AWatchResumesAfterARevision) {
  Server server(settings_);
  ASSERT_TRUE(server.Create("acme", 'a').ok());
  std::int64_t revision = 0;
  {
    Watch watch(server, 0);
    ASSERT_TRUE(test::Eventually([&] { return watch.Saw("acme"); }));
    revision = watch.revision();
  }
  ASSERT_TRUE(server.Create("globex", 'b').ok());
  Watch watch(server, revision);
  ASSERT_TRUE(test::Eventually([&] { return watch.Saw("globex"); }));
  EXPECT_FALSE(watch.Saw("acme"));
  EXPECT_FALSE(watch.steps().front().snapshot());
  EXPECT_GT(watch.revision(), revision);
}

TEST_F(ClientServiceTest, ARevisionThatTheDirectoryNeverReachedGetsASnapshot) {
  Server server(settings_);
  ASSERT_TRUE(server.Create("acme", 'a').ok());
  Watch watch(server, 1'000'000);
  ASSERT_TRUE(test::Eventually([&] { return watch.Saw("acme"); }));
  EXPECT_TRUE(watch.steps().front().snapshot());
}

TEST_F(ClientServiceTest, ALargeSnapshotComesInStepsOfOneRevision) {
  ASSERT_TRUE(Execute("INSERT INTO clients (client_id, domain, state, revision, created_at_us) "
                      "SELECT CONCAT('c', seq), 'example.com', 1, seq + 1, 1 FROM seq_1_to_1234")
                  .ok());
  ASSERT_TRUE(Execute("UPDATE directory_revision SET revision = 1235").ok());
  Server server(settings_);
  Watch watch(server, 0);
  ASSERT_TRUE(test::Eventually([&] { return watch.revision() == 1235; }));
  const auto steps = watch.steps();
  EXPECT_EQ(watch.Clients(), 1234u);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_TRUE(steps[0].snapshot());
  EXPECT_FALSE(steps[1].snapshot());
  EXPECT_EQ(steps[0].revision(), 0);
  EXPECT_EQ(steps[1].revision(), 0);
}

TEST_F(ClientServiceTest, AStopEndsWatchesWithUnavailable) {
  Server server(settings_);
  Watch watch(server, 0);
  ASSERT_TRUE(test::Eventually([&] { return watch.revision() > 0; }));
  server.Stop();
  EXPECT_TRUE(test::Eventually([&] { return watch.ended() == StatusCode::UNAVAILABLE; }));
}

TEST_F(ClientServiceTest, AWatchOutlivesTheDatabase) {
  Server server(settings_);
  ASSERT_TRUE(server.Create("acme", 'a').ok());
  Watch watch(server, 0);
  ASSERT_TRUE(test::Eventually([&] { return watch.Saw("acme"); }));
  test::SharedMariaDb::Server().Stop();
  EXPECT_EQ(server.Create("globex", 'b').error_code(), StatusCode::UNAVAILABLE);
  Watch second(server, 0);
  EXPECT_TRUE(test::Eventually([&] { return second.Saw("acme"); }));
  const absl::Status again = test::SharedMariaDb::Server().StartAgain();
  ASSERT_TRUE(again.ok()) << again;
  ASSERT_TRUE(test::Eventually([&] { return server.Create("globex", 'b').ok(); }));
  EXPECT_TRUE(test::Eventually([&] { return watch.Saw("globex"); }, 3s));
}

}  // namespace
}  // namespace postern::clients
