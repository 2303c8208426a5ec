#include "tests/integration/certificates/authority_fixture.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/folder.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/rpc/credentials.h"
#include "tests/support/shared_mariadb.h"

namespace postern::certificates {
namespace {

constexpr char kPassphrase[] = "a passphrase for tests";
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::int64_t NowSeconds() { return NowMicros() / kMicrosPerSecond; }

void MakeFolder(const std::string& path) {
  const auto root = authority::MakeRoot(kTrustDomain, pki::KeyKind::kEcP256, NowSeconds()).value();
  auto folder = authority::Folder::Create(path, kTrustDomain, root, kPassphrase).value();
  for (const char* name : {"services-1", "clients-1", "services-2"}) {
    const auto parsed = authority::IssuerName::Parse(name).value();
    ASSERT_TRUE(folder
                    .AddIssuer(parsed,
                               authority::MakeIssuer(root, parsed, kTrustDomain,
                                                     pki::KeyKind::kEcP256, NowSeconds())
                                   .value(),
                               kPassphrase)
                    .ok());
    if (parsed.generation == 2) {
      // Not known to the database before it is introduced.
      auto issuers = folder.ReadIssuers().value();
      issuers.pop_back();
      ASSERT_TRUE(folder.WriteTrust(issuers).ok());
    }
  }
}

}  // namespace

std::unique_ptr<grpc::ClientContext> Call() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  return context;
}

struct AuthorityTest::Server {
  Server(const db::Settings& database, const std::string& ca, const std::string& passphrase,
         const tls::Files& files)
      : executor(database, 2, 64, metrics) {
    auto opened = Authorities::Open(ca, passphrase);
    EXPECT_TRUE(opened.ok()) << opened.status();
    authorities = *std::move(opened);
    CrlPublisher::Settings settings;
    settings.database = database;
    feed = std::make_unique<TrustFeed>(
        executor, [] {}, metrics);
    const auto on_changed = [this] { feed->Nudge(); };
    publisher =
        std::make_unique<CrlPublisher>(std::move(settings), *authorities, on_changed, metrics);
    auto connection = db::Connection::Open(database).value();
    const absl::Status started = publisher->Start(*connection);
    EXPECT_TRUE(started.ok()) << started;
    const absl::Status fed = feed->Start();
    EXPECT_TRUE(fed.ok()) << fed;
    service = std::make_unique<CertificateService>(executor, authorities.get(), *feed, kTrustDomain,
                                                   on_changed, metrics);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", rpc::ServerCredentials(files).value(), &port);
    builder.RegisterService(service.get());
    server = builder.BuildAndStart();
  }
  ~Server() {
    feed->Stop();
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    publisher->Stop();
  }

