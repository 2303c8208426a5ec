#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "postern/v1/certificate_service.pb.h"
#include "services/certificates/authority/ceremony.h"
#include "services/certificates/authority/issuer.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/metrics/metrics.h"
#include "services/common/trust/trust_state.h"

namespace postern::trust {

// A folder of the test's own with the files of one program, and CAs that issue what it trusts.
class TrustTest : public ::testing::Test {
 protected:
  static constexpr char kTrustDomain[] = "example.org";

  TrustTest() {
    std::string pattern = testing::TempDir() + "trust.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    settings_.file = folder_ + "/trust.state";
    settings_.services_file = folder_ + "/services_ca.pem";
    settings_.clients_file = folder_ + "/clients_ca.pem";
    WriteBundle(settings_.services_file, {&services_});
    WriteBundle(settings_.clients_file, {&clients_});
  }
  ~TrustTest() override { std::filesystem::remove_all(folder_); }

  static std::int64_t Now() { return NowMicros() / 1'000'000; }

  static authority::Issuer MakeCa(const std::string& name) {
    static const authority::CertificateAndKey& root = *new authority::CertificateAndKey(
        authority::MakeRoot(kTrustDomain, pki::KeyKind::kEcP256, Now()).value());
    const auto parsed = authority::IssuerName::Parse(name).value();
    auto made =
        authority::MakeIssuer(root, parsed, kTrustDomain, pki::KeyKind::kEcP256, Now()).value();
    return authority::Issuer::Create(parsed, kTrustDomain, std::move(made.certificate),
                                     std::move(made.key))
        .value();
  }
  static std::string Bundle(const std::vector<const authority::Issuer*>& issuers) {
    std::string pem;
    for (const auto* issuer : issuers) pem += pki::CertificatePem(issuer->certificate());
    return pem;
  }
  static void WriteBundle(const std::string& path,
                          const std::vector<const authority::Issuer*>& issuers) {
    ASSERT_TRUE(WriteFileAtomically(path, Bundle(issuers)).ok());
  }

  // A CRL that was made `age_s` ago and whose next one is due an hour after that.
  static v1::Crl Crl(const authority::Issuer& issuer, std::int64_t number,
                     const std::vector<pki::Serial>& revoked, std::int64_t age_s = 60) {
    std::vector<authority::RevokedEntry> entries;
    for (const pki::Serial& serial : revoked) entries.push_back({serial, Now() - age_s, 0});
    const std::int64_t made_s = Now() - age_s;
    v1::Crl crl;
    crl.set_issuer(issuer.name().ToString());
    crl.set_number(number);
    crl.set_der(issuer.SignCrl({number, made_s, made_s + 3600}, entries));
    return crl;
  }
  static v1::WatchTrustResponse Step(std::int64_t revision, const std::vector<v1::Crl>& crls) {
    v1::WatchTrustResponse step;
    step.set_revision(revision);
    for (const v1::Crl& crl : crls) *step.add_crls() = crl;
    return step;
  }
  // What a program that has heard from the server of a quiet mesh knows.
  v1::WatchTrustResponse Quiet(std::int64_t revision = 1) {
    return Step(revision, {Crl(services_, 1, {}), Crl(clients_, 1, {})});
  }
  static tls::CertificateRef Ref(const authority::Issuer& issuer, const pki::Serial& serial) {
    return {tls::SubjectName(issuer.certificate()), serial.hex()};
  }

  std::string folder_;
  TrustState::Settings settings_;
  metrics::Registry metrics_{"test"};
  const authority::Issuer services_ = MakeCa("services-1");
  const authority::Issuer clients_ = MakeCa("clients-1");
  const pki::Serial serial_ = pki::Serial::Random();
  const pki::Serial other_ = pki::Serial::Random();
};

}  // namespace postern::trust
