#include "services/keys/master_keys.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace postern::keys {
namespace {

MasterKeys Make(std::initializer_list<std::pair<std::uint32_t, char>> versions) {
  std::map<std::uint32_t, crypto::Secret> keys;
  for (const auto& [version, fill] : versions) {
    keys.emplace(version, crypto::Secret(std::string(32, fill)));
  }
  return MasterKeys(std::move(keys));
}

TEST(MasterKeysTest, UnwrapsWhatItWrapped) {
  const MasterKeys keys = Make({{1, 'a'}});
  const Uuid id = Uuid::Random();
  const crypto::Secret data_key = crypto::Secret::Random(32);
  const v1::WrappedDataKey wrapped = keys.Wrap(id, data_key);
  EXPECT_EQ(wrapped.master_key_version(), 1u);
  EXPECT_EQ(wrapped.ciphertext().size(), 12u + 32u + 16u);
  EXPECT_EQ(wrapped.ciphertext().find(std::string(data_key.view())), std::string::npos);
  const auto unwrapped = keys.Unwrap(id, wrapped);
  ASSERT_TRUE(unwrapped.ok()) << unwrapped.status();
  EXPECT_EQ(unwrapped->view(), data_key.view());
}

TEST(MasterKeysTest, TheHighestVersionWrapsAndEveryVersionUnwraps) {
  const Uuid id = Uuid::Random();
  const crypto::Secret data_key = crypto::Secret::Random(32);
  const v1::WrappedDataKey old = Make({{1, 'a'}}).Wrap(id, data_key);
  const MasterKeys rotated = Make({{1, 'a'}, {3, 'c'}});
  EXPECT_EQ(rotated.Wrap(id, data_key).master_key_version(), 3u);
  EXPECT_TRUE(rotated.Unwrap(id, old).ok());
}

TEST(MasterKeysTest, AMissingOrWrongMasterKeyIsAnOutage) {
  const Uuid id = Uuid::Random();
  const v1::WrappedDataKey wrapped = Make({{1, 'a'}}).Wrap(id, crypto::Secret::Random(32));
  EXPECT_EQ(Make({{2, 'a'}}).Unwrap(id, wrapped).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Make({{1, 'b'}}).Unwrap(id, wrapped).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MasterKeysTest, AKeyMovedToAnotherIdDoesNotOpen) {
  const MasterKeys keys = Make({{1, 'a'}});
  const v1::WrappedDataKey wrapped = keys.Wrap(Uuid::Random(), crypto::Secret::Random(32));
  EXPECT_FALSE(keys.Unwrap(Uuid::Random(), wrapped).ok());
}

}  // namespace
}  // namespace postern::keys
