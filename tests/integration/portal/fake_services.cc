#include "portal/pages/backend.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "tests/integration/portal/fake_server.h"

namespace postern::portal::test {
namespace {

using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;

// A method that admits its caller, counts the call and fills an answer.
#define POSTERN_FAKE(method, admin, ...)                                    \
  Status method(ServerContext* context, const v1::method##Request* request, \
                v1::method##Response* answer) override {                    \
    const Status admitted = server_.Admit(*context, #method, admin);        \
    if (!admitted.ok()) return admitted;                                    \
    (void)request;                                                          \
    (void)answer;                                                           \
    __VA_ARGS__                                                             \
    return Status::OK;                                                      \
  }

void FillLogins(FakeServer& server, google::protobuf::RepeatedPtrField<v1::Session>* sessions,
                google::protobuf::RepeatedPtrField<v1::LoginRecord>* logins) {
  v1::Session* session = sessions->Add();
  session->set_id("018f2f6e-7c00-7000-8000-0000000000aa");
  session->set_created_at_us(NowMicros() - kHour);
  session->set_refreshed_at_us(NowMicros());
  session->set_address("192.0.2.7");
  session->set_user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
  session->set_current(true);
  *sessions->Add() = *session;
  sessions->Mutable(1)->set_id("018f2f6e-7c00-7000-8000-0000000000ab");
  sessions->Mutable(1)->set_current(false);
  v1::LoginRecord* login = logins->Add();
  login->set_at_us(NowMicros() - kHour);
  login->set_succeeded(true);
  login->set_address("192.0.2.7");
  login->set_user_agent("<script>alert(1)</script>");
  (void)server;
}

class Users final : public v1::UserService::Service {
 public:
  explicit Users(FakeServer& server) : server_(server) {}

  Status Login(ServerContext* context, const v1::LoginRequest* request,
               v1::LoginResponse* answer) override {
    const Status admitted = server_.AdmitWithoutToken(*context, "Login");
    if (!admitted.ok()) return admitted;
    server_.Note(*request);
    const bool known = request->email() == "ada@example.org" ||
                       request->email() == "bob@example.org" ||
                       request->email() == "eve@example.org";
    if (!known || request->password() != FakeServer::kPassword) {
      return {StatusCode::UNAUTHENTICATED, "e-mail or password is wrong"};
    }
    *answer->mutable_tokens() = server_.NewTokens(request->email());
    *answer->mutable_user() = server_.UserOf(request->email());
    return Status::OK;
  }
  Status RefreshSession(ServerContext* context, const v1::RefreshSessionRequest* request,
                        v1::RefreshSessionResponse* answer) override {
    const Status admitted = server_.AdmitWithoutToken(*context, "RefreshSession");
    if (!admitted.ok()) return admitted;
    const std::string email = server_.TakeRefreshToken(request->refresh_token());
    if (email.empty()) return {StatusCode::UNAUTHENTICATED, "the session is over"};
    *answer->mutable_tokens() = server_.NewTokens(email);
    *answer->mutable_user() = server_.UserOf(email);
    return Status::OK;
  }
  Status Logout(ServerContext* context, const v1::LogoutRequest* request,
                v1::LogoutResponse*) override {
    const Status admitted = server_.AdmitWithoutToken(*context, "Logout");
    if (!admitted.ok()) return admitted;
    server_.TakeRefreshToken(request->refresh_token());
    server_.EndSessions();
    return Status::OK;
  }
  POSTERN_FAKE(GetProfile, false, {
    *answer->mutable_user() = server_.UserOf("bob@example.org");
    FillLogins(server_, answer->mutable_sessions(), answer->mutable_logins());
  })
  POSTERN_FAKE(ChangePassword, false, {
    if (request->current_password() != FakeServer::kPassword) {
      return {StatusCode::INVALID_ARGUMENT, "current_password: it is wrong"};
    }
    if (request->new_password().size() < 12) {
      return {StatusCode::INVALID_ARGUMENT, "new_password: at least 12 characters"};
    }
  })
  POSTERN_FAKE(EndSessions, false, { answer->set_ended(1); })
  POSTERN_FAKE(CreateUser, true, {
    server_.Note(*request);
    if (request->email() == "ada@example.org") return {StatusCode::ALREADY_EXISTS, "taken"};
    if (request->name().size() > 100) return {StatusCode::INVALID_ARGUMENT, "name: too long"};
    *answer->mutable_user() = server_.UserOf("eve@example.org");
    answer->set_one_time_password("one-time-1234");
  })
  POSTERN_FAKE(ListUsers, true, {
    *answer->add_users() = server_.UserOf("ada@example.org");
    *answer->add_users() = server_.UserOf("bob@example.org");
    answer->set_next_page_token("next");
  })
  POSTERN_FAKE(GetUser, true, {
    if (request->user().id() > 3) return {StatusCode::NOT_FOUND, "no such user"};
    *answer->mutable_user() =
        server_.UserOf(request->user().id() == 1 ? "ada@example.org" : "bob@example.org");
    FillLogins(server_, answer->mutable_sessions(), answer->mutable_logins());
  })
  POSTERN_FAKE(SetUserState, true, {
    if (request->reason().size() > 500) return {StatusCode::INVALID_ARGUMENT, "reason: too long"};
  })
  POSTERN_FAKE(SetUserRole, true, {})
  POSTERN_FAKE(ResetPassword, true, { answer->set_one_time_password("one-time-5678"); })
  POSTERN_FAKE(LinkClient, true, {
    if (request->client_id() != "acme") return {StatusCode::NOT_FOUND, "no such client"};
  })
  POSTERN_FAKE(UnlinkClient, true, {})

 private:
  FakeServer& server_;
};

class Messages final : public v1::MessageService::Service {
 public:
  explicit Messages(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(ListMessages, false, {
    server_.Note(*request);
    *answer->add_messages() = server_.MakeMessage(false);
    if (request->page_size() > 1) answer->set_next_page_token("a+b/c=");
  })
  POSTERN_FAKE(GetMessage, false, {
    if (request->id() != FakeServer::kMessageId) return {StatusCode::NOT_FOUND, "no such message"};
    *answer->mutable_message() = server_.MakeMessage(true);
  })
  POSTERN_FAKE(GetLedger, true, {
    answer->set_accepted(10);
    answer->set_delivered(9);
    answer->set_dead(1);
    answer->set_closed(true);
  })

 private:
  FakeServer& server_;
};

void FillCounts(v1::Counts* counts, int accepted) {
  counts->set_accepted(accepted);
  counts->set_delivered(accepted - 2);
  counts->set_dead(1);
  counts->set_failed_attempts(4);
}

class Statistics final : public v1::StatisticsService::Service {
 public:
  explicit Statistics(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(GetOverview, false, {
    answer->set_measured_at_us(NowMicros());
    answer->set_queued(1);
    answer->set_dead(1);
    answer->set_oldest_waiting_at_us(NowMicros() - 5 * kHour);
    FillCounts(answer->mutable_last_day(), server_.accepted());
    answer->mutable_latency()->set_count(100);
    answer->mutable_latency()->set_p50_us(12'000);
    answer->mutable_latency()->set_p99_us(80'000);
    answer->mutable_queue()->set_entries(3);
  })
  POSTERN_FAKE(GetTimeSeries, false, {
    answer->set_bucket_seconds(3600);
    for (int hour = 24; hour > 0; --hour) {
      v1::TimeBucket* bucket = answer->add_buckets();
      bucket->set_start_us(NowMicros() - hour * kHour);
      FillCounts(bucket->mutable_counts(), 40 + hour % 7 * 10);
      bucket->mutable_latency()->set_count(hour % 3);
      bucket->mutable_latency()->set_p50_us(10'000 + hour * 100);
      bucket->mutable_latency()->set_p99_us(60'000 + hour * 900);
    }
    FillCounts(answer->mutable_total(), 1'234);
  })
  POSTERN_FAKE(ListClientTotals, false, {
    answer->add_clients()->set_client_id("acme");
    FillCounts(answer->mutable_clients(0)->mutable_counts(), 1'000);
  })

 private:
  FakeServer& server_;
};

class Clients final : public v1::ClientService::Service {
 public:
  explicit Clients(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(CreateClient, true, {
    if (request->client_id() == "acme") return {StatusCode::ALREADY_EXISTS, "client acme is there"};
    Fill(answer->mutable_client());
  })
  POSTERN_FAKE(ListClients, true, { Fill(answer->add_clients()); })
  POSTERN_FAKE(GetClient, true, {
    if (request->client_id() != "acme") return {StatusCode::NOT_FOUND, "no such client"};
    Fill(answer->mutable_client());
  })
  POSTERN_FAKE(SuspendClient, true, {})
  POSTERN_FAKE(ResumeClient, true, {})
  POSTERN_FAKE(SetClientLimits, true, { server_.Note(*request); })

 private:
  static void Fill(v1::Client* client) {
    client->set_client_id("acme");
    client->set_domain("acme.example");
    client->add_certificate_sha256(std::string(64, 'a'));
    client->set_state(v1::CLIENT_STATE_ACTIVE);
    client->set_created_at_us(NowMicros() - 24 * kHour);
  }
  FakeServer& server_;
};

class Certificates final : public v1::CertificateService::Service {
 public:
  explicit Certificates(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(IssueCertificate, true, {
    if (request->subject().name() != "acme") {
      return {StatusCode::FAILED_PRECONDITION, "client is not registered"};
    }
    if (request->has_csr() && !request->csr().starts_with("-----BEGIN")) {
      return {StatusCode::INVALID_ARGUMENT, "not a certificate request"};
    }
    Fill(answer->mutable_certificate());
    answer->set_chain_pem("-----BEGIN CERTIFICATE-----\nchain\n");
    if (request->new_key().format() == v1::KEY_FORMAT_PEM) answer->set_key_pem("a private key");
    if (request->new_key().format() == v1::KEY_FORMAT_PKCS12) {
      answer->set_pkcs12(std::string("\x30\x82\0\x01", 4));
    }
  })
  POSTERN_FAKE(RevokeCertificate, true, { answer->set_revision(7); })
  POSTERN_FAKE(GetCertificate, true, {
    if (request->serial() != "0abc") return {StatusCode::NOT_FOUND, "no such certificate"};
    Fill(answer->mutable_certificate());
    answer->set_pem("-----BEGIN CERTIFICATE-----\n");
  })
  POSTERN_FAKE(ListCertificates, true, { Fill(answer->add_certificates()); })
  POSTERN_FAKE(ListAuthorities, true, {
    v1::Authority* authority = answer->add_authorities();
    authority->set_name("clients-1");
    authority->set_state(v1::AUTHORITY_STATE_ACTIVE);
    authority->set_not_after_us(NowMicros() + 1000 * 24 * kHour);
    authority->mutable_crl()->set_number(3);
    authority->mutable_crl()->set_this_update_us(NowMicros());
  })

 private:
  static void Fill(v1::Certificate* certificate) {
    certificate->set_serial("0abc");
    certificate->set_issuer("clients-1");
    certificate->set_profile("client");
    certificate->set_name("acme");
    certificate->set_spiffe_id("spiffe://test.postern/client/acme");
    certificate->set_sha256(std::string(64, 'a'));
    certificate->set_key_type("EC P-256");
    certificate->set_not_before_us(NowMicros() - 24 * kHour);
    certificate->set_not_after_us(NowMicros() + 300 * 24 * kHour);
    certificate->set_issued_at_us(NowMicros() - 24 * kHour);
    certificate->set_requested_by("operator/alice");
    certificate->set_state(v1::CERTIFICATE_STATE_VALID);
  }
  FakeServer& server_;
};

class Queue final : public v1::QueueService::Service {
 public:
  explicit Queue(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(GetQueueStatus, true, {
    v1::QueueShard* shard = answer->add_shards();
    shard->set_has_group(true);
    shard->set_entries(3);
    shard->set_oldest_entry_at_us(NowMicros() - kHour);
    answer->add_unsafe_settings("maxmemory-policy is allkeys-lru: set noeviction");
    answer->set_reconciler("server-1");
  })

 private:
  FakeServer& server_;
};

class DeadLetters final : public v1::DeadLetterService::Service {
 public:
  explicit DeadLetters(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(SummarizeDeadLetters, true, {
    for (const char* reason : {"AUTHENTICATION_FAILED", "ATTEMPTS_EXHAUSTED"}) {
      v1::DeadLetterGroup* group = answer->add_groups();
      group->set_reason(reason);
      group->set_count(7);
      group->set_clients(1);
      group->set_first_accepted_at_us(NowMicros() - 3 * kHour);
      group->set_last_accepted_at_us(NowMicros() - kHour);
    }
  })
  POSTERN_FAKE(RedriveDeadLetters, true, {
    if (!request->all() && request->filter().reason().empty() && request->filter().ids().empty()) {
      return {StatusCode::INVALID_ARGUMENT, "filter: a condition, or all"};
    }
    answer->set_redriven(7);
    answer->set_skipped(1);
  })

 private:
  FakeServer& server_;
};

void FillPartition(v1::Partition* partition) {
  partition->set_name("p2026112200_24");
  partition->set_from_us(NowMicros() - 48 * kHour);
  partition->set_until_us(NowMicros() - 24 * kHour);
  partition->set_rows(12'345);
  partition->set_bytes(std::int64_t{5} << 20);
}

class Retention final : public v1::RetentionService::Service {
 public:
  explicit Retention(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(GetRetention, true, {
    answer->set_keep_hours(720);
    answer->set_partition_hours(24);
    FillPartition(answer->add_partitions());
    FillPartition(answer->add_to_drop());
  })
  POSTERN_FAKE(RunRetention, true, {})

 private:
  FakeServer& server_;
};

class Audit final : public v1::AuditService::Service {
 public:
  explicit Audit(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(ListAuditRows, true, {
    v1::AuditRow* row = answer->add_rows();
    row->set_sequence(1'234);
    row->set_at_us(NowMicros());
    row->set_actor("user/ada@example.org");
    row->set_action("client.suspend");
    row->set_target("client/acme");
    row->set_outcome(v1::AUDIT_OUTCOME_DONE);
    row->set_details_json(R"({"reason":"<img src=x>"})");
  })
  Status ReportRefusal(ServerContext* context, const v1::ReportRefusalRequest* request,
                       v1::ReportRefusalResponse*) override {
    const Status admitted = server_.AdmitWithOrWithoutToken(*context, "ReportRefusal");
    if (admitted.ok()) server_.Note(*request);
    return admitted;
  }

 private:
  FakeServer& server_;
};

class System final : public v1::SystemService::Service {
 public:
  explicit System(FakeServer& server) : server_(server) {}
  POSTERN_FAKE(GetSystemStatus, true, {
    answer->set_server_name("server-1");
    answer->set_version("0.1.0");
    answer->set_started_at_us(NowMicros() - kHour);
    v1::ComponentCheck* check = answer->add_checks();
    check->set_name("database");
    check->set_state(v1::CHECK_STATE_PASS);
    v1::SeenPeer* peer = answer->add_peers();
    peer->set_role("edge");
    peer->set_name("edge-1");
    peer->set_last_seen_at_us(NowMicros());
  })
  POSTERN_FAKE(GetDatabaseStatus, true, {
    answer->set_version("MariaDB 10.11");
    v1::TableSize* table = answer->add_tables();
    table->set_name("messages");
    table->set_rows(1'000'000);
    table->set_data_bytes(std::int64_t{1} << 30);
    v1::Migration* migration = answer->add_migrations();
    migration->set_version(1);
    migration->set_name("create_pending");
    migration->set_applied_at_us(NowMicros());
  })

 private:
  FakeServer& server_;
};

#undef POSTERN_FAKE

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeServices(FakeServer& server) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<Users>(server));
  services.push_back(std::make_unique<Messages>(server));
  services.push_back(std::make_unique<Statistics>(server));
  services.push_back(std::make_unique<Clients>(server));
  services.push_back(std::make_unique<Certificates>(server));
  services.push_back(std::make_unique<Queue>(server));
  services.push_back(std::make_unique<DeadLetters>(server));
  services.push_back(std::make_unique<Retention>(server));
  services.push_back(std::make_unique<Audit>(server));
  services.push_back(std::make_unique<System>(server));
  return services;
}

}  // namespace postern::portal::test
