#include "services/ctl/run.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "postern/v1/audit_service.grpc.pb.h"
#include "postern/v1/client_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/audit/checkpoint.h"
#include "services/common/audit/row.h"
#include "services/common/base/strings.h"

namespace postern::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Answers with `messages` messages, two a page; or with `status`.
class FakeMessages : public v1::MessageService::Service {
 public:
  grpc::Status GetMessage(grpc::ServerContext*, const v1::GetMessageRequest* request,
                          v1::GetMessageResponse* response) override {
    response->mutable_message()->set_id(request->id());
    response->mutable_message()->set_state(v1::MESSAGE_STATE_DELIVERED);
    response->mutable_message()->set_accepted_at_us(1'795'317'898'123'000);
    if (request->view() == v1::MESSAGE_VIEW_FULL) {
      response->mutable_message()->set_message_body("\x1b[31mred");
    }
    return status;
  }
  grpc::Status ListMessages(grpc::ServerContext*, const v1::ListMessagesRequest* request,
                            v1::ListMessagesResponse* response) override {
    last = *request;
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    for (int i = first; i < std::min(first + 2, messages); ++i) {
      response->add_messages()->set_id(StrCat("id-", i));
    }
    if (first + 2 < messages) response->set_next_page_token(StrCat(first + 2));
    return status;
  }
  grpc::Status GetLedger(grpc::ServerContext*, const v1::GetLedgerRequest*,
                         v1::GetLedgerResponse* response) override {
    response->set_accepted(12);
    response->set_closed(true);
    return status;
  }
  int messages = 5;
  grpc::Status status;
  v1::ListMessagesRequest last;
};

class FakeClients : public v1::ClientService::Service {
 public:
  grpc::Status CreateClient(grpc::ServerContext*, const v1::CreateClientRequest* request,
                            v1::CreateClientResponse* response) override {
    last = *request;
    response->mutable_client()->set_client_id(request->client_id());
    return status;
  }
  grpc::Status status;
  v1::CreateClientRequest last;
};

// A log of `rows` sound rows.
class FakeAudit : public v1::AuditService::Service {
 public:
  FakeAudit() {
    std::string hash = audit::FirstHash();
    for (std::int64_t i = 1; i <= 3; ++i) {
      audit::Row row;
      row.sequence = i;
      row.actor = "operator/alice";
      row.outcome = 1;
      row.details = "{}";
      hash = audit::HashOfRow(hash, row);
      v1::AuditRow& out = *log.add_rows();
      out.set_sequence(i);
      out.set_actor(row.actor);
      out.set_outcome(v1::AUDIT_OUTCOME_DONE);
      out.set_details_json(row.details);
      out.set_hash(hash);
    }
    log.set_head_sequence(3);
    log.set_head_hash(hash);
  }
  grpc::Status ReadAuditChain(grpc::ServerContext*, const v1::ReadAuditChainRequest*,
                              v1::ReadAuditChainResponse* response) override {
    *response = log;
    return grpc::Status::OK;
  }
  v1::ReadAuditChainResponse log;
};

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class RunTest : public testing::Test {
 protected:
  RunTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&messages_);
    builder.RegisterService(&clients_);
    builder.RegisterService(&audit_);
    server_ = builder.BuildAndStart();
    std::string pattern = testing::TempDir() + "ctl_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    config_ = folder_ + "/posternctl.yaml";
    std::ofstream(config_) << "trust_domain: example.org\nserver: {target: in-process}\n"
                              "mesh: {certificate_file: c, key_file: k, trust_file: t}\n";
    ::setenv("POSTERNCTL_CONFIG", config_.c_str(), 1);
  }
  ~RunTest() override {
    ::unsetenv("POSTERNCTL_CONFIG");
    ::unsetenv("POSTERNCTL_OUTPUT");
    server_->Shutdown();
    std::filesystem::remove_all(folder_);
  }

  Outcome Posternctl(std::vector<std::string> arguments) {
    std::ostringstream out;
    std::ostringstream err;
    World world{
        out, err, false, [this](const Config&) {
          return absl::StatusOr<std::shared_ptr<grpc::Channel>>(server_->InProcessChannel({}));
        }};
    Outcome outcome;
    outcome.code = ctl::Run(std::move(arguments), world);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  FakeMessages messages_;
  FakeClients clients_;
  FakeAudit audit_;
  std::unique_ptr<grpc::Server> server_;
  std::string folder_;
  std::string config_;
};

void CollectVerbs(const CLI::App& app, std::vector<const CLI::App*>& verbs) {
  const auto children = app.get_subcommands({});
  bool leaf = true;
  for (const CLI::App* child : children) {
    if (child->get_name().empty()) continue;  // An option group.
    leaf = false;
    CollectVerbs(*child, verbs);
  }
  if (leaf) verbs.push_back(&app);
}