  metrics::Registry metrics{"test"};
  db::Executor executor;
  std::unique_ptr<Authorities> authorities;
  std::unique_ptr<TrustFeed> feed;
  std::unique_ptr<CrlPublisher> publisher;
  std::unique_ptr<CertificateService> service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

AuthorityTest::AuthorityTest() {
  std::string pattern = testing::TempDir() + "certificates.XXXXXX";
  folder_ = ::mkdtemp(pattern.data());
}

AuthorityTest::~AuthorityTest() {
  StopServer();
  std::filesystem::remove_all(folder_);
}

void AuthorityTest::SetUp() {
  MakeFolder(ca());
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/passphrase", kPassphrase).ok());
  const auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
  ASSERT_TRUE(schema.ok()) << schema.status();
  database_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
  operator_ = Leaf("operator", "alice");
  StartServer();
}

void AuthorityTest::StartServer() {
  server_ = std::make_unique<Server>(database_, ca(), folder_ + "/passphrase",
                                     Leaf("server", "server-1"));
}

void AuthorityTest::StopServer() { server_.reset(); }

std::shared_ptr<grpc::Channel> AuthorityTest::Channel(const tls::Files& files) {
  rpc::ChannelSettings settings;
  settings.target = StrCat("127.0.0.1:", server_->port);
  settings.files = files;
  settings.trust_domain = kTrustDomain;
  return rpc::Channel(settings).value();
}

tls::Files AuthorityTest::Leaf(const std::string& profile, const std::string& name, int life_s) {
  const auto folder = authority::Folder::Open(ca()).value();
  const auto subject =
      authority::MakeSubject(profile, name, {}, std::chrono::seconds(life_s)).value();
  const authority::IssuerName issuer_name{subject.profile->issuer, 1};
  const auto issuer = folder.ReadIssuer(issuer_name, kPassphrase).value();
  const auto key = pki::GenerateKey(pki::KeyKind::kEcP256);
  const auto leaf = issuer.Sign(subject, key.get(), pki::Serial::Random(), NowSeconds()).value();
  const std::string stem = StrCat(folder_, "/leaf-", ++leaves_);
  tls::Files files{stem + ".pem", stem + ".key", ca() + "/services_ca.pem"};
  EXPECT_TRUE(WriteFileAtomically(files.certificate, pki::CertificatePem(leaf.get())).ok());
  EXPECT_TRUE(WriteFileAtomically(files.key, pki::PrivateKeyPem(key.get(), "").view()).ok());
  return files;
}

AuthorityTest::Stub AuthorityTest::Caller(const tls::Files& files) {
  return v1::CertificateService::NewStub(Channel(files));
}

v1::IssueCertificateRequest AuthorityTest::IssueRequest(const std::string& profile,
                                                        const std::string& name) {
  v1::IssueCertificateRequest request;
  request.mutable_subject()->set_profile(profile);
  request.mutable_subject()->set_name(name);
  request.set_csr(pki::MakeCsr(pki::GenerateKey(pki::KeyKind::kEcP256).get(), name));
  return request;
}

grpc::Status AuthorityTest::Issue(const Stub& stub, const v1::IssueCertificateRequest& request,
                                  v1::IssueCertificateResponse* response) {
  return stub->IssueCertificate(Call().get(), request, response);
}

v1::Certificate AuthorityTest::MustIssue(const std::string& profile, const std::string& name) {
  v1::IssueCertificateResponse response;
  const grpc::Status status = Issue(Operator(), IssueRequest(profile, name), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.certificate();
}

grpc::Status AuthorityTest::Renew(const Stub& stub, const std::string& certificate_pem,
                                  v1::RenewCertificateResponse* response) {
  v1::RenewCertificateRequest request;
  request.set_csr(pki::MakeCsr(pki::GenerateKey(pki::KeyKind::kEcP256).get(), ""));
  request.set_certificate(certificate_pem);
  return stub->RenewCertificate(Call().get(), request, response);
}

grpc::Status AuthorityTest::RenewByHash(const Stub& stub, const std::string& sha256_hex,
                                        v1::RenewCertificateResponse* response) {
  v1::RenewCertificateRequest request;
  request.set_csr(pki::MakeCsr(pki::GenerateKey(pki::KeyKind::kEcP256).get(), ""));
  request.set_certificate_sha256(sha256_hex);
  return stub->RenewCertificate(Call().get(), request, response);
}

v1::RevokeCertificateResponse AuthorityTest::MustRevoke(const std::string& serial, bool lineage,
                                                        int reason) {
  v1::RevokeCertificateRequest request;
  request.set_serial(serial);
  request.set_lineage(lineage);
  request.set_reason(static_cast<v1::RevocationReason>(reason));
  v1::RevokeCertificateResponse response;
  const grpc::Status status = Operator()->RevokeCertificate(Call().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

grpc::Status AuthorityTest::GetCrl(const std::string& issuer, v1::Crl* crl) {
  v1::GetCrlRequest request;
  request.set_issuer(issuer);
  v1::GetCrlResponse response;
  const grpc::Status status = Operator()->GetCrl(Call().get(), request, &response);
  *crl = response.crl();
  return status;
}

void AuthorityTest::Execute(const std::string& sql) {
  auto connection = db::Connection::Open(database_).value();
  const auto done = connection->Execute(sql);
  EXPECT_TRUE(done.ok()) << done.status();
}

std::int64_t AuthorityTest::Number(const std::string& sql) {
  auto connection = db::Connection::Open(database_).value();
  std::int64_t number = -1;
  const absl::Status status = connection->Query(sql, {}, [&number](const db::Row& row) {
    number = row.Int(0);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return number;
}

void AuthorityTest::CreateClient(const std::string& id) {
  Execute(
      StrCat("INSERT INTO clients (client_id, domain, state, revision, created_at_us) VALUES ('",
             id, "', 'example.com', 1, 1, 1)"));
}

}  // namespace postern::certificates
