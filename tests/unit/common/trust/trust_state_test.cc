#include "services/common/trust/trust_state.h"

#include <gmock/gmock.h>

#include "tests/unit/common/trust/trust_fixture.h"

namespace postern::trust {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TrustStateTest : public TrustTest {
 protected:
  std::string Verdict(const TrustState& state, const authority::Issuer& issuer,
                      const pki::Serial& serial) {
    return std::string(state.Check(Ref(issuer, serial)).message());
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }
};

TEST_F(TrustStateTest, NobodyIsLetInBeforeACrlIsThere) {
  TrustState state(settings_, metrics_);
  const absl::Status loaded = state.Load();
  EXPECT_TRUE(absl::IsNotFound(loaded)) << loaded;
  EXPECT_EQ(Verdict(state, clients_, serial_), "no_crl");
  EXPECT_EQ(state.StaleIssuers().size(), 2u);
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  EXPECT_EQ(Verdict(state, clients_, serial_), "");
  EXPECT_THAT(state.StaleIssuers(), IsEmpty());
  EXPECT_EQ(Verdict(state, MakeCa("clients-9"), serial_), "unknown_issuer");
}

TEST_F(TrustStateTest, ARevocationCountsBeforeItsCrlAndAfterIt) {
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  v1::WatchTrustResponse early;
  early.set_revision(2);
  early.add_revoked()->set_serial(std::string(serial_.bytes()));
  ASSERT_TRUE(state.Apply(early).ok());
  EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
  EXPECT_EQ(Verdict(state, clients_, other_), "");
  ASSERT_TRUE(state.Apply(Step(3, {Crl(clients_, 2, {serial_}, 30)})).ok());
  EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
  v1::WatchTrustResponse snapshot = Quiet(4);
  snapshot.set_snapshot(true);
  EXPECT_FALSE(state.Apply(snapshot).ok()) << "a restored server tells an older CRL";
  EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
  EXPECT_EQ(state.revision(), 3);
}

TEST_F(TrustStateTest, WhatIsKeptIsThereAfterARestart) {
  {
    TrustState state(settings_, metrics_);
    state.Load().IgnoreError();
    ASSERT_TRUE(state.Apply(Quiet()).ok());
    v1::WatchTrustResponse step = Step(7, {Crl(clients_, 2, {serial_}, 30)});
    step.add_revoked()->set_serial(std::string(other_.bytes()));
    ASSERT_TRUE(state.Apply(step).ok());
  }
  TrustState state(settings_, metrics_);
  const absl::Status loaded = state.Load();
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_EQ(state.revision(), 7);
  EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
  EXPECT_EQ(Verdict(state, services_, other_), "revoked") << "it was in no CRL yet";
  EXPECT_EQ(Verdict(state, clients_, pki::Serial::Random()), "");
}

TEST_F(TrustStateTest, ARestoredFileDoesNotTakeBackWhatIsKnown) {
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  const std::string backup = ReadFile(settings_.file).value();
  ASSERT_TRUE(state.Apply(Step(2, {Crl(clients_, 2, {serial_}, 30)})).ok());
  ASSERT_TRUE(WriteFileAtomically(settings_.file, backup).ok());
  const absl::Status again = state.Load();
  EXPECT_THAT(Message(again), HasSubstr("clients-1"));
  EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
  EXPECT_EQ(state.revision(), 2);
}

TEST_F(TrustStateTest, OlderCrlsAreRefusedByNumberAndByTime) {
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Step(1, {Crl(services_, 1, {}), Crl(clients_, 5, {serial_}, 60)})).ok());
  const std::vector<std::pair<v1::Crl, const char*>> cases = {
      {Crl(clients_, 4, {}, 30), "number"},
      {Crl(clients_, 6, {}, 90), "time"},
  };
  for (const auto& [crl, what] : cases) {
    const absl::Status applied = state.Apply(Step(2, {crl}));
    EXPECT_TRUE(absl::IsFailedPrecondition(applied)) << what << ": " << applied;
    EXPECT_THAT(Message(applied), HasSubstr("clients-1"));
    EXPECT_EQ(Verdict(state, clients_, serial_), "revoked");
    EXPECT_EQ(state.revision(), 1);
  }
  ASSERT_TRUE(state.Apply(Step(3, {Crl(clients_, 6, {serial_}, 30)})).ok());
  EXPECT_EQ(state.revision(), 3);
}

TEST_F(TrustStateTest, TornAndWronglySignedCrlsAreRefusedAndChangeNothing) {
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  v1::Crl torn = Crl(clients_, 2, {serial_}, 30);
  torn.set_der(torn.der().substr(0, torn.der().size() / 2));
  v1::Crl forged = Crl(MakeCa("clients-1"), 2, {}, 30);
  const std::vector<std::pair<v1::Crl, const char*>> cases = {
      {torn, "torn"}, {forged, "signature is not of its issuing CA"}};
  for (const auto& [crl, reason] : cases) {
    const absl::Status applied = state.Apply(Step(2, {crl}));
    EXPECT_THAT(Message(applied), HasSubstr(reason));
    EXPECT_EQ(Verdict(state, clients_, serial_), "");
    EXPECT_EQ(state.revision(), 1) << "it is asked for again";
  }
}

