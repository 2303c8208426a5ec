#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/load/ledger_reader.h"
#include "tests/load/ledger_writer.h"

namespace postern::load {
namespace {

namespace fs = std::filesystem;

struct Contents {
  std::vector<ClientRecord> clients;
  std::vector<AttemptRecord> attempts;
  std::vector<OutcomeRecord> outcomes;
  absl::StatusOr<std::int64_t> started_at_us = absl::UnknownError("not read");
};

Contents Read(const std::string& path) {
  Contents contents;
  LedgerVisitor visitor;
  visitor.on_client = [&](const ClientRecord& record) { contents.clients.push_back(record); };
  visitor.on_attempt = [&](const AttemptRecord& record) { contents.attempts.push_back(record); };
  visitor.on_outcome = [&](const OutcomeRecord& record) { contents.outcomes.push_back(record); };
  contents.started_at_us = ReadLedger(path, visitor);
  return contents;
}

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    std::string pattern = (fs::temp_directory_path() / "ledger_test_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / "ledger").string();
  }
  ~LedgerTest() override { fs::remove_all(folder_); }

  void Write() {
    auto writer = LedgerWriter::Create(path_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ClientRecord client;
    client.index = 300;
    client.client_id = "client-a";
    (*writer)->Add(client);
    AttemptRecord attempt;
    attempt.client = 300;
    attempt.nonce.fill(7);
    attempt.body_sha256.fill(8);
    attempt.at_us = 1'800'000'000'000'000;
    (*writer)->Add(attempt);
    OutcomeRecord outcome;
    outcome.outcome = Outcome::kAcknowledged;
    outcome.status = 202;
    outcome.nonce = attempt.nonce;
    outcome.id.fill(9);
    outcome.at_us = attempt.at_us + 5;
    (*writer)->Add(outcome);
    ASSERT_TRUE((*writer)->Close().ok());
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(LedgerTest, ReadsWhatWasWritten) {
  Write();
  const Contents contents = Read(path_);
  ASSERT_TRUE(contents.started_at_us.ok()) << contents.started_at_us.status();
  EXPECT_GT(*contents.started_at_us, 1'700'000'000'000'000);
  ASSERT_EQ(contents.clients.size(), 1U);
  EXPECT_EQ(contents.clients[0].index, 300);
  EXPECT_EQ(contents.clients[0].client_id, "client-a");
  ASSERT_EQ(contents.attempts.size(), 1U);
  EXPECT_EQ(contents.attempts[0].client, 300);
  EXPECT_EQ(contents.attempts[0].nonce[15], 7);
  EXPECT_EQ(contents.attempts[0].body_sha256[31], 8);
  EXPECT_EQ(contents.attempts[0].at_us, 1'800'000'000'000'000);
  ASSERT_EQ(contents.outcomes.size(), 1U);
  EXPECT_EQ(contents.outcomes[0].outcome, Outcome::kAcknowledged);
  EXPECT_EQ(contents.outcomes[0].status, 202);
  EXPECT_EQ(contents.outcomes[0].id[0], 9);
  EXPECT_EQ(contents.outcomes[0].at_us, 1'800'000'000'000'005);
}

// A generator that is killed leaves a record half written.
TEST_F(LedgerTest, ARecordCutByTheEndIsLeftOut) {
  Write();
  const auto size = fs::file_size(path_);
  for (const std::uintmax_t cut : {1U, 20U, 43U}) {
    fs::resize_file(path_, size - cut);
    const Contents contents = Read(path_);
    ASSERT_TRUE(contents.started_at_us.ok());
    EXPECT_EQ(contents.attempts.size(), 1U);
    EXPECT_TRUE(contents.outcomes.empty());
  }
}

TEST_F(LedgerTest, RefusesWhatIsNoLedger) {
  EXPECT_EQ(Read(path_).started_at_us.status().code(), absl::StatusCode::kNotFound);
  Write();
  fs::resize_file(path_, fs::file_size(path_) + 4);  // Zeros: no kind of record.
  EXPECT_EQ(Read(path_).started_at_us.status().code(), absl::StatusCode::kDataLoss);
  fs::resize_file(path_, 4);
  EXPECT_EQ(Read(path_).started_at_us.status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LedgerTest, NeverWritesOverAnotherRun) {
  Write();
  EXPECT_EQ(LedgerWriter::Create(path_).status().code(), absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace postern::load
