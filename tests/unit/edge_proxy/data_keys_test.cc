#include "edge_proxy/data_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

v1::CreateDataKeyResponse Answer() {
  v1::CreateDataKeyResponse answer;
  answer.set_data_key_id(std::string(16, 'i'));
  answer.set_plaintext_key(std::string(32, 'k'));
  answer.mutable_wrapped_data_key()->set_ciphertext("wrapped");
  answer.set_edge_hash_key(std::string(32, 'i'));
  answer.set_max_age_seconds(86'400);
  answer.set_max_encryptions(300);
  return answer;
}

TEST(DataKey, IsReplacedAheadOfItsLimits) {
  const auto key = *DataKey::Create(Answer());
  EXPECT_EQ(key->key(), std::string(32, 'k'));
  EXPECT_FALSE(key->WantsSuccessor());
  EXPECT_TRUE(key->Reserve(199));
  EXPECT_FALSE(key->WantsSuccessor());
  EXPECT_TRUE(key->Reserve(1));
  EXPECT_TRUE(key->WantsSuccessor());
  EXPECT_TRUE(key->Reserve(1'000)) << "without a successor it goes on to the cipher's own limit";

  v1::CreateDataKeyResponse old = Answer();
  old.set_max_age_seconds(1);
  const auto short_lived = *DataKey::Create(old);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!short_lived->WantsSuccessor() && std::chrono::steady_clock::now() < end) {
  }
  EXPECT_TRUE(short_lived->WantsSuccessor());
}

TEST(DataKey, NeverPassesTheLimitOfTheCipher) {
  const auto key = *DataKey::Create(Answer());
  EXPECT_TRUE(key->Reserve(kEncryptionsHardMax - 10));
  EXPECT_FALSE(key->Reserve(11));
  EXPECT_TRUE(key->Reserve(10));
  EXPECT_FALSE(key->Reserve(1));
}

TEST(DataKey, RefusesUnusableAnswers) {
  v1::CreateDataKeyResponse answer = Answer();
  answer.set_data_key_id("short");
  EXPECT_FALSE(DataKey::Create(answer).ok());
  answer = Answer();
  answer.set_plaintext_key("short");
  EXPECT_FALSE(DataKey::Create(answer).ok());
  answer = Answer();
  answer.clear_wrapped_data_key();
  EXPECT_FALSE(DataKey::Create(answer).ok());
  answer = Answer();
  answer.set_max_encryptions(0);
  EXPECT_FALSE(DataKey::Create(answer).ok());
}

}  // namespace
}  // namespace postern::edge