TEST_F(TrustStateTest, AFileThatCannotBeUsedIsNotUsedAtAll) {
  {
    TrustState state(settings_, metrics_);
    state.Load().IgnoreError();
    ASSERT_TRUE(state.Apply(Quiet()).ok());
  }
  const std::string good = ReadFile(settings_.file).value();
  std::string flipped = good;
  flipped[good.size() - 5] = static_cast<char>(flipped[good.size() - 5] ^ 1);
  for (const std::string& bad :
       {std::string(), std::string("hello"), good.substr(0, good.size() - 1), flipped}) {
    ASSERT_TRUE(WriteFileAtomically(settings_.file, bad).ok());
    TrustState state(settings_, metrics_);
    const absl::Status loaded = state.Load();
    EXPECT_TRUE(absl::IsDataLoss(loaded)) << loaded;
    EXPECT_THAT(Message(loaded), HasSubstr("trust.state"));
    EXPECT_THAT(Message(loaded), HasSubstr("remove it"));
    EXPECT_EQ(Verdict(state, clients_, serial_), "no_crl");
    EXPECT_EQ(state.revision(), 0);
  }
}

TEST_F(TrustStateTest, AFileWithACrlOfAnotherKeyIsNotUsedAtAll) {
  {
    TrustState state(settings_, metrics_);
    state.Load().IgnoreError();
    ASSERT_TRUE(state.Apply(Quiet()).ok());
  }
  const authority::Issuer same_name = MakeCa("clients-1");
  WriteBundle(settings_.clients_file, {&same_name});
  TrustState state(settings_, metrics_);
  const absl::Status loaded = state.Load();
  EXPECT_THAT(Message(loaded), HasSubstr("signature is not of its issuing CA"));
  EXPECT_EQ(state.revision(), 0);
  EXPECT_EQ(Verdict(state, services_, serial_), "no_crl");
}

TEST_F(TrustStateTest, SaysWhichCaFileIsMissing) {
  std::filesystem::remove(settings_.clients_file);
  TrustState state(settings_, metrics_);
  EXPECT_THAT(Message(state.Load()), HasSubstr("clients_ca.pem"));
  ASSERT_TRUE(WriteFileAtomically(settings_.clients_file, "nothing").ok());
  EXPECT_THAT(Message(state.Load()), HasSubstr("clients_ca.pem"));
}

TEST_F(TrustStateTest, ACrlThatIsTooOldClosesItsCaOnly) {
  settings_.grace = std::chrono::minutes(10);
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  EXPECT_FALSE(state.Tick()) << "nothing was too old before, nothing is now";
  // Due an hour after it was made: in the grace, then past it.
  TrustState::Settings fresh = settings_;
  fresh.file = folder_ + "/other.state";
  TrustState in_grace(fresh, metrics_);
  in_grace.Load().IgnoreError();
  ASSERT_TRUE(in_grace.Apply(Step(1, {Crl(services_, 1, {}), Crl(clients_, 1, {}, 3900)})).ok());
  EXPECT_EQ(Verdict(in_grace, clients_, serial_), "");
  fresh.file = folder_ + "/third.state";
  TrustState past(fresh, metrics_);
  past.Load().IgnoreError();
  ASSERT_TRUE(past.Apply(Step(1, {Crl(services_, 1, {}), Crl(clients_, 1, {serial_}, 4300)})).ok());
  EXPECT_EQ(Verdict(past, clients_, other_), "crl_too_old");
  EXPECT_EQ(Verdict(past, clients_, serial_), "revoked");
  EXPECT_EQ(Verdict(past, services_, other_), "");
  EXPECT_THAT(past.StaleIssuers(), ElementsAre("clients-1"));
  EXPECT_TRUE(past.Tick());
  EXPECT_TRUE(past.CheckRevoked(Ref(clients_, other_)).ok()) << "not known to be revoked";
  ASSERT_TRUE(past.Apply(Step(2, {Crl(clients_, 2, {serial_}, 30)})).ok());
  EXPECT_TRUE(past.Tick());
  EXPECT_EQ(Verdict(past, clients_, other_), "");
}

TEST_F(TrustStateTest, FollowsTheCasAndKeepsTheirFiles) {
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  ASSERT_TRUE(state.Apply(Quiet()).ok());
  const authority::Issuer next = MakeCa("clients-2");
  v1::WatchTrustResponse both;
  both.set_revision(2);
  both.set_clients_pem(Bundle({&clients_, &next}));
  ASSERT_TRUE(state.Apply(both).ok());
  EXPECT_EQ(ReadFile(settings_.clients_file).value(), both.clients_pem());
  EXPECT_EQ(Verdict(state, clients_, serial_), "") << "its CRL is still here";
  EXPECT_EQ(Verdict(state, next, serial_), "no_crl");
  EXPECT_THAT(state.StaleIssuers(), IsEmpty()) << "a new CA has issued nothing yet";
  v1::WatchTrustResponse retired = Step(3, {Crl(next, 1, {})});
  retired.set_clients_pem(Bundle({&next}));
  ASSERT_TRUE(state.Apply(retired).ok());
  EXPECT_EQ(Verdict(state, clients_, serial_), "unknown_issuer");
  EXPECT_EQ(Verdict(state, next, serial_), "");

  v1::WatchTrustResponse broken;
  broken.set_revision(4);
  broken.set_clients_pem("no certificate");
  EXPECT_FALSE(state.Apply(broken).ok());
  EXPECT_EQ(ReadFile(settings_.clients_file).value(), retired.clients_pem());
  EXPECT_EQ(state.revision(), 3);
}

TEST_F(TrustStateTest, AWorkerIgnoresWhatIsOfClients) {
  settings_.clients_file.clear();
  TrustState state(settings_, metrics_);
  state.Load().IgnoreError();
  v1::WatchTrustResponse step = Quiet();
  step.set_clients_pem(Bundle({&clients_}));
  ASSERT_TRUE(state.Apply(step).ok());
  EXPECT_EQ(Verdict(state, clients_, serial_), "unknown_issuer");
  EXPECT_EQ(Verdict(state, services_, serial_), "");
}

}  // namespace
}  // namespace postern::trust