TEST_F(RunTest, EveryCommandTakesAnOutputFormat) {
  std::ostringstream sink;
  Context context(World{sink, sink, false, {}});
  CommandTree tree(context);
  AddAllCommands(tree, context);
  std::vector<const CLI::App*> verbs;
  CollectVerbs(tree.root(), verbs);
  EXPECT_GE(verbs.size(), 9u);
  for (const CLI::App* verb : verbs) {
    EXPECT_NE(verb->get_option_no_throw("-o"), nullptr) << verb->get_name();
    EXPECT_FALSE(verb->get_description().empty()) << verb->get_name();
  }
}

TEST_F(RunTest, OptionsStandAnywhereAndTheCommandLineWinsOverTheEnvironment) {
  const Outcome behind = Posternctl({"ledger", "-o", "json"});
  EXPECT_EQ(nlohmann::json::parse(behind.out)["accepted"], "12");
  EXPECT_EQ(Posternctl({"-o", "json", "ledger"}).out, behind.out);
  ::setenv("POSTERNCTL_OUTPUT", "json", 1);
  EXPECT_EQ(Posternctl({"ledger"}).out, behind.out);
  EXPECT_THAT(Posternctl({"ledger", "-o", "table"}).out, HasSubstr("ACCEPTED"));
  EXPECT_THAT(Posternctl({"ledger", "-o", "table", "--no-headers"}).out,
              Not(HasSubstr("ACCEPTED")));
}

TEST_F(RunTest, ExitCodesTellScriptsWhatWentWrong) {
  const std::vector<std::pair<grpc::StatusCode, int>> codes = {
      {grpc::StatusCode::OK, 0},
      {grpc::StatusCode::INTERNAL, 1},
      {grpc::StatusCode::INVALID_ARGUMENT, 2},
      {grpc::StatusCode::NOT_FOUND, 4},
      {grpc::StatusCode::PERMISSION_DENIED, 5},
      {grpc::StatusCode::UNAUTHENTICATED, 5},
      {grpc::StatusCode::UNAVAILABLE, 6},
      {grpc::StatusCode::DEADLINE_EXCEEDED, 6},
      {grpc::StatusCode::ALREADY_EXISTS, 7}};
  for (const auto& [code, expected] : codes) {
    messages_.status = code == grpc::StatusCode::OK ? grpc::Status::OK : grpc::Status(code, "why");
    const Outcome outcome = Posternctl({"message", "get", "id"});
    EXPECT_EQ(outcome.code, expected) << code;
    if (expected != 0) {
      EXPECT_EQ(outcome.out, "") << code;
      EXPECT_THAT(outcome.err, HasSubstr("error: cannot get the message: why")) << code;
    }
  }
}

TEST_F(RunTest, WrongUseIsTwo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{},
        {"message"},
        {"message", "get"},
        {"ledger", "-o", "xml"},
        {"ledger", "stray"},
        {"message", "list", "--from", "yesterday"},
        {"message", "list", "--limit", "0"},
        {"message", "list", "--state", "lost"},
        {"client", "create", "acme"},
        {"cert", "issue", "edge"},
        {"cert", "issue", "edge", std::string(65, 'a')},
        {"cert", "issue", "edge", "\xff"},
        {"cert", "revoke", "00", "--reason", "boredom"},
        {"cert", "list", "--state", "lost"},
        {"ca", "rotate", "services-2"},
        {"client", "create", "acme", "--domain", "d", "--sha256", "00"},
        {"client", "create", "acme", "--domain", "d", "--sha256", "x", "--certificate", "y"}}) {
    EXPECT_EQ(Posternctl(arguments).code, 2) << testing::PrintToString(arguments);
  }
  EXPECT_THAT(Posternctl({"message", "lst"}).err,
              AllOf(HasSubstr("no command 'lst'"), HasSubstr("get, list")));
  EXPECT_EQ(Posternctl({"--help"}).code, 0);
}

TEST_F(RunTest, AMissingConfigurationIsAFailureWithAFix) {
  const Outcome outcome = Posternctl({"ledger", "--config", "/nonexistent.yaml"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("/nonexistent.yaml"), HasSubstr("fix: ")));
}

