#include "edge_proxy/client_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "services/common/redis/queue_layout.h"

namespace postern::edge {
namespace {

std::string Fingerprint(char digit) { return std::string(64, digit); }

v1::Client MakeClient(const std::string& id, char digit,
                      v1::ClientState state = v1::CLIENT_STATE_ACTIVE) {
  v1::Client client;
  client.set_client_id(id);
  client.set_domain("example.org");
  client.add_certificate_sha256(Fingerprint(digit));
  client.set_state(state);
  return client;
}

v1::WatchClientsResponse Step(bool snapshot, std::int64_t revision,
                              std::initializer_list<v1::Client> clients) {
  v1::WatchClientsResponse step;
  step.set_snapshot(snapshot);
  step.set_revision(revision);
  for (const v1::Client& client : clients) *step.add_clients() = client;
  return step;
}

class ClientDirectoryTest : public testing::Test {
 protected:
  ClientDirectoryTest() {
    std::string pattern = testing::TempDir() + "directory_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ + "/clients.cache";
  }
  ~ClientDirectoryTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string file_;
};

TEST_F(ClientDirectoryTest, AnswersFromSnapshotAndChanges) {
  ClientDirectory directory(file_);
  EXPECT_EQ(directory.Current()->Find(Fingerprint('a')), nullptr);
  directory.Apply(Step(true, 3, {MakeClient("acme", 'a'), MakeClient("blue", 'b')}));
  const auto before = directory.Current();
  ASSERT_NE(before->Find(Fingerprint('a')), nullptr);
  EXPECT_EQ(before->Find(Fingerprint('a'))->client_id, "acme");
  EXPECT_EQ(before->Find(Fingerprint('a'))->domain, "example.org");
  EXPECT_EQ(before->Find(Fingerprint('a'))->shard, redis::ShardOf("acme"));
  EXPECT_TRUE(before->Find(Fingerprint('a'))->active);
  EXPECT_EQ(before->Find(Fingerprint('c')), nullptr);

  // A changed client comes whole: its old certificate counts no more.
  directory.Apply(Step(false, 4, {MakeClient("acme", 'c', v1::CLIENT_STATE_SUSPENDED)}));
  const auto after = directory.Current();
  EXPECT_EQ(after->Find(Fingerprint('a')), nullptr);
  EXPECT_FALSE(after->Find(Fingerprint('c'))->active);
  EXPECT_NE(after->Find(Fingerprint('b')), nullptr);
  EXPECT_EQ(after->revision(), 4);
  EXPECT_NE(before->Find(Fingerprint('a')), nullptr) << "a published snapshot never changes";
}

TEST_F(ClientDirectoryTest, PublishesALargeSnapshotOnlyWhole) {
  ClientDirectory directory(file_);
  directory.Apply(Step(true, 1, {MakeClient("old", '0')}));
  directory.Apply(Step(true, 0, {MakeClient("acme", 'a')}));
  EXPECT_NE(directory.Current()->Find(Fingerprint('0')), nullptr);
  directory.Apply(Step(false, 7, {MakeClient("blue", 'b')}));
  EXPECT_EQ(directory.Current()->clients(), 2U);
  EXPECT_EQ(directory.Current()->Find(Fingerprint('0')), nullptr);

  directory.Apply(Step(true, 0, {MakeClient("half", 'd')}));
  directory.AbandonSteps();
  directory.Apply(Step(false, 8, {MakeClient("green", 'e')}));
  EXPECT_EQ(directory.Current()->clients(), 3U);
  EXPECT_EQ(directory.Current()->Find(Fingerprint('d')), nullptr);
}

TEST_F(ClientDirectoryTest, StartsFromTheKeptSnapshot) {
  {
    ClientDirectory directory(file_);
    EXPECT_TRUE(absl::IsNotFound(directory.LoadCache()));
    directory.Apply(Step(true, 5, {MakeClient("acme", 'a')}));
  }
  ClientDirectory directory(file_);
  ASSERT_TRUE(directory.LoadCache().ok());
  EXPECT_EQ(directory.revision(), 5);
  EXPECT_NE(directory.Current()->Find(Fingerprint('a')), nullptr);
  const auto mode = std::filesystem::status(file_).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ClientDirectoryTest, IgnoresADamagedFile) {
  std::ofstream(file_) << "this is no directory";
  ClientDirectory directory(file_);
  EXPECT_TRUE(absl::IsDataLoss(directory.LoadCache()));
  EXPECT_EQ(directory.revision(), 0);
  directory.Apply(Step(true, 2, {MakeClient("acme", 'a')}));
  EXPECT_TRUE(ClientDirectory(file_).LoadCache().ok());
}

TEST_F(ClientDirectoryTest, ViewFollowsChanges) {
  ClientDirectory directory("");
  DirectoryView view(directory);
  EXPECT_EQ(view.Get().Find(Fingerprint('a')), nullptr);
  directory.Apply(Step(true, 1, {MakeClient("acme", 'a')}));
  EXPECT_NE(view.Get().Find(Fingerprint('a')), nullptr);
}

TEST_F(ClientDirectoryTest, TakesOtherLimitsForThoseWhoHaveNoneOfTheirOwn) {
  RateLimit limit;
  limit.per_second = 5;
  ClientDirectory directory("", [&limit](std::string_view domain) {
    return domain == "acme.example" ? limit : RateLimit();
  });
  v1::Client acme = MakeClient("acme", 'a');
  acme.set_domain("acme.example");
  v1::Client own = MakeClient("blue", 'b');
  own.set_domain("acme.example");
  own.mutable_limits()->set_messages_per_second(9);
  directory.Apply(Step(true, 1, {acme, own}));
  EXPECT_EQ(directory.Current()->Find(Fingerprint('a'))->limit.per_second, 5);

  const std::uint64_t version = directory.version();
  limit.per_second = 7;
  directory.RefreshLimits();
  EXPECT_GT(directory.version(), version);
  EXPECT_EQ(directory.revision(), 1);
  EXPECT_EQ(directory.Current()->Find(Fingerprint('a'))->limit.per_second, 7);
  EXPECT_EQ(directory.Current()->Find(Fingerprint('b'))->limit.per_second, 9);
}

TEST_F(ClientDirectoryTest, ChecksWhoAPeerIs) {
  ClientDirectory directory("");
  directory.Apply(Step(true, 1, {MakeClient("acme", 'a'), MakeClient("blue", 'b')}));
  const auto snapshot = directory.Current();
  tls::PeerCertificate good;
  good.id.trust_domain = "test.postern";
  good.id.role = tls::Role::kClient;
  good.id.name = "acme";
  good.common_name = "acme";
  good.sha256_hex = Fingerprint('a');
  EXPECT_TRUE(CheckPeer(good, "test.postern", *snapshot).ok());

  auto reason = [&](const tls::PeerCertificate& peer) {
    return std::string(CheckPeer(peer, "test.postern", *snapshot).message());
  };
  tls::PeerCertificate peer = good;
  peer.id.role = tls::Role::kEdge;
  EXPECT_EQ(reason(peer), "role");
  peer = good;
  peer.id.trust_domain = "other.postern";
  EXPECT_EQ(reason(peer), "trust_domain");
  peer = good;
  peer.common_name = "blue";
  EXPECT_EQ(reason(peer), "common_name");
  peer = good;
  peer.sha256_hex = Fingerprint('f');
  EXPECT_EQ(reason(peer), "unknown_fingerprint");
  peer = good;
  peer.sha256_hex = Fingerprint('b');
  EXPECT_EQ(reason(peer), "other_client");
}

}  // namespace
}  // namespace postern::edge
