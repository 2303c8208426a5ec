#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "postern/v1/certificate_service.grpc.pb.h"
#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/issuer.h"
#include "services/common/app/process.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/pki/csr.h"
#include "services/common/pki/key.h"
#include "services/common/pki/revocation_list.h"
#include "services/common/rpc/credentials.h"

// Measures a running server's certificate authority, and CRLs by themselves: see tests/load/issue.
namespace postern::load {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallers = 8;
// Requests made beforehand: making one costs as much as certifying it.
constexpr int kRequestsPerCaller = 64;
constexpr int kLookups = 1'000'000;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

struct Options {
  rpc::ChannelSettings channel;
  double seconds = 10;
  int revoked = 100'000;
};

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Issues until `end`; gives how many, or -1 after the first failure, which it tells.
int IssueUntil(v1::CertificateService::Stub& stub, int caller, Clock::time_point end,
               const std::vector<std::string>& requests) {
  int count = 0;
  while (Clock::now() < end) {
    const int key = count % kRequestsPerCaller;
    v1::IssueCertificateRequest request;
    request.mutable_subject()->set_profile("worker");
    request.mutable_subject()->set_name(StrCat("load-", caller, "-", key));
    request.set_csr(requests[static_cast<std::size_t>(key)]);
    v1::IssueCertificateResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    const grpc::Status status = stub.IssueCertificate(&context, request, &response);
    if (!status.ok()) {
      std::cerr << "issue: " << status.error_message() << '\n';
      return -1;
    }
    ++count;
  }
  return count;
}

// Certificates per second; negative when a call failed.
double MeasureIssuing(const Options& options) {
  const auto channel = rpc::Channel(options.channel);
  if (!channel.ok()) {
    std::cerr << channel.status().message() << '\n';
    return -1;
  }
  std::vector<std::vector<std::string>> requests(kCallers);
  for (auto& own : requests) {
    for (int i = 0; i < kRequestsPerCaller; ++i) {
      own.push_back(pki::MakeCsr(pki::GenerateKey(pki::KeyKind::kEcP256).get(), ""));
    }
  }
  std::atomic<int> total{0};
  std::atomic<bool> failed{false};
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(options.seconds));
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      const auto stub = v1::CertificateService::NewStub(*channel);
      const int count = IssueUntil(*stub, i, end, requests[static_cast<std::size_t>(i)]);
      if (count < 0) failed = true;
      total += count;
    });
  }
  for (std::thread& caller : callers) caller.join();
  return failed ? -1 : total / SecondsSince(begin);
}

void MeasureCrl(int revoked, nlohmann::ordered_json& result) {
  const std::int64_t now_s = NowMicros() / kMicrosPerSecond;
  constexpr char kTrustDomain[] = "example.org";
  const auto root = authority::MakeRoot(kTrustDomain, pki::KeyKind::kEcP256, now_s).value();
  const authority::IssuerName name{authority::Kind::kClients, 1};
  auto made = authority::MakeIssuer(root, name, kTrustDomain, pki::KeyKind::kEcP256, now_s).value();
  const auto issuer = authority::Issuer::Create(name, kTrustDomain, std::move(made.certificate),
                                                std::move(made.key))
                          .value();
  std::vector<authority::RevokedEntry> entries;
  for (int i = 0; i < revoked; ++i) entries.push_back({pki::Serial::Random(), now_s, 1});
  auto begin = Clock::now();
  const std::string der = issuer.SignCrl({1, now_s, now_s + 3600}, entries);
  result["crl_build_s"] = SecondsSince(begin);
  result["crl_bytes"] = der.size();
  begin = Clock::now();
  const auto list = pki::RevocationList::Parse(der, issuer.certificate()).value();
  result["crl_load_s"] = SecondsSince(begin);
  // Half of them hits, as no handshakes would have it.
  std::vector<pki::Serial> asked;
  for (int i = 0; i < 1000; ++i) {
    asked.push_back(i % 2 == 0 ? pki::Serial::Random()
                               : entries[static_cast<std::size_t>(i * 31 % revoked)].serial);
  }
  int hits = 0;
  begin = Clock::now();
  for (int i = 0; i < kLookups; ++i) {
    hits += list.Contains(asked[static_cast<std::size_t>(i % 1000)]) ? 1 : 0;
  }
  result["lookup_ns"] = SecondsSince(begin) * 1e9 / kLookups;
  result["lookup_hits"] = hits;
}

int Run(int argc, char** argv) {
  Options options;
  CLI::App app("Measures the certificate authority of a running server.", "postern-issue-load");
  app.add_option("--target", options.channel.target)->required();
  app.add_option("--certificate", options.channel.files.certificate)->required();
  app.add_option("--key", options.channel.files.key)->required();
  app.add_option("--trust", options.channel.files.trust)->required();
  app.add_option("--trust-domain", options.channel.trust_domain)->required();
  app.add_option("--seconds", options.seconds);
  app.add_option("--revoked", options.revoked)->check(CLI::Range(1, 10'000'000));
  CLI11_PARSE(app, argc, argv);
  nlohmann::ordered_json result;
  const double rate = MeasureIssuing(options);
  if (rate < 0) return 1;
  result["certificates_per_s"] = rate;
  result["revoked"] = options.revoked;
  MeasureCrl(options.revoked, result);
  std::cout << result.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace postern::load

int main(int argc, char** argv) { postern::app::EndProcess(postern::load::Run(argc, argv)); }