TEST_F(RunTest, ListsOnePageAndSaysHowToGoOn) {
  const Outcome outcome = Posternctl({"message", "list", "--state", "dead,queued", "--client",
                                      "acme", "--from", "2026-11-22T03:24:58Z", "--limit", "2"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("ID "), HasSubstr("id-1"), Not(HasSubstr("id-2"))));
  EXPECT_THAT(outcome.err, HasSubstr("--page-token 2"));
  EXPECT_EQ(messages_.last.states_size(), 2);
  EXPECT_EQ(messages_.last.client_id(), "acme");
  EXPECT_EQ(messages_.last.page_size(), 2);
  EXPECT_EQ(messages_.last.accepted_from_us(), 1'795'317'898'000'000);
}

TEST_F(RunTest, ListsEveryPageAsOneDocument) {
  const Outcome outcome = Posternctl({"message", "list", "--all", "-o", "json"});
  const auto document = nlohmann::json::parse(outcome.out);
  std::set<std::string> ids;
  for (const auto& message : document["messages"]) ids.insert(message["id"]);
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_EQ(document["next_page_token"], "");
  messages_.messages = 0;
  EXPECT_TRUE(
      nlohmann::json::parse(Posternctl({"message", "list", "-o", "json"}).out)["messages"].empty());
}

TEST_F(RunTest, AnErrorLeavesNoHalfDocument) {
  messages_.status = {grpc::StatusCode::UNAVAILABLE, "gone"};
  const Outcome outcome = Posternctl({"message", "list", "-o", "json"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_EQ(outcome.out, "");
}

TEST_F(RunTest, JsonHasTheNamesOfTheProto) {
  const auto message = nlohmann::json::parse(Posternctl({"message", "get", "x", "-o", "json"}).out);
  EXPECT_EQ(message["id"], "x");
  EXPECT_EQ(message["state"], "MESSAGE_STATE_DELIVERED");
  EXPECT_EQ(message["accepted_at_us"], "1795317898123000");
  EXPECT_EQ(message["delivered_at_us"], "0");
}

TEST_F(RunTest, ABodyCannotDriveTheTerminal) {
  EXPECT_THAT(Posternctl({"message", "get", "x", "--full"}).out, HasSubstr("\\x1b[31mred"));
}

TEST_F(RunTest, CreatesAClientByFingerprint) {
  std::string colons = "AB";
  for (int i = 1; i < 32; ++i) colons += ":CD";
  const Outcome outcome =
      Posternctl({"client", "create", "acme", "--domain", "acme.example", "--sha256", colons});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(clients_.last.domain(), "acme.example");
  EXPECT_EQ(clients_.last.certificate_sha256().substr(0, 6), "abcdcd");
  clients_.status = {grpc::StatusCode::ALREADY_EXISTS, "the id is taken"};
  const Outcome again =
      Posternctl({"client", "create", "acme", "--domain", "acme.example", "--sha256", colons});
  EXPECT_EQ(again.code, 7);
  EXPECT_THAT(again.err, AllOf(HasSubstr("the id is taken"), HasSubstr("client list")));
}

TEST_F(RunTest, DoctorGoesOnAfterAFailureAndSaysWhatToDo) {
  const Outcome outcome = Posternctl({"doctor", "-o", "json"});
  EXPECT_EQ(outcome.code, 1);
  std::map<std::string, nlohmann::json> checks;
  const auto document = nlohmann::json::parse(outcome.out);
  for (const auto& check : document["checks"]) {
    checks[check["name"]] = check;
  }
  EXPECT_EQ(checks["configuration"]["status"], "pass");
  EXPECT_EQ(checks["certificate"]["status"], "fail");
  EXPECT_NE(checks["certificate"]["fix"], "");
  EXPECT_EQ(checks["server"]["status"], "pass");
  EXPECT_EQ(checks["database"]["status"], "skip");
  EXPECT_EQ(checks["clock"]["status"], "warn") << "the fake's clock says 1970";
}

TEST_F(RunTest, AuditVerifyNamesTheFirstBrokenRowAndEndsWithOne) {
  const Outcome sound = Posternctl({"audit", "verify", "-o", "json"});
  EXPECT_EQ(sound.code, 0) << sound.err;
  EXPECT_EQ(nlohmann::json::parse(sound.out)["intact"], true);
  EXPECT_EQ(nlohmann::json::parse(sound.out)["sound_rows"], 3);
  EXPECT_THAT(sound.err, HasSubstr("no checkpoint"));
  audit_.log.mutable_rows(1)->set_actor("operator/mallory");
  const Outcome broken = Posternctl({"audit", "verify", "-o", "json"});
  EXPECT_EQ(broken.code, 1);
  EXPECT_EQ(nlohmann::json::parse(broken.out)["first_broken_row"], 2);
  EXPECT_THAT(broken.err, AllOf(HasSubstr("row 2"), HasSubstr("altered")));
}

TEST_F(RunTest, AuditVerifyComparesWithCheckpoints) {
  const audit::CheckpointSigner signer = audit::CheckpointSigner::Generate();
  const auto file = [this](const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
    return folder_ + "/" + name;
  };
  const auto verify = [&](std::int64_t sequence, const std::string& hash) {
    return Posternctl({"audit", "verify", "--checkpoints",
                       file("checkpoints.jsonl", signer.Line({"server-1", sequence, hash, 1})),
                       "--public-key", file("checkpoint.pub", signer.PublicPem())});
  };
  EXPECT_EQ(verify(3, audit_.log.head_hash()).code, 0);
  const Outcome cut = verify(5, audit_.log.head_hash());
  EXPECT_EQ(cut.code, 1);
  EXPECT_THAT(cut.err, HasSubstr("rows 4 to 5: cut off"));
  const Outcome forged = Posternctl(
      {"audit", "verify", "--checkpoints", folder_ + "/checkpoints.jsonl", "--public-key",
       file("other.pub", audit::CheckpointSigner::Generate().PublicPem())});
  EXPECT_EQ(forged.code, 2);
  EXPECT_THAT(forged.err, AllOf(HasSubstr("checkpoints.jsonl"), HasSubstr("was not given")));
}

}  // namespace
}  // namespace postern::ctl
